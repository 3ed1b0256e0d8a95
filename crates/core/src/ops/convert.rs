//! Conversions between scalar types.
//!
//! Rust's `as` has the meaning of the specification for all conversions except trapping truncations. Integers wrap or extend.
//! Integers convert to floats by rounding to nearest, ties to even. Floats convert to integers by saturating truncation, which
//! maps NaN to 0. `promote` and `demote` are machine instructions, which make a NaN quiet. Spec:
//! [conversions](https://webassembly.github.io/spec/core/exec/numerics.html#conversions).

use crate::trap::TrapCode;

/// Declares trapping truncations. The operand must lie strictly between the bounds. These are the floats closest to the valid
/// range that truncate to an integer outside it.
macro_rules! trapping_truncations {
    ($($name:ident($float:ident) -> $int:ident as $signed:ident, $below:literal, $above:literal;)*) => {
        operators! {$(
            $name(a: $float) -> Result<$signed, TrapCode> {
                if a > $below && a < $above {
                    Ok(a as $int as $signed)
                } else if a.is_nan() {
                    Err(TrapCode::InvalidConversionToInteger)
                } else {
                    Err(TrapCode::IntegerOverflow)
                }
            }
        )*}
    };
}

trapping_truncations! {
    i32_trunc_f32_s(f32) -> i32 as i32, -2_147_483_904.0, 2_147_483_648.0;
    i32_trunc_f32_u(f32) -> u32 as i32, -1.0, 4_294_967_296.0;
    i32_trunc_f64_s(f64) -> i32 as i32, -2_147_483_649.0, 2_147_483_648.0;
    i32_trunc_f64_u(f64) -> u32 as i32, -1.0, 4_294_967_296.0;
    i64_trunc_f32_s(f32) -> i64 as i64, -9_223_373_136_366_403_584.0, 9_223_372_036_854_775_808.0;
    i64_trunc_f32_u(f32) -> u64 as i64, -1.0, 18_446_744_073_709_551_616.0;
    i64_trunc_f64_s(f64) -> i64 as i64, -9_223_372_036_854_777_856.0, 9_223_372_036_854_775_808.0;
    i64_trunc_f64_u(f64) -> u64 as i64, -1.0, 18_446_744_073_709_551_616.0;
}

operators! {
    i32_trunc_sat_f32_s(a: f32) -> i32 { a as i32 }
    i32_trunc_sat_f32_u(a: f32) -> i32 { a as u32 as i32 }
    i32_trunc_sat_f64_s(a: f64) -> i32 { a as i32 }
    i32_trunc_sat_f64_u(a: f64) -> i32 { a as u32 as i32 }
    i64_trunc_sat_f32_s(a: f32) -> i64 { a as i64 }
    i64_trunc_sat_f32_u(a: f32) -> i64 { a as u64 as i64 }
    i64_trunc_sat_f64_s(a: f64) -> i64 { a as i64 }
    i64_trunc_sat_f64_u(a: f64) -> i64 { a as u64 as i64 }

    i32_wrap_i64(a: i64) -> i32 { a as i32 }
    i64_extend_i32_s(a: i32) -> i64 { a as i64 }
    i64_extend_i32_u(a: i32) -> i64 { a as u32 as i64 }

    f32_convert_i32_s(a: i32) -> f32 { a as f32 }
    f32_convert_i32_u(a: i32) -> f32 { a as u32 as f32 }
    f32_convert_i64_s(a: i64) -> f32 { a as f32 }
    f32_convert_i64_u(a: i64) -> f32 { a as u64 as f32 }
    f64_convert_i32_s(a: i32) -> f64 { a as f64 }
    f64_convert_i32_u(a: i32) -> f64 { a as u32 as f64 }
    f64_convert_i64_s(a: i64) -> f64 { a as f64 }
    f64_convert_i64_u(a: i64) -> f64 { a as u64 as f64 }
    f32_demote_f64(a: f64) -> f32 { a as f32 }
    f64_promote_f32(a: f32) -> f64 { a as f64 }

    i32_reinterpret_f32(a: f32) -> i32 { a.to_bits() as i32 }
    i64_reinterpret_f64(a: f64) -> i64 { a.to_bits() as i64 }
    f32_reinterpret_i32(a: i32) -> f32 { f32::from_bits(a as u32) }
    f64_reinterpret_i64(a: i64) -> f64 { f64::from_bits(a as u64) }
}
