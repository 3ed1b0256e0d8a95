//! The meaning of each operator of the table in [`op`](crate::op): one pure function per row, named like the row, for instance
//! `ops::i32_add`. For a load or store, the function is the part that does not access memory; for an atomic access it is the whole
//! access to a cell that the caller found.
//!
//! Operands and results are the Rust types `i32`, `i64`, `f32`, `f64` and [`V128`](crate::value::V128). Unsigned operators
//! reinterpret their operands. An operator that can trap returns a `Result` with the [`TrapCode`](crate::trap::TrapCode). No
//! function panics, for any operands. In a validated module a lane immediate is less than the number of lanes; the functions
//! take larger ones modulo that number.
//!
//! Spec: [numerics](https://webassembly.github.io/spec/core/exec/numerics.html).
//!
//! # NaN
//! Bit operations on floats (`abs`, `neg`, `copysign`, `reinterpret`, lane moves, `pmin`, `pmax`) keep every bit of a
//! NaN. All others return a NaN with its quiet bit set, and a canonical one if all NaN operands are canonical, as
//! [NaN propagation](https://webassembly.github.io/spec/core/exec/numerics.html#nan-propagation) requires. Arithmetic
//! instructions set the quiet bit. A function that does not end in one documents how it sets that bit.
//!
//! On x86-64 all tiers return the same bits: those of the first NaN operand, made quiet. Two cases return the negative
//! canonical NaN instead: a lane of a vector `min` or `max` with a NaN operand, and an operation without NaN operands that has
//! no numeric result, like 0/0. On other processors LLVM and the processor determine the bits.
//!
//! If the embedder asks for canonical NaNs, a function of `nan.rs` follows each operator with a [NaN
//! result](crate::op::Op::nan_result), in every tier.
//!
//! # Relaxed SIMD
//! If the specification allows several results, all tiers must return the same one. Otherwise a program's results would change
//! at tier-up. wasmr follows the [deterministic
//! profile](https://webassembly.github.io/spec/core/appendix/profiles.html): a relaxed operator equals its strict counterpart,
//! `madd` rounds twice, lane selection selects bits, and the 7-bit operand of a dot product is signed.
//!
//! # Why no `const fn`
//! NaN bits of floats that the Rust compiler computes may differ from those of the machine.

/// Declares operators. `name(operands) -> result { body }` becomes a public inline function.
macro_rules! operators {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $result:ty $body:block)*) => {$(
        #[doc = concat!("`", stringify!($name), "`")]
        $(#[$meta])*
        #[inline]
        pub fn $name($($arg: $ty),*) -> $result $body
    )*};
}

mod atomic;
mod convert;
mod float;
mod int;
mod memory;
mod nan;
pub mod ordered;
mod simd;

pub use atomic::*;
pub use convert::*;
pub use float::*;
pub use int::*;
pub use memory::*;
pub use nan::*;
pub use simd::*;

#[cfg(test)]
mod scalar_tests;
#[cfg(test)]
mod simd_tests;
