//! Edge cases of the scalar operators: traps, wrapping, saturation, rounding, zeros and NaNs.

use super::*;
use crate::trap::TrapCode::{IntegerDivideByZero, IntegerOverflow, InvalidConversionToInteger};
use std::hint::black_box;

const CANONICAL_F32: u32 = 0x7fc0_0000;
const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;
const SIGNALLING_F32: u32 = 0x7fa0_0001;
const SIGNALLING_F64: u64 = 0x7ff4_0000_0000_0001;

fn f32_bits(bits: u32) -> f32 {
    black_box(f32::from_bits(bits))
}

fn f64_bits(bits: u64) -> f64 {
    black_box(f64::from_bits(bits))
}

/// Returns 300,000 reproducible pseudo-random words (xorshift).
fn words() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..300_000).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

/// Returns numbers around zero, around halves, and around the magnitude at which floats have no fraction.
fn samples_f64() -> Vec<f64> {
    let mut samples = vec![0.0, f64::MIN_POSITIVE, f64::from_bits(1), f64::MAX, f64::INFINITY];
    for base in [0.5, 1.0, 1.5, 2.5, 3.5, 4_503_599_627_370_495.5, 4_503_599_627_370_496.0, 9_007_199_254_740_992.0] {
        samples.extend([base, f64::from_bits(f64::to_bits(base) - 1), f64::from_bits(f64::to_bits(base) + 1)]);
    }
    samples.extend(words().map(|word| {
        let exponent = 1023 - 3 + (word >> 52) % 60;
        f64::from_bits(exponent << 52 | word & ((1 << 52) - 1))
    }));
    samples.iter().flat_map(|&x| [x, -x]).collect()
}

fn samples_f32() -> Vec<f32> {
    let mut samples = vec![0.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::INFINITY];
    for base in [0.5, 1.0, 1.5, 2.5, 3.5, 8_388_607.5, 8_388_608.0, 16_777_216.0] {
        samples.extend([base, f32::from_bits(f32::to_bits(base) - 1), f32::from_bits(f32::to_bits(base) + 1)]);
    }
    samples.extend(words().map(|word| {
        let exponent = 127 - 3 + (word >> 40) as u32 % 32;
        f32::from_bits(exponent << 23 | word as u32 & ((1 << 23) - 1))
    }));
    samples.iter().flat_map(|&x| [x, -x]).collect()
}

#[test]
fn division_traps_by_zero_and_on_overflow() {
    assert_eq!(i32_div_s(7, 0), Err(IntegerDivideByZero));
    assert_eq!(i32_div_s(i32::MIN, -1), Err(IntegerOverflow));
    assert_eq!(i32_div_s(-7, 2), Ok(-3));
    assert_eq!(i32_div_u(i32::MIN, -1), Ok(0));
    assert_eq!(i32_div_u(-1, 2), Ok(i32::MAX));
    assert_eq!(i32_div_u(1, 0), Err(IntegerDivideByZero));
    assert_eq!(i32_rem_s(i32::MIN, -1), Ok(0));
    assert_eq!(i32_rem_s(-7, 2), Ok(-1));
    assert_eq!(i32_rem_s(7, -2), Ok(1));
    assert_eq!(i32_rem_s(7, 0), Err(IntegerDivideByZero));
    assert_eq!(i32_rem_u(-1, 10), Ok(5));
    assert_eq!(i32_rem_u(-1, 0), Err(IntegerDivideByZero));

    assert_eq!(i64_div_s(7, 0), Err(IntegerDivideByZero));
    assert_eq!(i64_div_s(i64::MIN, -1), Err(IntegerOverflow));
    assert_eq!(i64_div_s(i64::MIN, 1), Ok(i64::MIN));
    assert_eq!(i64_div_u(-1, 2), Ok(i64::MAX));
    assert_eq!(i64_div_u(1, 0), Err(IntegerDivideByZero));
    assert_eq!(i64_rem_s(i64::MIN, -1), Ok(0));
    assert_eq!(i64_rem_s(1, 0), Err(IntegerDivideByZero));
    assert_eq!(i64_rem_u(-1, 10), Ok(5));
    assert_eq!(i64_rem_u(-1, 0), Err(IntegerDivideByZero));
}

