//! The operators on `f32` and `f64`.
//!
//! Arithmetic and square root are the machine's. Rounding and `min`/`max` are written out, in [`Float`], for scalars
//! and vector lanes alike, because baseline x86-64 has no instruction for either: what the standard library offers
//! there is a call into libm, and its `min`/`max` treat zeros and NaNs otherwise.
//!
//! Sums and products come from [`ordered`](super::ordered), so that the first of two NaNs is the result's.
//!
//! # How rounding works
//! Every float of at least 2^(p-1), where p is the precision, is an integer. Adding 2^(p-1) to a smaller magnitude
//! therefore rounds it to an integer, ties to even, and subtracting it again is exact. The other directions correct
//! that result by one where it went the wrong way. Copying the sign back makes a zero keep the operand's sign.

use super::ordered::{add_f32, add_f64, mul_f32, mul_f64};

/// The operations that both float types need and no single instruction gives.
pub(super) trait Float: Copy {
    /// The nearest integer, ties to even.
    fn round_nearest(self) -> Self;
    /// The next integer towards minus infinity.
    fn round_down(self) -> Self;
    /// The next integer towards plus infinity.
    fn round_up(self) -> Self;
    /// The next integer towards zero.
    fn round_to_zero(self) -> Self;
    /// The smaller; -0 is less than +0. `nan` is the result if an operand is a NaN.
    fn minimum_of(self, other: Self, nan: impl FnOnce() -> Self) -> Self;
    /// The larger; +0 is more than -0. `nan` is the result if an operand is a NaN.
    fn maximum_of(self, other: Self, nan: impl FnOnce() -> Self) -> Self;
}

macro_rules! impl_float {
    ($float:ident, $bits:ident, $whole:ident, $round:ident) => {
        /// From here on every value is an integer.
        const $whole: $float = ((1 as $bits) << ($float::MANTISSA_DIGITS - 1)) as $float;

        /// Rounds a magnitude to the nearest integer, ties to even. Where there is nothing to round it adds 0, which
        /// makes a NaN quiet and needs no branch.
        #[inline]
        fn $round(magnitude: $float) -> $float {
            let whole = if magnitude < $whole { $whole } else { 0.0 };
            (magnitude + whole) - whole
        }

        impl Float for $float {
            #[inline]
            fn round_nearest(self) -> $float {
                $round(self.abs()).copysign(self)
            }

            #[inline]
            fn round_down(self) -> $float {
                let nearest = self.round_nearest();
                nearest - if nearest > self { 1.0 } else { 0.0 }
            }

            #[inline]
            fn round_up(self) -> $float {
                -(-self).round_down()
            }

            #[inline]
            fn round_to_zero(self) -> $float {
                let nearest = $round(self.abs());
                (nearest - if nearest > self.abs() { 1.0 } else { 0.0 }).copysign(self)
            }

            // Equal operands differ in the sign of zero at most, so that their bits combine to the right zero.

            #[inline]
            fn minimum_of(self, other: $float, nan: impl FnOnce() -> $float) -> $float {
                let ordered = if self < other { self } else { other };
                let zero_aware =
                    if self == other { $float::from_bits(self.to_bits() | other.to_bits()) } else { ordered };
                if self.is_nan() || other.is_nan() { nan() } else { zero_aware }
            }

            #[inline]
            fn maximum_of(self, other: $float, nan: impl FnOnce() -> $float) -> $float {
                let ordered = if self > other { self } else { other };
                let zero_aware =
                    if self == other { $float::from_bits(self.to_bits() & other.to_bits()) } else { ordered };
                if self.is_nan() || other.is_nan() { nan() } else { zero_aware }
            }
        }
    };
}

impl_float!(f32, u32, WHOLE_F32, nearest_f32);
impl_float!(f64, u64, WHOLE_F64, nearest_f64);

operators! {
    f32_abs(a: f32) -> f32 { a.abs() }
    f32_neg(a: f32) -> f32 { -a }
    f32_ceil(a: f32) -> f32 { a.round_up() }
    f32_floor(a: f32) -> f32 { a.round_down() }
    f32_trunc(a: f32) -> f32 { a.round_to_zero() }
    f32_nearest(a: f32) -> f32 { a.round_nearest() }
    f32_sqrt(a: f32) -> f32 { a.sqrt() }

    f32_add(a: f32, b: f32) -> f32 { add_f32(a, b) }
    f32_sub(a: f32, b: f32) -> f32 { a - b }
    f32_mul(a: f32, b: f32) -> f32 { mul_f32(a, b) }
    f32_div(a: f32, b: f32) -> f32 { a / b }
    f32_min(a: f32, b: f32) -> f32 { a.minimum_of(b, || add_f32(a, b)) }
    f32_max(a: f32, b: f32) -> f32 { a.maximum_of(b, || add_f32(a, b)) }
    f32_copysign(a: f32, b: f32) -> f32 { a.copysign(b) }

    f32_eq(a: f32, b: f32) -> bool { a == b }
    f32_ne(a: f32, b: f32) -> bool { a != b }
    f32_lt(a: f32, b: f32) -> bool { a < b }
    f32_gt(a: f32, b: f32) -> bool { a > b }
    f32_le(a: f32, b: f32) -> bool { a <= b }
    f32_ge(a: f32, b: f32) -> bool { a >= b }
}

operators! {
    f64_abs(a: f64) -> f64 { a.abs() }
    f64_neg(a: f64) -> f64 { -a }
    f64_ceil(a: f64) -> f64 { a.round_up() }
    f64_floor(a: f64) -> f64 { a.round_down() }
    f64_trunc(a: f64) -> f64 { a.round_to_zero() }
    f64_nearest(a: f64) -> f64 { a.round_nearest() }
    f64_sqrt(a: f64) -> f64 { a.sqrt() }

    f64_add(a: f64, b: f64) -> f64 { add_f64(a, b) }
    f64_sub(a: f64, b: f64) -> f64 { a - b }
    f64_mul(a: f64, b: f64) -> f64 { mul_f64(a, b) }
    f64_div(a: f64, b: f64) -> f64 { a / b }
    f64_min(a: f64, b: f64) -> f64 { a.minimum_of(b, || add_f64(a, b)) }
    f64_max(a: f64, b: f64) -> f64 { a.maximum_of(b, || add_f64(a, b)) }
    f64_copysign(a: f64, b: f64) -> f64 { a.copysign(b) }

    f64_eq(a: f64, b: f64) -> bool { a == b }
    f64_ne(a: f64, b: f64) -> bool { a != b }
    f64_lt(a: f64, b: f64) -> bool { a < b }
    f64_gt(a: f64, b: f64) -> bool { a > b }
    f64_le(a: f64, b: f64) -> bool { a <= b }
    f64_ge(a: f64, b: f64) -> bool { a >= b }
}
