//! Edge cases of the vector operators: order of lanes, saturation, wrapping, rounding.

use super::*;
use crate::value::{Lanes, V128};

fn v<L: Lanes>(lanes: L) -> V128 {
    V128::from_lanes(lanes)
}

/// Returns the bytes 0, 1, 2, …
fn ramp() -> V128 {
    V128(std::array::from_fn(|i| i as u8))
}

const SIGNALLING: f32 = f32::from_bits(0x7fa0_0000);

#[test]
fn lanes_are_little_endian() {
    assert_eq!(v([0x0201_i16, 0x0403, 0x0605, 0x0807, 0x0a09, 0x0c0b, 0x0e0d, 0x100f]).0[..3], [1, 2, 3]);
    assert_eq!(ramp().lanes::<[u32; 4]>()[1], 0x0706_0504);
    assert_eq!(v([1.5_f64, -0.0]).lanes::<[f64; 2]>()[0], 1.5);
    assert_eq!(V128::from_slots(ramp().to_slots()), ramp());
    assert_eq!(ramp().to_slots()[0], 0x0706_0504_0302_0100);
}

#[test]
fn splat_extract_replace() {
    assert_eq!(i8x16_splat(0x1ff), V128([0xff; 16]));
    assert_eq!(i16x8_splat(0x1_8000).lanes::<[i16; 8]>(), [i16::MIN; 8]);
    assert_eq!(i8x16_extract_lane_s(V128([0x80; 16]), 15), -128);
    assert_eq!(i8x16_extract_lane_u(V128([0x80; 16]), 15), 128);
    assert_eq!(i16x8_extract_lane_s(i16x8_splat(-2), 7), -2);
    assert_eq!(i16x8_extract_lane_u(i16x8_splat(-2), 7), 0xfffe);
    assert_eq!(i64x2_extract_lane(i64x2_replace_lane(ramp(), -5, 1), 1), -5);
    assert_eq!(i8x16_replace_lane(V128::default(), 0x1234, 3).0[2..5], [0, 0x34, 0]);
    assert_eq!(f32x4_extract_lane(f32x4_replace_lane(ramp(), SIGNALLING, 2), 2).to_bits(), SIGNALLING.to_bits());
    assert_eq!(f32x4_splat(SIGNALLING).lanes::<[u32; 4]>(), [SIGNALLING.to_bits(); 4]);
}

#[test]
fn shuffle_and_swizzle() {
    let high = V128(std::array::from_fn(|i| 100 + i as u8));
    let picks = [0, 16, 15, 31, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22];
    assert_eq!(i8x16_shuffle(ramp(), high, picks).0, [0, 100, 15, 115, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105, 6, 106]);
    let picks = V128([15, 0, 16, 255, 128, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 31]);
    assert_eq!(i8x16_swizzle(high, picks).0, [115, 100, 0, 0, 0, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 0]);
    assert_eq!(i8x16_relaxed_swizzle(high, picks), i8x16_swizzle(high, picks));
}

#[test]
fn bitwise() {
    let (a, b) = (V128([0b1100; 16]), V128([0b1010; 16]));
    assert_eq!(v128_and(a, b), V128([0b1000; 16]));
    assert_eq!(v128_or(a, b), V128([0b1110; 16]));
    assert_eq!(v128_xor(a, b), V128([0b0110; 16]));
    assert_eq!(v128_andnot(a, b), V128([0b0100; 16]));
    assert_eq!(v128_not(a), V128([0b1111_0011; 16]));
    assert_eq!(v128_bitselect(a, b, V128([0xf8; 16])), V128([0b1010; 16]));
    assert_eq!(i64x2_relaxed_laneselect(a, b, V128([0x06; 16])), V128([0b1100; 16]));
}

