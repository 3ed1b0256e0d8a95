//! Values: [`V128`], and the 8-byte slot form that frames, argument lists, globals and exception payloads share.
//!
//! # Slots
//! A value takes one 8-byte slot, a `v128` two (low half first). In its slot an `i32` or `f32` is zero-extended; a
//! reference is an opaque word whose null is 0.

/// A 128-bit vector; byte 0 is the least significant byte of lane 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

impl V128 {
    /// From a 128-bit integer, lane 0 in the low bits.
    pub const fn from_u128(bits: u128) -> V128 {
        V128(bits.to_le_bytes())
    }

    /// As a 128-bit integer, lane 0 in the low bits.
    pub const fn to_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// The two slots of the value, low half first.
    pub const fn to_slots(self) -> [u64; 2] {
        let bits = self.to_u128();
        [bits as u64, (bits >> 64) as u64]
    }

    /// The value held in two slots, low half first.
    pub const fn from_slots(slots: [u64; 2]) -> V128 {
        V128::from_u128(slots[0] as u128 | (slots[1] as u128) << 64)
    }
}
