//! Operators on `f32` and `f64`.
//!
//! Arithmetic and square root are machine instructions. [`Float`] implements rounding, `min` and `max` for scalars and vector
//! lanes, because baseline x86-64 has no instructions for them. The standard library's rounding is a call into libm there, and
//! its `min` and `max` treat zeros and NaNs differently from the specification.
//!
//! Sums and products use [`ordered`](super::ordered), so that of two NaN operands the first determines the result.
//!
//! # Rounding
//! With p bits of precision, every float of at least 2^(p-1) is an integer. Adding 2^(p-1) to a smaller magnitude therefore
//! rounds it to an integer, ties to even, and the subtraction of 2^(p-1) is exact. The other rounding directions correct that
//! result by one if it is on the wrong side of the operand. Copying the operand's sign gives a zero the right sign.

use super::ordered::{add_f32, add_f64, mul_f32, mul_f64};

/// Operations of both float types that have no machine instruction.
pub(super) trait Float: Copy {
    /// Returns the nearest integer, ties to even.
    fn round_nearest(self) -> Self;
    /// Returns the next integer towards minus infinity.
    fn round_down(self) -> Self;
    /// Returns the next integer towards plus infinity.
    fn round_up(self) -> Self;
    /// Returns the next integer towards zero.
    fn round_to_zero(self) -> Self;
    /// Returns the smaller operand, or the result of `nan` if an operand is a NaN. -0 is less than +0.
    fn minimum_of(self, other: Self, nan: impl FnOnce() -> Self) -> Self;
    /// Returns the larger operand, or the result of `nan` if an operand is a NaN. -0 is less than +0.
    fn maximum_of(self, other: Self, nan: impl FnOnce() -> Self) -> Self;
}

macro_rules! impl_float {
    ($float:ident, $bits:ident, $whole:ident, $round:ident) => {
        /// 2^(p-1): all floats of at least this magnitude are integers.
        const $whole: $float = ((1 as $bits) << ($float::MANTISSA_DIGITS - 1)) as $float;

        /// Rounds a magnitude to the nearest integer, ties to even. For large values and NaNs it adds 0, which makes a NaN
        /// quiet and needs no branch.
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

            // Equal operands differ at most in the sign of zero, so combining their bits selects the right zero.

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