#[test]
fn tests_of_all_lanes() {
    let zero = V128::default();
    assert_eq!(v128_any_true(zero), 0);
    assert_eq!(v128_any_true(i8x16_replace_lane(zero, 1, 13)), 1);
    assert_eq!(i8x16_all_true(ramp()), 0);
    assert_eq!(i16x8_all_true(ramp()), 1);
    assert_eq!(i32x4_all_true(i32x4_replace_lane(ramp(), 0, 3)), 0);
    assert_eq!(i64x2_all_true(v([1_i64 << 40, 1])), 1);

    for lane in 0..16 {
        assert_eq!(i8x16_bitmask(i8x16_replace_lane(V128([0x7f; 16]), -1, lane)), 1 << lane);
        assert_eq!(i8x16_bitmask(i8x16_replace_lane(V128([0xff; 16]), 0x7f, lane)), 0xffff & !(1 << lane));
    }
    for lane in 0..8 {
        assert_eq!(i16x8_bitmask(i16x8_replace_lane(i16x8_splat(0x7fff), -1, lane)), 1 << lane);
        assert_eq!(i16x8_bitmask(i16x8_replace_lane(i16x8_splat(-1), 0x7fff, lane)), 0xff & !(1 << lane));
    }
    assert_eq!(i32x4_bitmask(v([-1, 0, 1, i32::MIN])), 0b1001);
    assert_eq!(i64x2_bitmask(v([i64::MAX, -1])), 0b10);
}

#[test]
fn integer_lanes_wrap_and_saturate() {
    assert_eq!(i8x16_add(i8x16_splat(127), i8x16_splat(1)), i8x16_splat(-128));
    assert_eq!(i8x16_add_sat_s(i8x16_splat(127), i8x16_splat(1)), i8x16_splat(127));
    assert_eq!(i8x16_sub_sat_s(i8x16_splat(-128), i8x16_splat(1)), i8x16_splat(-128));
    assert_eq!(i8x16_add_sat_u(i8x16_splat(255), i8x16_splat(1)), i8x16_splat(255));
    assert_eq!(i8x16_sub_sat_u(i8x16_splat(0), i8x16_splat(1)), i8x16_splat(0));
    assert_eq!(i16x8_add_sat_s(i16x8_splat(32767), i16x8_splat(1)), i16x8_splat(32767));
    assert_eq!(i16x8_add_sat_u(i16x8_splat(-1), i16x8_splat(1)), i16x8_splat(-1));
    assert_eq!(i16x8_sub_sat_u(i16x8_splat(1), i16x8_splat(2)), i16x8_splat(0));
    assert_eq!(i16x8_mul(i16x8_splat(-32768), i16x8_splat(-1)), i16x8_splat(-32768));
    assert_eq!(i64x2_mul(i64x2_splat(1 << 40), i64x2_splat(1 << 30)), i64x2_splat(0));
    assert_eq!(i8x16_abs(i8x16_splat(-128)), i8x16_splat(-128));
    assert_eq!(i64x2_abs(i64x2_splat(-3)), i64x2_splat(3));
    assert_eq!(i32x4_neg(i32x4_splat(i32::MIN)), i32x4_splat(i32::MIN));
    assert_eq!(i8x16_min_u(i8x16_splat(-1), i8x16_splat(1)), i8x16_splat(1));
    assert_eq!(i8x16_min_s(i8x16_splat(-1), i8x16_splat(1)), i8x16_splat(-1));
    assert_eq!(i32x4_max_u(i32x4_splat(-1), i32x4_splat(1)), i32x4_splat(-1));
    assert_eq!(i16x8_max_s(i16x8_splat(-1), i16x8_splat(1)), i16x8_splat(1));
    assert_eq!(i8x16_avgr_u(i8x16_splat(255), i8x16_splat(254)), i8x16_splat(255));
    assert_eq!(i16x8_avgr_u(i16x8_splat(-1), i16x8_splat(-1)), i16x8_splat(-1));
    assert_eq!(i16x8_avgr_u(i16x8_splat(1), i16x8_splat(2)), i16x8_splat(2));
    assert_eq!(i8x16_popcnt(ramp()).0, [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4]);
    assert_eq!(i8x16_popcnt(V128([0xff; 16])), i8x16_splat(8));
}

