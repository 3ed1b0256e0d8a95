//! Vector operators on all 128 bits, without regard to lanes.

use crate::value::V128;

lanewise! { [u64; 2] -> u64:
    v128_not(a) { !a }
    v128_and(a, b) { a & b }
    v128_andnot(a, b) { a & !b }
    v128_or(a, b) { a | b }
    v128_xor(a, b) { a ^ b }
    v128_bitselect(a, b, mask) { (a & mask) | (b & !mask) }
    i8x16_relaxed_laneselect(a, b, mask) { (a & mask) | (b & !mask) }
    i16x8_relaxed_laneselect(a, b, mask) { (a & mask) | (b & !mask) }
    i32x4_relaxed_laneselect(a, b, mask) { (a & mask) | (b & !mask) }
    i64x2_relaxed_laneselect(a, b, mask) { (a & mask) | (b & !mask) }
}

operators! {
    v128_any_true(a: V128) -> i32 { (a.to_u128() != 0) as i32 }
}