#[test]
fn shift_and_rotation_counts_wrap() {
    assert_eq!(i32_shl(1, 33), 2);
    assert_eq!(i32_shl(1, -1), i32::MIN);
    assert_eq!(i32_shr_s(i32::MIN, 63), -1);
    assert_eq!(i32_shr_u(i32::MIN, 63), 1);
    assert_eq!(i32_rotl(0x8000_0001_u32 as i32, 33), 3);
    assert_eq!(i32_rotr(1, 33), i32::MIN);
    assert_eq!(i32_rotl(5, 0), 5);
    assert_eq!(i64_shl(1, 65), 2);
    assert_eq!(i64_shl(1, 1 << 32), 1);
    assert_eq!(i64_shr_s(i64::MIN, 127), -1);
    assert_eq!(i64_shr_u(i64::MIN, -1), 1);
    assert_eq!(i64_rotl(i64::MIN | 1, 65), 3);
    assert_eq!(i64_rotr(1, 65), i64::MIN);
}

#[test]
fn bit_counts_and_extensions() {
    assert_eq!((i32_clz(0), i32_ctz(0), i32_popcnt(-1)), (32, 32, 32));
    assert_eq!((i64_clz(0), i64_ctz(0), i64_popcnt(-1)), (64, 64, 64));
    assert_eq!((i32_clz(1), i32_ctz(i32::MIN)), (31, 31));
    assert_eq!((i64_clz(1), i64_ctz(i64::MIN)), (63, 63));
    assert_eq!((i32_extend8_s(0x180), i32_extend16_s(0x1_8000)), (-128, -32768));
    assert_eq!((i64_extend8_s(0x17f), i64_extend16_s(0x1_7fff)), (127, 32767));
    assert_eq!(i64_extend32_s(0x1_8000_0000), i32::MIN as i64);
    assert_eq!(i64_extend_i32_u(-1), 0xffff_ffff);
    assert_eq!(i64_extend_i32_s(-1), -1);
    assert_eq!(i32_wrap_i64(0x1_ffff_ffff), -1);
}

#[test]
fn unsigned_comparisons_are_unsigned() {
    assert!(i32_lt_u(0, -1) && !i32_lt_s(0, -1) && i32_gt_u(-1, 0) && i32_ge_u(-1, 1) && i32_le_u(1, -1));
    assert!(i64_lt_u(0, -1) && !i64_lt_s(0, -1) && i64_gt_u(-1, 0) && i64_ge_u(-1, 1) && i64_le_u(1, -1));
}

