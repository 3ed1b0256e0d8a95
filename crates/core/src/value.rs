//! Vectors ([`V128`]), and the slot form of values, which frames, argument lists, globals and exception payloads share.
//!
//! # Slots
//! A *slot* is 8 bytes. A value takes one slot, a `v128` two, low half first. An `i32` or `f32` is zero-extended when it is
//! written; readers ignore the upper half. A reference is an opaque word, 0 for null; the runtime defines the others.
//! [`ValType::slots`](crate::types::ValType::slots) counts slots, and [`Scalar`](crate::op::Scalar) converts numbers.

/// A 128-bit vector; byte 0 is the least significant byte of lane 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

/// An array of lanes that fills a [`V128`]: `[u8; 16]`, `[i16; 8]`, `[f64; 2]`, …
pub trait Lanes: Copy {
    /// Returns the lanes of a vector, lane 0 first.
    fn from_v128(vector: V128) -> Self;
    /// Returns the vector with these lanes.
    fn into_v128(self) -> V128;
}

/// Implements [`Lanes`] for the given arrays, in a form that LLVM compiles to one 16-byte move.
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
    /// Converts from a 128-bit integer, lane 0 in the low bits.
    #[inline]
    pub const fn from_u128(bits: u128) -> V128 {
        V128(bits.to_le_bytes())
    }

    /// Converts to a 128-bit integer, lane 0 in the low bits.
    #[inline]
    pub const fn to_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// Converts from lanes, lane 0 first.
    #[inline]
    pub fn from_lanes<L: Lanes>(lanes: L) -> V128 {
        lanes.into_v128()
    }

    /// Returns the lanes, lane 0 first: `v.lanes::<[i16; 8]>()`.
    #[inline]
    pub fn lanes<L: Lanes>(self) -> L {
        L::from_v128(self)
    }

    /// Returns the two slots of the value, low half first.
    #[inline]
    pub const fn to_slots(self) -> [u64; 2] {
        let bits = self.to_u128();
        [bits as u64, (bits >> 64) as u64]
    }

    /// Returns the value of two slots, low half first.
    #[inline]
    pub const fn from_slots(slots: [u64; 2]) -> V128 {
        V128::from_u128(slots[0] as u128 | (slots[1] as u128) << 64)
    }
}
