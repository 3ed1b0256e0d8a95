//! Operators on `i32` and `i64`.
//!
//! Sums and products wrap, and shift and rotation counts are modulo the width. A division by zero traps, and so does the only
//! quotient that the type cannot represent, `MIN / -1`. The remainder of that division is 0. Spec: [integer
//! operations](https://webassembly.github.io/spec/core/exec/numerics.html#integer-operations).

use crate::trap::TrapCode;

operators! {
    i32_clz(a: i32) -> i32 { a.leading_zeros() as i32 }
    i32_ctz(a: i32) -> i32 { a.trailing_zeros() as i32 }
    i32_popcnt(a: i32) -> i32 { a.count_ones() as i32 }
    i32_extend8_s(a: i32) -> i32 { a as i8 as i32 }
    i32_extend16_s(a: i32) -> i32 { a as i16 as i32 }

    i32_add(a: i32, b: i32) -> i32 { a.wrapping_add(b) }
    i32_sub(a: i32, b: i32) -> i32 { a.wrapping_sub(b) }
    i32_mul(a: i32, b: i32) -> i32 { a.wrapping_mul(b) }
    i32_div_s(a: i32, b: i32) -> Result<i32, TrapCode> {
        if b == 0 {
            return Err(TrapCode::IntegerDivideByZero);
        }
        // Two plain tests, because LLVM's code for `checked_div` uses more registers than a handler has.
        if a == i32::MIN && b == -1 {
            return Err(TrapCode::IntegerOverflow);
        }
        Ok(a.wrapping_div(b))
    }
    i32_div_u(a: i32, b: i32) -> Result<i32, TrapCode> {
        (a as u32).checked_div(b as u32).map(|quotient| quotient as i32).ok_or(TrapCode::IntegerDivideByZero)
    }
    i32_rem_s(a: i32, b: i32) -> Result<i32, TrapCode> {
        if b == 0 { Err(TrapCode::IntegerDivideByZero) } else { Ok(a.wrapping_rem(b)) }
    }
    i32_rem_u(a: i32, b: i32) -> Result<i32, TrapCode> {
        (a as u32).checked_rem(b as u32).map(|remainder| remainder as i32).ok_or(TrapCode::IntegerDivideByZero)
    }
    i32_and(a: i32, b: i32) -> i32 { a & b }
    i32_or(a: i32, b: i32) -> i32 { a | b }
    i32_xor(a: i32, b: i32) -> i32 { a ^ b }
    i32_shl(a: i32, b: i32) -> i32 { a.wrapping_shl(b as u32) }
    i32_shr_s(a: i32, b: i32) -> i32 { a.wrapping_shr(b as u32) }
    i32_shr_u(a: i32, b: i32) -> i32 { (a as u32).wrapping_shr(b as u32) as i32 }
    i32_rotl(a: i32, b: i32) -> i32 { a.rotate_left(b as u32 % 32) }
    i32_rotr(a: i32, b: i32) -> i32 { a.rotate_right(b as u32 % 32) }

    i32_eqz(a: i32) -> bool { a == 0 }
    i32_eq(a: i32, b: i32) -> bool { a == b }
    i32_ne(a: i32, b: i32) -> bool { a != b }
    i32_lt_s(a: i32, b: i32) -> bool { a < b }
    i32_lt_u(a: i32, b: i32) -> bool { (a as u32) < b as u32 }
    i32_gt_s(a: i32, b: i32) -> bool { a > b }
    i32_gt_u(a: i32, b: i32) -> bool { a as u32 > b as u32 }
    i32_le_s(a: i32, b: i32) -> bool { a <= b }
    i32_le_u(a: i32, b: i32) -> bool { a as u32 <= b as u32 }
    i32_ge_s(a: i32, b: i32) -> bool { a >= b }
    i32_ge_u(a: i32, b: i32) -> bool { a as u32 >= b as u32 }
}

operators! {
    i64_clz(a: i64) -> i64 { a.leading_zeros() as i64 }
    i64_ctz(a: i64) -> i64 { a.trailing_zeros() as i64 }
    i64_popcnt(a: i64) -> i64 { a.count_ones() as i64 }
    i64_extend8_s(a: i64) -> i64 { a as i8 as i64 }
    i64_extend16_s(a: i64) -> i64 { a as i16 as i64 }
    i64_extend32_s(a: i64) -> i64 { a as i32 as i64 }

    i64_add(a: i64, b: i64) -> i64 { a.wrapping_add(b) }
    i64_sub(a: i64, b: i64) -> i64 { a.wrapping_sub(b) }
    i64_mul(a: i64, b: i64) -> i64 { a.wrapping_mul(b) }
    i64_div_s(a: i64, b: i64) -> Result<i64, TrapCode> {
        if b == 0 {
            return Err(TrapCode::IntegerDivideByZero);
        }
        // Two plain tests, because LLVM's code for `checked_div` uses more registers than a handler has.
        if a == i64::MIN && b == -1 {
            return Err(TrapCode::IntegerOverflow);
        }
        Ok(a.wrapping_div(b))
    }
    i64_div_u(a: i64, b: i64) -> Result<i64, TrapCode> {
        (a as u64).checked_div(b as u64).map(|quotient| quotient as i64).ok_or(TrapCode::IntegerDivideByZero)
    }
    i64_rem_s(a: i64, b: i64) -> Result<i64, TrapCode> {
        if b == 0 { Err(TrapCode::IntegerDivideByZero) } else { Ok(a.wrapping_rem(b)) }
    }
    i64_rem_u(a: i64, b: i64) -> Result<i64, TrapCode> {
        (a as u64).checked_rem(b as u64).map(|remainder| remainder as i64).ok_or(TrapCode::IntegerDivideByZero)
    }
    i64_and(a: i64, b: i64) -> i64 { a & b }
    i64_or(a: i64, b: i64) -> i64 { a | b }
    i64_xor(a: i64, b: i64) -> i64 { a ^ b }
    i64_shl(a: i64, b: i64) -> i64 { a.wrapping_shl(b as u32) }
    i64_shr_s(a: i64, b: i64) -> i64 { a.wrapping_shr(b as u32) }
    i64_shr_u(a: i64, b: i64) -> i64 { (a as u64).wrapping_shr(b as u32) as i64 }
    i64_rotl(a: i64, b: i64) -> i64 { a.rotate_left(b as u32 % 64) }
    i64_rotr(a: i64, b: i64) -> i64 { a.rotate_right(b as u32 % 64) }

    i64_eqz(a: i64) -> bool { a == 0 }
    i64_eq(a: i64, b: i64) -> bool { a == b }
    i64_ne(a: i64, b: i64) -> bool { a != b }
    i64_lt_s(a: i64, b: i64) -> bool { a < b }
    i64_lt_u(a: i64, b: i64) -> bool { (a as u64) < b as u64 }
    i64_gt_s(a: i64, b: i64) -> bool { a > b }
    i64_gt_u(a: i64, b: i64) -> bool { a as u64 > b as u64 }
    i64_le_s(a: i64, b: i64) -> bool { a <= b }
    i64_le_u(a: i64, b: i64) -> bool { a as u64 <= b as u64 }
    i64_ge_s(a: i64, b: i64) -> bool { a >= b }
    i64_ge_u(a: i64, b: i64) -> bool { a as u64 >= b as u64 }
}