#[test]
fn truncation_traps_at_its_exact_bounds() {
    assert_eq!(i32_trunc_f32_s(2_147_483_520.0), Ok(2_147_483_520));
    assert_eq!(i32_trunc_f32_s(2_147_483_648.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_s(-2_147_483_648.0), Ok(i32::MIN));
    assert_eq!(i32_trunc_f32_s((-2_147_483_648.0_f32).next_down()), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_u(-0.999_999_94), Ok(0));
    assert_eq!(i32_trunc_f32_u(-1.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_u(4_294_967_040.0), Ok(-256));
    assert_eq!(i32_trunc_f32_u(4_294_967_296.0), Err(IntegerOverflow));

    assert_eq!(i32_trunc_f64_s(2_147_483_647.999_999_8), Ok(i32::MAX));
    assert_eq!(i32_trunc_f64_s(2_147_483_648.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f64_s(-2_147_483_648.999_999_5), Ok(i32::MIN));
    assert_eq!(i32_trunc_f64_s(-2_147_483_649.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f64_u(4_294_967_295.999_999_5), Ok(-1));
    assert_eq!(i32_trunc_f64_u(4_294_967_296.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f64_u((-1.0_f64).next_up()), Ok(0));
    assert_eq!(i32_trunc_f64_u(-1.0), Err(IntegerOverflow));

    assert_eq!(i64_trunc_f32_s(-9_223_372_036_854_775_808.0), Ok(i64::MIN));
    assert_eq!(i64_trunc_f32_s((-9_223_372_036_854_775_808.0_f32).next_down()), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f32_s(9_223_372_036_854_775_808.0), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f32_u(18_446_742_974_197_923_840.0), Ok(-1_099_511_627_776));
    assert_eq!(i64_trunc_f32_u(18_446_744_073_709_551_616.0), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f64_s(-9_223_372_036_854_775_808.0), Ok(i64::MIN));
    assert_eq!(i64_trunc_f64_s((-9_223_372_036_854_775_808.0_f64).next_down()), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f64_s(9_223_372_036_854_774_784.0), Ok(9_223_372_036_854_774_784));
    assert_eq!(i64_trunc_f64_s(9_223_372_036_854_775_808.0), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f64_u(18_446_744_073_709_549_568.0), Ok(-2048));
    assert_eq!(i64_trunc_f64_u(18_446_744_073_709_551_616.0), Err(IntegerOverflow));

    assert_eq!(i32_trunc_f32_s(f32::NAN), Err(InvalidConversionToInteger));
    assert_eq!(i32_trunc_f64_u(-f64::NAN), Err(InvalidConversionToInteger));
    assert_eq!(i64_trunc_f32_u(f32_bits(SIGNALLING_F32)), Err(InvalidConversionToInteger));
    assert_eq!(i64_trunc_f64_s(f64::INFINITY), Err(IntegerOverflow));
}

#[test]
fn saturating_truncation() {
    assert_eq!(i32_trunc_sat_f32_s(f32::INFINITY), i32::MAX);
    assert_eq!(i32_trunc_sat_f32_s(f32::NEG_INFINITY), i32::MIN);
    assert_eq!(i32_trunc_sat_f32_s(f32::NAN), 0);
    assert_eq!(i32_trunc_sat_f32_u(-5.0), 0);
    assert_eq!(i32_trunc_sat_f64_u(5e9), -1);
    assert_eq!(i32_trunc_sat_f64_s(-1.9), -1);
    assert_eq!(i64_trunc_sat_f32_s(1e30), i64::MAX);
    assert_eq!(i64_trunc_sat_f32_u(1e30), -1);
    assert_eq!(i64_trunc_sat_f64_s(f64::NEG_INFINITY), i64::MIN);
    assert_eq!(i64_trunc_sat_f64_u(f64::NAN), 0);
}

#[test]
fn integers_become_floats_by_rounding_to_even() {
    assert_eq!(f32_convert_i32_s(16_777_217), 16_777_216.0);
    assert_eq!(f32_convert_i32_u(-1), 4_294_967_296.0);
    assert_eq!(f32_convert_i64_u(-1), 18_446_744_073_709_551_616.0);
    assert_eq!(f32_convert_i64_u(0x0000_4000_0040_0001), 70_368_752_566_272.0);
    assert_eq!(f64_convert_i64_s(9_007_199_254_740_993), 9_007_199_254_740_992.0);
    assert_eq!(f64_convert_i64_u(-1), 18_446_744_073_709_551_616.0);
    assert_eq!(f64_convert_i32_u(-1), 4_294_967_295.0);
}

#[test]
fn rounding_agrees_with_the_standard_library() {
    for x in samples_f64() {
        assert_eq!(f64_floor(x).to_bits(), x.floor().to_bits(), "floor {x:?}");
        assert_eq!(f64_ceil(x).to_bits(), x.ceil().to_bits(), "ceil {x:?}");
        assert_eq!(f64_trunc(x).to_bits(), x.trunc().to_bits(), "trunc {x:?}");
        assert_eq!(f64_nearest(x).to_bits(), x.round_ties_even().to_bits(), "nearest {x:?}");
    }
    for x in samples_f32() {
        assert_eq!(f32_floor(x).to_bits(), x.floor().to_bits(), "floor {x:?}");
        assert_eq!(f32_ceil(x).to_bits(), x.ceil().to_bits(), "ceil {x:?}");
        assert_eq!(f32_trunc(x).to_bits(), x.trunc().to_bits(), "trunc {x:?}");
        assert_eq!(f32_nearest(x).to_bits(), x.round_ties_even().to_bits(), "nearest {x:?}");
    }
}

#[test]
fn min_and_max_order_zeros() {
    assert_eq!(f32_min(0.0, -0.0).to_bits(), (-0.0_f32).to_bits());
    assert_eq!(f32_min(-0.0, 0.0).to_bits(), (-0.0_f32).to_bits());
    assert_eq!(f32_max(0.0, -0.0).to_bits(), 0);
    assert_eq!(f32_max(-0.0, 0.0).to_bits(), 0);
    assert_eq!(f64_min(0.0, -0.0).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(f64_max(-0.0, 0.0).to_bits(), 0);
    assert_eq!(f64_max(-0.0, -0.0).to_bits(), (-0.0_f64).to_bits());
    assert_eq!((f64_min(1.0, 2.0), f64_max(1.0, 2.0)), (1.0, 2.0));
    assert_eq!((f32_min(f32::INFINITY, -3.0), f32_max(f32::NEG_INFINITY, -3.0)), (-3.0, -3.0));
}

/// Tries both kinds of NaN with every operator: a canonical operand requires a canonical result, others an arithmetic one.
#[test]
fn arithmetic_makes_nans_quiet() {
    type Unary<F> = fn(F) -> F;
    type Binary<F> = fn(F, F) -> F;
    let unary_f32: [Unary<f32>; 5] = [f32_ceil, f32_floor, f32_trunc, f32_nearest, f32_sqrt];
    let binary_f32: [Binary<f32>; 6] = [f32_add, f32_sub, f32_mul, f32_div, f32_min, f32_max];
    let unary_f64: [Unary<f64>; 5] = [f64_ceil, f64_floor, f64_trunc, f64_nearest, f64_sqrt];
    let binary_f64: [Binary<f64>; 6] = [f64_add, f64_sub, f64_mul, f64_div, f64_min, f64_max];
    let magnitude_f32 = |x: f32| x.to_bits() & !(1 << 31);
    let magnitude_f64 = |x: f64| x.to_bits() & !(1 << 63);

    for op in unary_f32 {
        assert_eq!(magnitude_f32(op(f32_bits(CANONICAL_F32))), CANONICAL_F32);
        assert!(magnitude_f32(op(f32_bits(SIGNALLING_F32))) >= CANONICAL_F32);
    }
    for op in binary_f32 {
        for other in [1.0, 0.0, f32::INFINITY] {
            assert_eq!(magnitude_f32(op(f32_bits(CANONICAL_F32), other)), CANONICAL_F32);
            assert_eq!(magnitude_f32(op(other, f32_bits(CANONICAL_F32))), CANONICAL_F32);
            assert!(magnitude_f32(op(f32_bits(SIGNALLING_F32), other)) >= CANONICAL_F32);
            assert!(magnitude_f32(op(other, f32_bits(SIGNALLING_F32))) >= CANONICAL_F32);
        }
    }
    for op in unary_f64 {
        assert_eq!(magnitude_f64(op(f64_bits(CANONICAL_F64))), CANONICAL_F64);
        assert!(magnitude_f64(op(f64_bits(SIGNALLING_F64))) >= CANONICAL_F64);
    }
    for op in binary_f64 {
        for other in [1.0, 0.0, f64::INFINITY] {
            assert_eq!(magnitude_f64(op(f64_bits(CANONICAL_F64), other)), CANONICAL_F64);
            assert_eq!(magnitude_f64(op(other, f64_bits(CANONICAL_F64))), CANONICAL_F64);
            assert!(magnitude_f64(op(f64_bits(SIGNALLING_F64), other)) >= CANONICAL_F64);
            assert!(magnitude_f64(op(other, f64_bits(SIGNALLING_F64))) >= CANONICAL_F64);
        }
    }

    assert_eq!(magnitude_f32(f32_demote_f64(f64_bits(CANONICAL_F64))), CANONICAL_F32);
    assert!(magnitude_f32(f32_demote_f64(f64_bits(SIGNALLING_F64))) >= CANONICAL_F32);
    assert_eq!(magnitude_f64(f64_promote_f32(f32_bits(CANONICAL_F32))), CANONICAL_F64);
    assert!(magnitude_f64(f64_promote_f32(f32_bits(SIGNALLING_F32))) >= CANONICAL_F64);
    assert_eq!(magnitude_f64(f64_sqrt(black_box(-1.0))), CANONICAL_F64);
    assert_eq!(magnitude_f32(f32_div(black_box(0.0), 0.0)), CANONICAL_F32);
}

#[test]
fn bit_operations_keep_a_signalling_nan() {
    let (nan32, nan64) = (f32_bits(SIGNALLING_F32), f64_bits(SIGNALLING_F64));
    assert_eq!(f32_abs(f32_neg(nan32)).to_bits(), SIGNALLING_F32);
    assert_eq!(f32_neg(nan32).to_bits(), SIGNALLING_F32 | 1 << 31);
    assert_eq!(f32_copysign(nan32, -0.0).to_bits(), SIGNALLING_F32 | 1 << 31);
    assert_eq!(f64_abs(f64_neg(nan64)).to_bits(), SIGNALLING_F64);
    assert_eq!(f64_copysign(nan64, -1.0).to_bits(), SIGNALLING_F64 | 1 << 63);
    assert_eq!(i32_reinterpret_f32(f32_reinterpret_i32(SIGNALLING_F32 as i32)), SIGNALLING_F32 as i32);
    assert_eq!(i64_reinterpret_f64(f64_reinterpret_i64(SIGNALLING_F64 as i64)), SIGNALLING_F64 as i64);
}
