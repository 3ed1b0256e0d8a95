//! Vector operators: the SIMD tables of `core::op_table` expanded into handlers. Operands and results are in slots; a
//! `v128` takes two.

use wasmr_core::ops;
use wasmr_core::value::V128;

use super::dispatch::{Handler, handlers};
use super::operand::{Destination, Scalar, SlotD};

/// The vector in two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub unsafe fn read(slot: *mut u64) -> V128 {
    // SAFETY: the caller's promise; slots are plain bytes.
    V128(unsafe { slot.cast::<[u8; 16]>().read() })
}

/// Puts a vector into two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub unsafe fn write(slot: *mut u64, value: V128) {
    // SAFETY: the caller's promise.
    unsafe { slot.cast::<[u8; 16]>().write(value.0) }
}

/// A vector operator of `N` vector operands.
pub trait Lanes<const N: usize> {
    /// The meaning.
    fn apply(operands: [V128; N]) -> V128;
}

/// A vector operator with a scalar beside the vector, or instead of it.
pub trait Mixed {
    /// The scalar operand or result.
    type Scalar: Scalar;
    /// The meaning; `lane` is the cell's lane immediate.
    fn apply(vector: V128, scalar: Self::Scalar, lane: u8) -> V128;
}

/// A vector operator with a scalar result.
pub trait Reduce {
    /// The scalar result.
    type Scalar: Scalar;
    /// The meaning; `lane` is the cell's lane immediate.
    fn apply(vector: V128, lane: u8) -> Self::Scalar;
}

handlers! {
    fn unary[O: Lanes<1>](m) {
        write(m.d(), O::apply([read(m.a())]));
        m.next(2)
    }

    fn binary[O: Lanes<2>](m) {
        write(m.d(), O::apply([read(m.a()), read(m.b())]));
        m.next(2)
    }

    fn ternary[O: Lanes<3>](m) {
        write(m.d(), O::apply([read(m.a()), read(m.b()), read(m.x())]));
        m.next(2)
    }

    /// Vector in slot `a`, scalar in slot `b`, lane in the low bits of field `x`.
    fn mixed[O: Mixed](m) {
        let scalar = O::Scalar::from_slot(*m.b());
        write(m.d(), O::apply(read(m.a()), scalar, m.narrow(3) as u8));
        m.next(2)
    }

    /// Scalar in slot `a`.
    fn splat[O: Mixed](m) {
        let scalar = O::Scalar::from_slot(*m.a());
        write(m.d(), O::apply(V128::default(), scalar, 0));
        m.next(2)
    }

    /// Vector in slot `a`, lane in field `b`; the result is in the accumulator too.
    fn reduce[O: Reduce](m) {
        let value = O::apply(read(m.a()), m.narrow(2) as u8);
        SlotD::write(&mut m, value);
        m.next(2)
    }

    /// Lanes in words 2 and 3.
    fn shuffle[](m) {
        let lanes = V128::from_slots([m.word(2), m.word(3)]).0;
        write(m.d(), ops::i8x16_shuffle(read(m.a()), read(m.b()), lanes));
        m.next(4)
    }
}

/// Marker types of the rows, named as the operators.
#[allow(non_camel_case_types, reason = "a marker is named as its operator")]
mod markers {
    use super::*;

