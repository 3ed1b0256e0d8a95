//! The meaning of each operator of the [table](crate::op::table): one pure function per row, all of them here by the row's name, as
//! in `ops::i32_add`. An operator that accesses memory has its [part that does not](self::memory).
//!
//! Operands come in and results go out as Rust values: `i32`, `i64`, `f32`, `f64`, [`V128`](crate::value::V128).
//! Unsigned operators reinterpret inside. An operator that can trap returns a `Result` with the
//! [`TrapCode`](crate::trap::TrapCode); nothing here panics, whatever the operands. Lane immediates are below the number
//! of lanes in every validated module; a larger one counts modulo that number.
//!
//! # NaN
//! Bit operations on floats (`abs`, `neg`, `copysign`, `reinterpret`, lane moves, `pmin`, `pmax`) keep every bit of a
//! NaN. All others return a NaN with its quiet bit set, canonical if the NaN operands were, which is what the spec
//! asks for. Where a function does not end in an arithmetic instruction that quiets its operand, it says how it does.
//!
//! On x86-64 the bits are settled, and every tier gives the same: the first operand that is a NaN, made quiet; a lane of the
//! vectors' `min` and `max` becomes the negative canonical NaN instead, and so does what is no number without a NaN operand,
//! as 0/0. On other processors they are whatever LLVM and the processor make of the operators.
//!
//! # Relaxed SIMD
//! Where the spec leaves a choice, every tier has to make the same one, or a program would change its results while
//! it runs. The choice is the spec's deterministic profile: the relaxed operator does what its strict relative does,
//! `madd` rounds twice, lane selection goes bit by bit, and the 7-bit operand of a dot product is signed.
//!
//! # Why no `const fn`
//! Float results that are computed while compiling may differ in their NaN bits from those of the machine.

/// Declares operators: `name(operands) -> result { body }` becomes a public inline function.
macro_rules! operators {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $result:ty $body:block)*) => {$(
        #[doc = concat!("`", stringify!($name), "`")]
        $(#[$meta])*
        #[inline]
        pub fn $name($($arg: $ty),*) -> $result $body
    )*};
}

mod convert;
mod float;
mod int;
pub mod memory;
pub mod ordered;
mod simd;

pub use convert::*;
pub use float::*;
pub use int::*;
pub use memory::*;
pub use simd::*;

#[cfg(test)]
mod scalar_tests;
#[cfg(test)]
mod simd_tests;
