//! The numeric operators, one row each; everything else expands these tables.
//!
//! A row is `function Operator "text" operands -> result;` where `function` is the operator's meaning in
//! [`ops`](crate::ops), `Operator` its name in the binary decoder's operator enum, `"text"` its spelling in the text
//! format. Rows of one table have one shape, so that a consumer's macro needs one pattern:
//!
//! | table | function shape |
//! |---|---|
//! | [`for_each_unary_op`](crate::for_each_unary_op) | `fn(A) -> R` |
//! | [`for_each_trapping_unary_op`](crate::for_each_trapping_unary_op) | `fn(A) -> Result<R, TrapCode>` |
//! | [`for_each_binary_op`](crate::for_each_binary_op) | `fn(A, A) -> A` |
//! | [`for_each_trapping_binary_op`](crate::for_each_trapping_binary_op) | `fn(A, A) -> Result<A, TrapCode>` |
//! | [`for_each_test_op`](crate::for_each_test_op) | `fn(A) -> bool`, 1 or 0 as `i32` |
//! | [`for_each_compare_op`](crate::for_each_compare_op) | `fn(A, A) -> bool`, 1 or 0 as `i32` |
//! | [`for_each_simd_unary_op`](crate::for_each_simd_unary_op) | `fn(V128) -> V128` |
//! | [`for_each_simd_binary_op`](crate::for_each_simd_binary_op) | `fn(V128, V128) -> V128` |
//! | [`for_each_simd_ternary_op`](crate::for_each_simd_ternary_op) | `fn(V128, V128, V128) -> V128` |
//! | [`for_each_simd_test_op`](crate::for_each_simd_test_op) | `fn(V128) -> i32` |
//! | [`for_each_simd_shift_op`](crate::for_each_simd_shift_op) | `fn(V128, i32) -> V128` |
//! | [`for_each_simd_splat_op`](crate::for_each_simd_splat_op) | `fn(A) -> V128` |
//! | [`for_each_simd_extract_op`](crate::for_each_simd_extract_op) | `fn(V128, u8) -> R`, lane immediate |
//! | [`for_each_simd_replace_op`](crate::for_each_simd_replace_op) | `fn(V128, A, u8) -> V128`, lane immediate |
//!
//! `Operator` names follow the spec's spelling in CamelCase, as wasmparser's `Operator` variants do.

/// Total binary operators: calls `$each! { rows }`.
#[macro_export]
macro_rules! for_each_binary_op {
    ($each:ident) => {
        $each! {
            i32_add  I32Add  "i32.add"  i32 i32 -> i32;
        }
    };
}