    macro_rules! unary_rows {
        ($($name:ident $op:ident $text:literal v128 -> v128;)*) => { $(
            pub struct $name;
            impl Lanes<1> for $name {
                #[inline(always)]
                fn apply([a]: [V128; 1]) -> V128 {
                    ops::$name(a)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_unary_op!(unary_rows);

    macro_rules! binary_rows {
        ($($name:ident $op:ident $text:literal v128 v128 -> v128;)*) => { $(
            pub struct $name;
            impl Lanes<2> for $name {
                #[inline(always)]
                fn apply([a, b]: [V128; 2]) -> V128 {
                    ops::$name(a, b)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_binary_op!(binary_rows);

    macro_rules! ternary_rows {
        ($($name:ident $op:ident $text:literal v128 v128 v128 -> v128;)*) => { $(
            pub struct $name;
            impl Lanes<3> for $name {
                #[inline(always)]
                fn apply([a, b, c]: [V128; 3]) -> V128 {
                    ops::$name(a, b, c)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_ternary_op!(ternary_rows);

    macro_rules! test_rows {
        ($($name:ident $op:ident $text:literal v128 -> i32;)*) => { $(
            pub struct $name;
            impl Reduce for $name {
                type Scalar = i32;
                #[inline(always)]
                fn apply(vector: V128, _: u8) -> i32 {
                    ops::$name(vector)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_test_op!(test_rows);

    macro_rules! shift_rows {
        ($($name:ident $op:ident $text:literal v128 i32 -> v128;)*) => { $(
            pub struct $name;
            impl Mixed for $name {
                type Scalar = i32;
                #[inline(always)]
                fn apply(vector: V128, scalar: i32, _: u8) -> V128 {
                    ops::$name(vector, scalar)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_shift_op!(shift_rows);

    macro_rules! splat_rows {
        ($($name:ident $op:ident $text:literal $a:ident -> v128;)*) => { $(
            pub struct $name;
            impl Mixed for $name {
                type Scalar = $a;
                #[inline(always)]
                fn apply(_: V128, scalar: $a, _: u8) -> V128 {
                    ops::$name(scalar)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_splat_op!(splat_rows);

    macro_rules! extract_rows {
        ($($name:ident $op:ident $text:literal v128 lane $lanes:literal -> $r:ident;)*) => { $(
            pub struct $name;
            impl Reduce for $name {
                type Scalar = $r;
                #[inline(always)]
                fn apply(vector: V128, lane: u8) -> $r {
                    ops::$name(vector, lane)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_extract_op!(extract_rows);

    macro_rules! replace_rows {
        ($($name:ident $op:ident $text:literal v128 $a:ident lane $lanes:literal -> v128;)*) => { $(
            pub struct $name;
            impl Mixed for $name {
                type Scalar = $a;
                #[inline(always)]
                fn apply(vector: V128, scalar: $a, lane: u8) -> V128 {
                    ops::$name(vector, scalar, lane)
                }
            }
        )* };
    }
    wasmr_core::for_each_simd_replace_op!(replace_rows);
}

macro_rules! unary_table {
    ($($name:ident $op:ident $text:literal v128 -> v128;)*) => {
        /// The vector operators of one vector, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdUnaryOp { $(#[doc = $text] $op,)* }

        impl SimdUnaryOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(unary::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_unary_op!(unary_table);

macro_rules! binary_table {
    ($($name:ident $op:ident $text:literal v128 v128 -> v128;)*) => {
        /// The vector operators of two vectors, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdBinaryOp { $(#[doc = $text] $op,)* }

        impl SimdBinaryOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(binary::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_binary_op!(binary_table);

macro_rules! ternary_table {
    ($($name:ident $op:ident $text:literal v128 v128 v128 -> v128;)*) => {
        /// The vector operators of three vectors, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdTernaryOp { $(#[doc = $text] $op,)* }

        impl SimdTernaryOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(ternary::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_ternary_op!(ternary_table);

macro_rules! test_table {
    ($($name:ident $op:ident $text:literal v128 -> i32;)*) => {
        /// The vector operators with an `i32` result, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdTestOp { $(#[doc = $text] $op,)* }

        impl SimdTestOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(reduce::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_test_op!(test_table);

macro_rules! shift_table {
    ($($name:ident $op:ident $text:literal v128 i32 -> v128;)*) => {
        /// The shifts of all lanes, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdShiftOp { $(#[doc = $text] $op,)* }

        impl SimdShiftOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(mixed::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_shift_op!(shift_table);

macro_rules! splat_table {
    ($($name:ident $op:ident $text:literal $a:ident -> v128;)*) => {
        /// The splats, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdSplatOp { $(#[doc = $text] $op,)* }

        impl SimdSplatOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(splat::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_splat_op!(splat_table);

macro_rules! extract_table {
    ($($name:ident $op:ident $text:literal v128 lane $lanes:literal -> $r:ident;)*) => {
        /// The extractions of a lane, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdExtractOp { $(#[doc = $text] $op,)* }

        impl SimdExtractOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(reduce::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_extract_op!(extract_table);

macro_rules! replace_table {
    ($($name:ident $op:ident $text:literal v128 $a:ident lane $lanes:literal -> v128;)*) => {
        /// The replacements of a lane, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SimdReplaceOp { $(#[doc = $text] $op,)* }

        impl SimdReplaceOp {
            /// Its handler.
            pub fn handler(self) -> Handler {
                static HANDLERS: &[Handler] = &[$(mixed::<markers::$name>,)*];
                HANDLERS[self as usize]
            }
        }
    };
}
wasmr_core::for_each_simd_replace_op!(replace_table);
