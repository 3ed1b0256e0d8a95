//! Canonicalisation of NaNs: no operator of WebAssembly, but what follows an operator if the embedder asks for it.

use crate::value::V128;

/// Bits of the canonical NaN without a sign.
pub const CANONICAL_F32: u32 = 0x7fc0_0000;
/// Bits of the canonical NaN without a sign.
pub const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

operators! {
    canonical_f32(a: f32) -> f32 { if a.is_nan() { f32::from_bits(CANONICAL_F32) } else { a } }
    canonical_f64(a: f64) -> f64 { if a.is_nan() { f64::from_bits(CANONICAL_F64) } else { a } }
    canonical_f32x4(a: V128) -> V128 { V128::from_lanes(a.lanes::<[f32; 4]>().map(canonical_f32)) }
    canonical_f64x2(a: V128) -> V128 { V128::from_lanes(a.lanes::<[f64; 2]>().map(canonical_f64)) }
}
