//! Sums and products with a fixed NaN result on x86-64: of two NaN operands the first one, made quiet.
//!
//! The instructions of x86-64 have this result without a comparison. LLVM, however, treats `a + b` and `b + a` as equal and may
//! exchange the operands. Inline assembly prevents that. LLVM does not exchange the operands of `-` and `/`, which
//! therefore need no functions.
//!
//! On other processors these functions are Rust's operators. LLVM and the processor determine which of two NaNs results.
//!
//! Also the signs of lanes as bits of an integer, for which x86-64 has instructions that LLVM does not find in a loop.

#![allow(
    unsafe_code,
    reason = "inline assembly is the only way to choose an instruction; no other file of the crate needs it"
)]

#[cfg(target_arch = "x86_64")]
pub use machine::*;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use machine::*;

#[cfg(target_arch = "x86_64")]
mod machine {
    use std::arch::asm;
    use std::arch::x86_64::{__m128d, __m128i};

    use crate::value::V128;

    macro_rules! scalar {
        ($($vis:vis $name:ident: $float:ty = $instruction:literal;)*) => {$(
            #[doc = concat!("`", $instruction, "`")]
            #[inline(always)]
            $vis fn $name(mut a: $float, b: $float) -> $float {
                // SAFETY: every x86-64 processor has the instruction. It accesses these two registers only.
                unsafe {
                    asm!(
                        concat!($instruction, " {a}, {b}"),
                        a = inout(xmm_reg) a,
                        b = in(xmm_reg) b,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
                a
            }
        )*};
    }

    macro_rules! vector {
        ($($name:ident = $instruction:literal;)*) => {$(
            #[inline(always)]
            pub(crate) fn $name(a: V128, b: V128) -> V128 {
                // SAFETY: both types of each `transmute` are 16 bytes in which all bit patterns are valid. Every x86-64
                // processor has the instruction. It accesses these two registers only.
                unsafe {
                    let mut sum: __m128i = std::mem::transmute(a.0);
                    let b: __m128i = std::mem::transmute(b.0);
                    asm!(
                        concat!($instruction, " {a}, {b}"),
                        a = inout(xmm_reg) sum,
                        b = in(xmm_reg) b,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                    V128(std::mem::transmute::<__m128i, [u8; 16]>(sum))
                }
            }
        )*};
    }

    scalar! {
        pub(crate) add_f32: f32 = "addss";
        pub(crate) add_f64: f64 = "addsd";
        pub(crate) mul_f32: f32 = "mulss";
        pub(crate) mul_f64: f64 = "mulsd";
    }

    // Operators on the float in the low lane of a vector register; the rest of the result is that of `a`. The interpreter keeps
    // its accumulator in such a register. With an `f64` parameter LLVM would create the register anew for each operator, for
    // differences and quotients as well.
    scalar! {
        pub add_low_f32: __m128d = "addss";
        pub add_low_f64: __m128d = "addsd";
        pub sub_low_f32: __m128d = "subss";
        pub sub_low_f64: __m128d = "subsd";
        pub mul_low_f32: __m128d = "mulss";
        pub mul_low_f64: __m128d = "mulsd";
        pub div_low_f32: __m128d = "divss";
        pub div_low_f64: __m128d = "divsd";
    }

    macro_rules! signs {
        ($($name:ident = $instruction:literal;)*) => {$(
            #[inline(always)]
            pub(crate) fn $name(a: V128) -> i32 {
                let signs: i32;
                // SAFETY: both types of the `transmute` are 16 bytes in which all bit patterns are valid. Every x86-64 processor
                // has the instruction. It accesses these two registers only.
                unsafe {
                    asm!(
                        concat!($instruction, " {signs:e}, {a}"),
                        signs = lateout(reg) signs,
                        a = in(xmm_reg) std::mem::transmute::<[u8; 16], __m128i>(a.0),
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
                signs
            }
        )*};
    }

    signs! {
        signs_i8x16 = "pmovmskb";
        signs_i32x4 = "movmskps";
        signs_i64x2 = "movmskpd";
    }

    vector! {
        add_f32x4 = "addps";
        add_f64x2 = "addpd";
        mul_f32x4 = "mulps";
        mul_f64x2 = "mulpd";
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod machine {
    use std::array::from_fn;

    use crate::value::V128;

    macro_rules! signs {
        ($($name:ident: [$lane:ident; $count:literal];)*) => {$(
            #[inline(always)]
            pub(crate) fn $name(a: V128) -> i32 {
                a.lanes::<[$lane; $count]>().iter().rev().fold(0, |signs, &lane| signs << 1 | (lane < 0) as i32)
            }
        )*};
    }

    signs! {
        signs_i8x16: [i8; 16];
        signs_i32x4: [i32; 4];
        signs_i64x2: [i64; 2];
    }

    macro_rules! operations {
        ($($scalar:ident, $vector:ident: [$float:ident; $count:literal] = $operator:tt;)*) => {$(
            #[inline(always)]
            pub(crate) fn $scalar(a: $float, b: $float) -> $float {
                a $operator b
            }

            #[inline(always)]
            pub(crate) fn $vector(a: V128, b: V128) -> V128 {
                let (a, b) = (a.lanes::<[$float; $count]>(), b.lanes::<[$float; $count]>());
                V128::from_lanes::<[$float; $count]>(from_fn(|lane| a[lane] $operator b[lane]))
            }
        )*};
    }

    operations! {
        add_f32, add_f32x4: [f32; 4] = +;
        add_f64, add_f64x2: [f64; 2] = +;
        mul_f32, mul_f32x4: [f32; 4] = *;
        mul_f64, mul_f64x2: [f64; 2] = *;
    }
}