#[test]
fn comparisons_make_masks() {
    let (ones, zeros) = (V128([0xff; 16]), V128::default());
    assert_eq!(i8x16_lt_u(i8x16_splat(1), i8x16_splat(-1)), ones);
    assert_eq!(i8x16_lt_s(i8x16_splat(1), i8x16_splat(-1)), zeros);
    assert_eq!(i32x4_ge_u(i32x4_splat(-1), i32x4_splat(1)), ones);
    assert_eq!(i64x2_gt_s(v([1_i64, -1]), v([0_i64, 0])), v([-1_i64, 0]));
    assert_eq!(i16x8_eq(ramp(), ramp()), ones);
    assert_eq!(i64x2_ne(ramp(), ramp()), zeros);
    assert_eq!(f32x4_ne(f32x4_splat(f32::NAN), f32x4_splat(f32::NAN)), ones);
    assert_eq!(f64x2_eq(f64x2_splat(0.0), f64x2_splat(-0.0)), ones);
    assert_eq!(f64x2_le(f64x2_splat(f64::NAN), f64x2_splat(1.0)), zeros);
}

#[test]
fn shift_counts_wrap_at_the_lane_width() {
    assert_eq!(i8x16_shl(i8x16_splat(0x81), 9), i8x16_splat(2));
    assert_eq!(i8x16_shr_s(i8x16_splat(0x80), 15), i8x16_splat(-1));
    assert_eq!(i8x16_shr_u(i8x16_splat(0x80), 15), i8x16_splat(1));
    assert_eq!(i16x8_shl(i16x8_splat(1), 17), i16x8_splat(2));
    assert_eq!(i16x8_shr_u(i16x8_splat(-1), -1), i16x8_splat(1));
    assert_eq!(i32x4_shr_s(i32x4_splat(i32::MIN), 63), i32x4_splat(-1));
    assert_eq!(i64x2_shr_u(i64x2_splat(-1), 127), i64x2_splat(1));
    assert_eq!(i64x2_shl(i64x2_splat(1), 64), i64x2_splat(1));
}

#[test]
fn narrowing_reads_signed_lanes() {
    let a = v([-32768_i16, -129, -1, 0, 1, 127, 128, 32767]);
    let b = i16x8_splat(300);
    assert_eq!(i8x16_narrow_i16x8_s(a, b).lanes::<[i8; 16]>()[..9], [-128, -128, -1, 0, 1, 127, 127, 127, 127]);
    assert_eq!(i8x16_narrow_i16x8_u(a, b).0[..9], [0, 0, 0, 0, 1, 127, 128, 255, 255]);
    let a = v([i32::MIN, -1, 65535, i32::MAX]);
    assert_eq!(i16x8_narrow_i32x4_s(a, a).lanes::<[i16; 8]>(), [-32768, -1, 32767, 32767, -32768, -1, 32767, 32767]);
    assert_eq!(i16x8_narrow_i32x4_u(a, a).lanes::<[u16; 8]>(), [0, 0, 65535, 65535, 0, 0, 65535, 65535]);
}

