//! `i64.add128`, `i64.sub128`, `i64.mul_wide_s`, `i64.mul_wide_u`: the [wide arithmetic
//! proposal](https://github.com/WebAssembly/wide-arithmetic). A 128-bit integer is two values, the low half first. The
//! instance argument is unused.

use crate::vm::VmInstance;

fn wide(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// `i64.add128`: returns the sum modulo 2^128.
pub(super) fn i64_add128(_: *mut VmInstance, a: u64, a_high: u64, b: u64, b_high: u64) -> u128 {
    wide(a, a_high).wrapping_add(wide(b, b_high))
}

/// `i64.sub128`: returns the difference modulo 2^128.
pub(super) fn i64_sub128(_: *mut VmInstance, a: u64, a_high: u64, b: u64, b_high: u64) -> u128 {
    wide(a, a_high).wrapping_sub(wide(b, b_high))
}

/// `i64.mul_wide_s`: returns the product of signed integers.
pub(super) fn i64_mul_wide_s(_: *mut VmInstance, a: u64, b: u64) -> u128 {
    (i128::from(a as i64) * i128::from(b as i64)) as u128
}

/// `i64.mul_wide_u`: returns the product of unsigned integers.
pub(super) fn i64_mul_wide_u(_: *mut VmInstance, a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}
