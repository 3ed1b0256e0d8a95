//! Vector operators on integer lanes: arithmetic, comparisons, shifts, and tests of all lanes.
//!
//! A comparison sets a lane to all ones or all zeros. Shift counts are modulo the lane's width.

use super::widen::i8x16_narrow_i16x8_s;
use crate::ops::ordered::{signs_i8x16, signs_i32x4, signs_i64x2};
use crate::value::V128;

lanewise! { [i8; 16] -> i8:
    i8x16_add(a, b) { a.wrapping_add(b) }
    i8x16_sub(a, b) { a.wrapping_sub(b) }
    i8x16_neg(a) { a.wrapping_neg() }
    i8x16_abs(a) { a.wrapping_abs() }
    i8x16_min_s(a, b) { a.min(b) }
    i8x16_max_s(a, b) { a.max(b) }
    i8x16_add_sat_s(a, b) { a.saturating_add(b) }
    i8x16_sub_sat_s(a, b) { a.saturating_sub(b) }
    i8x16_eq(a, b) { -((a == b) as i8) }
    i8x16_ne(a, b) { -((a != b) as i8) }
    i8x16_lt_s(a, b) { -((a < b) as i8) }
    i8x16_gt_s(a, b) { -((a > b) as i8) }
    i8x16_le_s(a, b) { -((a <= b) as i8) }
    i8x16_ge_s(a, b) { -((a >= b) as i8) }
}

lanewise! { [u8; 16] -> u8:
    i8x16_min_u(a, b) { a.min(b) }
    i8x16_max_u(a, b) { a.max(b) }
    i8x16_add_sat_u(a, b) { a.saturating_add(b) }
    i8x16_sub_sat_u(a, b) { a.saturating_sub(b) }
    i8x16_avgr_u(a, b) { ((a as u32 + b as u32 + 1) >> 1) as u8 }
    i8x16_popcnt(a) { a.count_ones() as u8 }
}

lanewise! { [u8; 16] -> i8:
    i8x16_lt_u(a, b) { -((a < b) as i8) }
    i8x16_gt_u(a, b) { -((a > b) as i8) }
    i8x16_le_u(a, b) { -((a <= b) as i8) }
    i8x16_ge_u(a, b) { -((a >= b) as i8) }
}

lanewise! { [i16; 8] -> i16:
    i16x8_add(a, b) { a.wrapping_add(b) }
    i16x8_sub(a, b) { a.wrapping_sub(b) }
    i16x8_mul(a, b) { a.wrapping_mul(b) }
    i16x8_neg(a) { a.wrapping_neg() }
    i16x8_abs(a) { a.wrapping_abs() }
    i16x8_min_s(a, b) { a.min(b) }
    i16x8_max_s(a, b) { a.max(b) }
    i16x8_add_sat_s(a, b) { a.saturating_add(b) }
    i16x8_sub_sat_s(a, b) { a.saturating_sub(b) }
    i16x8_q15mulr_sat_s(a, b) { q15_product(a, b) }
    i16x8_relaxed_q15mulr_s(a, b) { q15_product(a, b) }
    i16x8_eq(a, b) { -((a == b) as i16) }
    i16x8_ne(a, b) { -((a != b) as i16) }
    i16x8_lt_s(a, b) { -((a < b) as i16) }
    i16x8_gt_s(a, b) { -((a > b) as i16) }
    i16x8_le_s(a, b) { -((a <= b) as i16) }
    i16x8_ge_s(a, b) { -((a >= b) as i16) }
}

lanewise! { [u16; 8] -> u16:
    i16x8_min_u(a, b) { a.min(b) }
    i16x8_max_u(a, b) { a.max(b) }
    i16x8_add_sat_u(a, b) { a.saturating_add(b) }
    i16x8_sub_sat_u(a, b) { a.saturating_sub(b) }
    i16x8_avgr_u(a, b) { ((a as u32 + b as u32 + 1) >> 1) as u16 }
}

lanewise! { [u16; 8] -> i16:
    i16x8_lt_u(a, b) { -((a < b) as i16) }
    i16x8_gt_u(a, b) { -((a > b) as i16) }
    i16x8_le_u(a, b) { -((a <= b) as i16) }
    i16x8_ge_u(a, b) { -((a >= b) as i16) }
}