#[test]
fn widening() {
    let bytes = V128([255, 1, 2, 3, 4, 5, 6, 7, 128, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(i16x8_extend_low_i8x16_s(bytes).lanes::<[i16; 8]>()[..2], [-1, 1]);
    assert_eq!(i16x8_extend_low_i8x16_u(bytes).lanes::<[i16; 8]>()[..2], [255, 1]);
    assert_eq!(i16x8_extend_high_i8x16_s(bytes).lanes::<[i16; 8]>()[..2], [-128, 9]);
    assert_eq!(i16x8_extend_high_i8x16_u(bytes).lanes::<[i16; 8]>()[..2], [128, 9]);
    assert_eq!(i64x2_extend_high_i32x4_u(v([0, 0, -1, 5])).lanes::<[i64; 2]>(), [0xffff_ffff, 5]);

    assert_eq!(i16x8_extadd_pairwise_i8x16_s(bytes).lanes::<[i16; 8]>()[..5], [0, 5, 9, 13, -119]);
    assert_eq!(i16x8_extadd_pairwise_i8x16_u(V128([255; 16])), i16x8_splat(510));
    assert_eq!(i32x4_extadd_pairwise_i16x8_s(i16x8_splat(-32768)), i32x4_splat(-65536));
    assert_eq!(i32x4_extadd_pairwise_i16x8_u(i16x8_splat(-1)), i32x4_splat(131_070));

    assert_eq!(i16x8_extmul_low_i8x16_s(i8x16_splat(-128), i8x16_splat(-128)), i16x8_splat(16384));
    assert_eq!(i16x8_extmul_high_i8x16_u(V128([255; 16]), V128([255; 16])), i16x8_splat(65025));
    assert_eq!(i32x4_extmul_high_i16x8_u(i16x8_splat(-1), i16x8_splat(-1)), i32x4_splat(0xfffe_0001_u32 as i32));
    assert_eq!(i32x4_extmul_low_i16x8_s(i16x8_splat(-1), i16x8_splat(5)), i32x4_splat(-5));
    assert_eq!(
        i64x2_extmul_low_i32x4_u(i32x4_splat(-1), i32x4_splat(-1)),
        i64x2_splat(0xffff_fffe_0000_0001_u64 as i64)
    );
    assert_eq!(i64x2_extmul_high_i32x4_s(i32x4_splat(i32::MIN), i32x4_splat(i32::MIN)), i64x2_splat(1 << 62));

    assert_eq!(v128_load8x8_s(V128::from_u128(0x80)).lanes::<[i16; 8]>()[..2], [-128, 0]);
    assert_eq!(v128_load16x4_u(V128::from_u128(0xffff_0001)).lanes::<[u32; 4]>(), [1, 0xffff, 0, 0]);
    assert_eq!(v128_load32x2_s(V128::from_u128(0xffff_ffff_0000_0001)).lanes::<[i64; 2]>(), [1, -1]);
    assert_eq!(v128_load16_splat(0x8001).lanes::<[u16; 8]>(), [0x8001; 8]);
}

#[test]
fn fixed_point_and_dot_products() {
    assert_eq!(i16x8_q15mulr_sat_s(i16x8_splat(-32768), i16x8_splat(-32768)), i16x8_splat(32767));
    assert_eq!(i16x8_q15mulr_sat_s(i16x8_splat(16384), i16x8_splat(1)), i16x8_splat(1));
    assert_eq!(i16x8_q15mulr_sat_s(i16x8_splat(16383), i16x8_splat(1)), i16x8_splat(0));
    assert_eq!(i16x8_q15mulr_sat_s(i16x8_splat(-32768), i16x8_splat(32767)), i16x8_splat(-32767));

    let a = v([1_i16, 2, -3, 4, i16::MIN, i16::MIN, 0, 0]);
    let b = v([5_i16, 6, 7, -8, i16::MIN, i16::MIN, 9, 9]);
    assert_eq!(i32x4_dot_i16x8_s(a, b).lanes::<[i32; 4]>(), [17, -53, i32::MIN, 0]);

    let a = v([-128_i8, 127, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, -128, -128, -128, -128]);
    let b = v([127_i8, 127, 1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 127, 127, 127, 127]);
    assert_eq!(i16x8_relaxed_dot_i8x16_i7x16_s(a, b).lanes::<[i16; 8]>(), [-127, 3, 7, 11, 0, 0, -32512, -32512]);
    assert_eq!(
        i32x4_relaxed_dot_i8x16_i7x16_add_s(a, b, i32x4_splat(1000)).lanes::<[i32; 4]>(),
        [876, 1018, 1000, -64024]
    );
}

#[test]
fn float_lanes_round_and_order() {
    let x = v([-1.5_f32, 2.5, -0.25, f32::INFINITY]);
    assert_eq!(
        f32x4_nearest(x).lanes::<[f32; 4]>().map(f32::to_bits),
        [-2.0, 2.0, -0.0, f32::INFINITY].map(f32::to_bits)
    );
    assert_eq!(f32x4_ceil(x).lanes::<[f32; 4]>().map(f32::to_bits), [-1.0, 3.0, -0.0, f32::INFINITY].map(f32::to_bits));
    assert_eq!(
        f32x4_floor(x).lanes::<[f32; 4]>().map(f32::to_bits),
        [-2.0, 2.0, -1.0, f32::INFINITY].map(f32::to_bits)
    );
    assert_eq!(
        f32x4_trunc(x).lanes::<[f32; 4]>().map(f32::to_bits),
        [-1.0, 2.0, -0.0, f32::INFINITY].map(f32::to_bits)
    );
    assert_eq!(f64x2_trunc(v([-0.5, 1e300])), v([-0.0, 1e300]));
    assert_eq!(f64x2_min(v([0.0, 1.0]), v([-0.0, -1.0])), v([-0.0, -1.0]));
    assert_eq!(f64x2_max(v([-0.0, 1.0]), v([0.0, -1.0])), v([0.0, 1.0]));

    let quieted = |x: V128| x.lanes::<[u32; 4]>().iter().all(|bits| bits & 0x7fc0_0000 == 0x7fc0_0000);
    let signalling = std::hint::black_box(f32x4_splat(SIGNALLING));
    for op in [f32x4_ceil, f32x4_floor, f32x4_trunc, f32x4_nearest, f32x4_sqrt] {
        assert!(quieted(op(signalling)));
    }
    for op in [f32x4_min, f32x4_max, f32x4_add, f32x4_sub, f32x4_mul, f32x4_div, f32x4_relaxed_min, f32x4_relaxed_max] {
        assert!(quieted(op(signalling, f32x4_splat(1.0))) && quieted(op(f32x4_splat(1.0), signalling)));
    }
    assert_eq!(f32x4_neg(f32x4_abs(signalling)).lanes::<[u32; 4]>(), [SIGNALLING.to_bits() | 1 << 31; 4]);
}

#[test]
fn pseudo_minimum_returns_an_operand_unchanged() {
    assert_eq!(f32x4_pmin(f32x4_splat(SIGNALLING), f32x4_splat(1.0)), f32x4_splat(SIGNALLING));
    assert_eq!(f32x4_pmin(f32x4_splat(1.0), f32x4_splat(SIGNALLING)), f32x4_splat(1.0));
    assert_eq!(f64x2_pmin(f64x2_splat(0.0), f64x2_splat(-0.0)), f64x2_splat(0.0));
    assert_eq!(f64x2_pmax(f64x2_splat(-0.0), f64x2_splat(0.0)), f64x2_splat(-0.0));
    assert_eq!(f64x2_pmax(f64x2_splat(1.0), f64x2_splat(2.0)), f64x2_splat(2.0));
}

#[test]
fn relaxed_multiply_add_rounds_twice() {
    // A fused multiply-add, which does not round the product, would leave exactly 2^-46.
    let x = 1.0 + f32::EPSILON;
    let a = f32x4_splat(std::hint::black_box(x));
    assert_eq!(f32x4_relaxed_madd(a, a, f32x4_splat(-(x * x))), f32x4_splat(0.0));
    assert_eq!(f32x4_relaxed_nmadd(a, a, f32x4_splat(x * x)), f32x4_splat(0.0));
    assert_eq!(f64x2_relaxed_nmadd(f64x2_splat(2.0), f64x2_splat(3.0), f64x2_splat(10.0)), f64x2_splat(4.0));
}

#[test]
fn conversions_between_lanes() {
    let x = v([f32::NAN, -1.5, 3e9, -3e9]);
    assert_eq!(i32x4_trunc_sat_f32x4_s(x), v([0, -1, i32::MAX, i32::MIN]));
    assert_eq!(i32x4_trunc_sat_f32x4_u(x), v([0, 0, 3_000_000_000_u32, 0]));
    assert_eq!(i32x4_relaxed_trunc_f32x4_s(x), i32x4_trunc_sat_f32x4_s(x));
    assert_eq!(i32x4_relaxed_trunc_f32x4_u(x), i32x4_trunc_sat_f32x4_u(x));
    assert_eq!(i32x4_trunc_sat_f64x2_s_zero(v([1e10, f64::NAN])), v([i32::MAX, 0, 0, 0]));
    assert_eq!(i32x4_trunc_sat_f64x2_u_zero(v([1e10, -1.0])), v([u32::MAX, 0, 0, 0]));
    assert_eq!(f32x4_convert_i32x4_u(i32x4_splat(-1)), f32x4_splat(4_294_967_296.0));
    assert_eq!(f32x4_convert_i32x4_s(i32x4_splat(16_777_217)), f32x4_splat(16_777_216.0));
    assert_eq!(f64x2_convert_low_i32x4_s(v([-1, 2, 3, 4])), v([-1.0, 2.0]));
    assert_eq!(f64x2_convert_low_i32x4_u(v([-1, 2, 3, 4])), v([4_294_967_295.0, 2.0]));
    assert_eq!(f32x4_demote_f64x2_zero(v([0.5, 1e300])), v([0.5_f32, f32::INFINITY, 0.0, 0.0]));
    assert_eq!(f64x2_promote_low_f32x4(v([0.5_f32, -2.0, 9.0, 9.0])), v([0.5, -2.0]));
}
