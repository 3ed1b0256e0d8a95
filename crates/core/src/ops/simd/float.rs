//! Vector operators on float lanes. Each lane is treated as the scalar operator of the same name treats its operands.
//!
//! `pmin` and `pmax` are comparisons, which hand on the bits of one operand.

use crate::ops::float::Float;
use crate::value::V128;

lanewise! { [f32; 4] -> f32:
    f32x4_abs(a) { a.abs() }
    f32x4_neg(a) { -a }
    f32x4_ceil(a) { a.round_up() }
    f32x4_floor(a) { a.round_down() }
    f32x4_trunc(a) { a.round_to_zero() }
    f32x4_nearest(a) { a.round_nearest() }
    f32x4_sqrt(a) { a.sqrt() }
    f32x4_add(a, b) { a + b }
    f32x4_sub(a, b) { a - b }
    f32x4_mul(a, b) { a * b }
    f32x4_div(a, b) { a / b }
    f32x4_min(a, b) { a.minimum_of(b) }
    f32x4_max(a, b) { a.maximum_of(b) }
    f32x4_pmin(a, b) { if b < a { b } else { a } }
    f32x4_pmax(a, b) { if a < b { b } else { a } }
    f32x4_relaxed_min(a, b) { a.minimum_of(b) }
    f32x4_relaxed_max(a, b) { a.maximum_of(b) }
    f32x4_relaxed_madd(a, b, c) { a * b + c }
    f32x4_relaxed_nmadd(a, b, c) { -a * b + c }
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
    f64x2_add(a, b) { a + b }
    f64x2_sub(a, b) { a - b }
    f64x2_mul(a, b) { a * b }
    f64x2_div(a, b) { a / b }
    f64x2_min(a, b) { a.minimum_of(b) }
    f64x2_max(a, b) { a.maximum_of(b) }
    f64x2_pmin(a, b) { if b < a { b } else { a } }
    f64x2_pmax(a, b) { if a < b { b } else { a } }
    f64x2_relaxed_min(a, b) { a.minimum_of(b) }
    f64x2_relaxed_max(a, b) { a.maximum_of(b) }
    f64x2_relaxed_madd(a, b, c) { a * b + c }
    f64x2_relaxed_nmadd(a, b, c) { -a * b + c }
}

lanewise! { [f64; 2] -> i64:
    f64x2_eq(a, b) { -((a == b) as i64) }
    f64x2_ne(a, b) { -((a != b) as i64) }
    f64x2_lt(a, b) { -((a < b) as i64) }
    f64x2_gt(a, b) { -((a > b) as i64) }
    f64x2_le(a, b) { -((a <= b) as i64) }
    f64x2_ge(a, b) { -((a >= b) as i64) }
}
