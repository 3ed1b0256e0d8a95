//! Sums and products whose NaN does not depend on the compiler: of two NaN operands the first one, made quiet.
//!
//! The instructions of x86-64 give just that, so nothing has to be compared. But LLVM takes `a + b` for the same as `b + a`,
//! and exchanges operands where it likes. So on x86-64 the instructions are named here. LLVM exchanges no operands of `-` and
//! `/`, which therefore need no function.
//!
//! Other processors have rules of their own. There these functions are Rust's operators, and which NaN comes out of two is left
//! to LLVM and the processor.

#![allow(unsafe_code, reason = "an instruction cannot be named otherwise; the rest of the crate has no such block")]

pub use machine::*;

#[cfg(target_arch = "x86_64")]
mod machine {
    use std::arch::asm;
    use std::arch::x86_64::{__m128d, __m128i};

    use crate::value::V128;

    macro_rules! scalar {
        ($($name:ident: $float:ty = $instruction:literal;)*) => {$(
            #[doc = concat!("`", $instruction, "`")]
            #[inline(always)]
            pub fn $name(mut a: $float, b: $float) -> $float {
                // SAFETY: the instruction, which every x86-64 processor has, reads and writes these registers only.
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
            #[doc = concat!("`", $instruction, "`")]
            #[inline(always)]
            pub fn $name(a: V128, b: V128) -> V128 {
                // SAFETY: the types are 16 plain bytes each, and the instruction, which every x86-64 processor has, reads and
                // writes these registers only.
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
        add_f32: f32 = "addss";
        add_f64: f64 = "addsd";
        mul_f32: f32 = "mulss";
        mul_f64: f64 = "mulsd";
    }

    // On a float in the low lane of a register, the rest of which stays as it was in `a`: for an interpreter that keeps its
    // accumulator in one. From an `f64` LLVM would have to make such a register each time. Hence differences and quotients, too.
    scalar! {
        add_low_f32: __m128d = "addss";
        add_low_f64: __m128d = "addsd";
        sub_low_f32: __m128d = "subss";
        sub_low_f64: __m128d = "subsd";
        mul_low_f32: __m128d = "mulss";
        mul_low_f64: __m128d = "mulsd";
        div_low_f32: __m128d = "divss";
        div_low_f64: __m128d = "divsd";
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

    macro_rules! operations {
        ($($scalar:ident, $vector:ident: [$float:ident; $count:literal] = $operator:tt;)*) => {$(
            #[doc = concat!("`", stringify!($operator), "`")]
            #[inline(always)]
            pub fn $scalar(a: $float, b: $float) -> $float {
                a $operator b
            }

            #[doc = concat!("`", stringify!($operator), "` on all lanes")]
            #[inline(always)]
            pub fn $vector(a: V128, b: V128) -> V128 {
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
