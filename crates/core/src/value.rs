//! Values: [`V128`], and the 8-byte slot form that frames, argument lists, globals and exception payloads share.
//!
//! # Slots
//! A value takes one 8-byte slot, a `v128` two (low half first). In its slot an `i32` or `f32` is zero-extended; a
//! reference is an opaque word whose null is 0.

/// A 128-bit vector; byte 0 is the least significant byte of lane 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

/// An array of lanes that fills a [`V128`]. `[u8; 16]`, `[i16; 8]`, `[f64; 2]`, …
pub trait Lanes: Copy {
    /// The lanes of a vector, lane 0 first.
    fn from_v128(vector: V128) -> Self;
    /// The vector of these lanes.
    fn into_v128(self) -> V128;
}

/// Implements [`Lanes`] for the given arrays. Written so that LLVM sees one plain 16-byte move.
macro_rules! impl_lanes {
    ($([$lane:ty; $count:literal])*) => {$(
        impl Lanes for [$lane; $count] {
            #[inline]
            fn from_v128(vector: V128) -> Self {
                const SIZE: usize = size_of::<$lane>();
                std::array::from_fn(|i| {
                    <$lane>::from_le_bytes(std::array::from_fn(|byte| vector.0[i * SIZE + byte]))
                })
            }

            #[inline]
            fn into_v128(self) -> V128 {
                const SIZE: usize = size_of::<$lane>();
                let mut bytes = [0; 16];
                for (chunk, lane) in bytes.chunks_exact_mut(SIZE).zip(self) {
                    chunk.copy_from_slice(&lane.to_le_bytes());
                }
                V128(bytes)
            }
        }
    )*};
}

impl_lanes! { [i8; 16] [u8; 16] [i16; 8] [u16; 8] [i32; 4] [u32; 4] [i64; 2] [u64; 2] [f32; 4] [f64; 2] }

impl V128 {
    /// From a 128-bit integer, lane 0 in the low bits.
    pub const fn from_u128(bits: u128) -> V128 {
        V128(bits.to_le_bytes())
    }

    /// As a 128-bit integer, lane 0 in the low bits.
    pub const fn to_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// From lanes, lane 0 first.
    #[inline]
    pub fn from_lanes<L: Lanes>(lanes: L) -> V128 {
        lanes.into_v128()
    }

    /// As lanes, lane 0 first: `v.lanes::<[i16; 8]>()`.
    #[inline]
    pub fn lanes<L: Lanes>(self) -> L {
        L::from_v128(self)
    }

    /// The two slots of the value, low half first.
    #[inline]
    pub const fn to_slots(self) -> [u64; 2] {
        let bits = self.to_u128();
        [bits as u64, (bits >> 64) as u64]
    }

    /// The value held in two slots, low half first.
    #[inline]
    pub const fn from_slots(slots: [u64; 2]) -> V128 {
        V128::from_u128(slots[0] as u128 | (slots[1] as u128) << 64)
    }
}
