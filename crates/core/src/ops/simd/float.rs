//! Vector operators on float lanes. Each lane has the result of the scalar operator with the same name.
//!
//! `pmin` and `pmax` compare and return one operand unchanged. `min` and `max` treat numbers like the scalar operators, but a
//! lane with a NaN operand becomes [`NAN_F32`] or [`NAN_F64`]. Compiled code would need more instructions to find the NaN
//! operand.

use crate::ops::float::Float;
use crate::ops::ordered::{add_f32x4, add_f64x2, mul_f32x4, mul_f64x2};
use crate::value::V128;

/// Result lane of `f32x4.min` and `f32x4.max` if an operand lane is a NaN.
const NAN_F32: f32 = f32::from_bits(0xffc0_0000);
/// Result lane of `f64x2.min` and `f64x2.max` if an operand lane is a NaN.
const NAN_F64: f64 = f64::from_bits(0xfff8_0000_0000_0000);

lanewise! { [f32; 4] -> f32:
    f32x4_abs(a) { a.abs() }
    f32x4_neg(a) { -a }
    f32x4_ceil(a) { a.round_up() }
    f32x4_floor(a) { a.round_down() }
    f32x4_trunc(a) { a.round_to_zero() }
    f32x4_nearest(a) { a.round_nearest() }
    f32x4_sqrt(a) { a.sqrt() }
    f32x4_sub(a, b) { a - b }
    f32x4_div(a, b) { a / b }
    f32x4_min(a, b) { a.minimum_of(b, || NAN_F32) }
    f32x4_max(a, b) { a.maximum_of(b, || NAN_F32) }
    f32x4_pmin(a, b) { if b < a { b } else { a } }
    f32x4_pmax(a, b) { if a < b { b } else { a } }
    f32x4_relaxed_min(a, b) { a.minimum_of(b, || NAN_F32) }
    f32x4_relaxed_max(a, b) { a.maximum_of(b, || NAN_F32) }
}

lanewise! { [f32; 4] -> i32:
    f32x4_eq(a, b) { -((a == b) as i32) }
    f32x4_ne(a, b) { -((a != b) as i32) }
    f32x4_lt(a, b) { -((a < b) as i32) }
    f32x4_gt(a, b) { -((a > b) as i32) }
    f32x4_le(a, b) { -((a <= b) as i32) }
    f32x4_ge(a, b) { -((a >= b) as i32) }
}

lanewise! { [f64; 2] -> f64:
    f64x2_abs(a) { a.abs() }
    f64x2_neg(a) { -a }
    f64x2_ceil(a) { a.round_up() }
    f64x2_floor(a) { a.round_down() }
    f64x2_trunc(a) { a.round_to_zero() }
    f64x2_nearest(a) { a.round_nearest() }
    f64x2_sqrt(a) { a.sqrt() }
    f64x2_sub(a, b) { a - b }
    f64x2_div(a, b) { a / b }
    f64x2_min(a, b) { a.minimum_of(b, || NAN_F64) }
    f64x2_max(a, b) { a.maximum_of(b, || NAN_F64) }
    f64x2_pmin(a, b) { if b < a { b } else { a } }
    f64x2_pmax(a, b) { if a < b { b } else { a } }
    f64x2_relaxed_min(a, b) { a.minimum_of(b, || NAN_F64) }
    f64x2_relaxed_max(a, b) { a.maximum_of(b, || NAN_F64) }
}

lanewise! { [f64; 2] -> i64:
    f64x2_eq(a, b) { -((a == b) as i64) }
    f64x2_ne(a, b) { -((a != b) as i64) }
    f64x2_lt(a, b) { -((a < b) as i64) }
    f64x2_gt(a, b) { -((a > b) as i64) }
    f64x2_le(a, b) { -((a <= b) as i64) }
    f64x2_ge(a, b) { -((a >= b) as i64) }
}

operators! {
    f32x4_add(a: V128, b: V128) -> V128 { add_f32x4(a, b) }
    f32x4_mul(a: V128, b: V128) -> V128 { mul_f32x4(a, b) }
    f32x4_relaxed_madd(a: V128, b: V128, c: V128) -> V128 { add_f32x4(mul_f32x4(a, b), c) }
    f32x4_relaxed_nmadd(a: V128, b: V128, c: V128) -> V128 { f32x4_relaxed_madd(f32x4_neg(a), b, c) }
    f64x2_add(a: V128, b: V128) -> V128 { add_f64x2(a, b) }
    f64x2_mul(a: V128, b: V128) -> V128 { mul_f64x2(a, b) }
    f64x2_relaxed_madd(a: V128, b: V128, c: V128) -> V128 { add_f64x2(mul_f64x2(a, b), c) }
    f64x2_relaxed_nmadd(a: V128, b: V128, c: V128) -> V128 { f64x2_relaxed_madd(f64x2_neg(a), b, c) }
}