lanewise! { [i32; 4] -> i32:
    i32x4_add(a, b) { a.wrapping_add(b) }
    i32x4_sub(a, b) { a.wrapping_sub(b) }
    i32x4_mul(a, b) { a.wrapping_mul(b) }
    i32x4_neg(a) { a.wrapping_neg() }
    i32x4_abs(a) { a.wrapping_abs() }
    i32x4_min_s(a, b) { a.min(b) }
    i32x4_max_s(a, b) { a.max(b) }
    i32x4_eq(a, b) { -((a == b) as i32) }
    i32x4_ne(a, b) { -((a != b) as i32) }
    i32x4_lt_s(a, b) { -((a < b) as i32) }
    i32x4_gt_s(a, b) { -((a > b) as i32) }
    i32x4_le_s(a, b) { -((a <= b) as i32) }
    i32x4_ge_s(a, b) { -((a >= b) as i32) }
}

lanewise! { [u32; 4] -> u32:
    i32x4_min_u(a, b) { a.min(b) }
    i32x4_max_u(a, b) { a.max(b) }
}

lanewise! { [u32; 4] -> i32:
    i32x4_lt_u(a, b) { -((a < b) as i32) }
    i32x4_gt_u(a, b) { -((a > b) as i32) }
    i32x4_le_u(a, b) { -((a <= b) as i32) }
    i32x4_ge_u(a, b) { -((a >= b) as i32) }
}

lanewise! { [i64; 2] -> i64:
    i64x2_add(a, b) { a.wrapping_add(b) }
    i64x2_sub(a, b) { a.wrapping_sub(b) }
    i64x2_mul(a, b) { a.wrapping_mul(b) }
    i64x2_neg(a) { a.wrapping_neg() }
    i64x2_abs(a) { a.wrapping_abs() }
    i64x2_eq(a, b) { -((a == b) as i64) }
    i64x2_ne(a, b) { -((a != b) as i64) }
    i64x2_lt_s(a, b) { -((a < b) as i64) }
    i64x2_gt_s(a, b) { -((a > b) as i64) }
    i64x2_le_s(a, b) { -((a <= b) as i64) }
    i64x2_ge_s(a, b) { -((a >= b) as i64) }
}

/// Returns the rounded product of two fixed-point numbers with 15 fraction bits
/// ([Q-format](https://webassembly.github.io/spec/core/exec/numerics.html#op-iq15mulrsat-s)). Only `MIN * MIN` saturates.
#[inline]
fn q15_product(a: i16, b: i16) -> i16 {
    ((a as i32 * b as i32 + 0x4000) >> 15).min(i16::MAX as i32) as i16
}

/// Declares operators that shift all lanes by one count.
macro_rules! shifts {
    ($($name:ident([$lane:ty; $count:literal]) $shift:ident;)*) => {
        operators! {$(
            $name(a: V128, count: i32) -> V128 {
                V128::from_lanes(a.lanes::<[$lane; $count]>().map(|lane| lane.$shift(count as u32)))
            }
        )*}
    };
}

shifts! {
    i8x16_shl([i8; 16]) wrapping_shl;
    i8x16_shr_s([i8; 16]) wrapping_shr;
    i8x16_shr_u([u8; 16]) wrapping_shr;
    i16x8_shl([i16; 8]) wrapping_shl;
    i16x8_shr_s([i16; 8]) wrapping_shr;
    i16x8_shr_u([u16; 8]) wrapping_shr;
    i32x4_shl([i32; 4]) wrapping_shl;
    i32x4_shr_s([i32; 4]) wrapping_shr;
    i32x4_shr_u([u32; 4]) wrapping_shr;
    i64x2_shl([i64; 2]) wrapping_shl;
    i64x2_shr_s([i64; 2]) wrapping_shr;
    i64x2_shr_u([u64; 2]) wrapping_shr;
}

/// Declares operators that return 1 if all lanes are non-zero, 0 otherwise.
macro_rules! all_true {
    ($($name:ident([$lane:ty; $count:literal]);)*) => {
        operators! {$(
            $name(a: V128) -> i32 {
                a.lanes::<[$lane; $count]>().iter().fold(true, |all, &lane| all & (lane != 0)) as i32
            }
        )*}
    };
}

all_true! {
    i8x16_all_true([i8; 16]);
    i16x8_all_true([i16; 8]);
    i32x4_all_true([i32; 4]);
    i64x2_all_true([i64; 2]);
}

operators! {
    i8x16_bitmask(a: V128) -> i32 { signs_i8x16(a) }
    i16x8_bitmask(a: V128) -> i32 { signs_i8x16(i8x16_narrow_i16x8_s(a, V128::default())) }
    i32x4_bitmask(a: V128) -> i32 { signs_i32x4(a) }
    i64x2_bitmask(a: V128) -> i32 { signs_i64x2(a) }
}
