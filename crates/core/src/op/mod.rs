//! Numeric operators and memory accesses, as numbers and as types: the expansion of the operator table (`table.rs`).
//!
//! Each row of the table becomes
//!
//! - a variant of [`Op`], a number to store, compare and match on, with its [`OpInfo`];
//! - a *marker type* of the same name, for instance [`I32Add`]. It implements the trait of the row's *shape* (`shapes.rs`),
//!   which gives generic code the operator's meaning on values.
//!
//! [`Op::visit`] converts the number to the type: it calls the [`Visitor`] method of the operator's shape, with the marker type
//! as type argument. A tier can therefore write one generic function per shape and select its instance by number at run time.
//! `wasmr_module::op` converts operators of the binary format to `Op`s.

mod nan;
mod number;
mod shapes;
mod table;

use crate::ops;
use crate::trap::TrapCode;
use crate::value::V128 as v128;
pub use nan::Floats;
use number::for_each_shape;
pub use number::{Access, Op, OpInfo, Shape};
pub use shapes::{
    AtomicCmpxchg, AtomicInt, AtomicLoad, AtomicRmw, AtomicStore, Binary, Compare, ExtractLane, Load, LoadLane,
    MemoryInt, Number, ReplaceLane, Row, Scalar, Shift, Splat, Store, StoreLane, Unary, Value, VectorBinary,
    VectorLoad, VectorMemory, VectorStore, VectorTernary, VectorTest, VectorUnary,
};

/// The names of [`Low`](shapes::Low) types in the table.
#[allow(non_camel_case_types, reason = "lower case like the other types of the table")]
mod low {
    use super::shapes::Low;

    pub(super) type low4 = Low<4>;
    pub(super) type low8 = Low<8>;
    pub(super) type low16 = Low<16>;
}
use low::{low4, low8, low16};

/// Declares [`Visitor`] with one method for each shape.
macro_rules! visitor {
    ($($shape:ident $method:ident)*) => {
        /// Generic code for any operator, with one method per shape. [`Op::visit`] calls the method for the operator's shape.
        pub trait Visitor {
            /// The result of every method.
            type Result;
            $(
                #[doc = concat!("Handles an operator of shape [`", stringify!($shape), "`](trait@", stringify!($shape), ").")]
                fn $method<O: $shape>(self) -> Self::Result;
            )*
        }
    };
}
for_each_shape!(visitor);

/// The result of a scalar operator's function in [`ops`](crate::ops), with or without a trap.
trait Outcome<R> {
    fn outcome(self) -> Result<R, TrapCode>;
}

impl<R: Scalar> Outcome<R> for R {
    #[inline(always)]
    fn outcome(self) -> Result<R, TrapCode> {
        Ok(self)
    }
}

impl<R: Scalar> Outcome<R> for Result<R, TrapCode> {
    #[inline(always)]
    fn outcome(self) -> Result<R, TrapCode> {
        self
    }
}

impl Outcome<i32> for bool {
    #[inline(always)]
    fn outcome(self) -> Result<i32, TrapCode> {
        Ok(self as i32)
    }
}

/// Implements [`Row`] for a marker type, with the row's facts.
macro_rules! info {
    ($op:ident $text:literal $shape:ident ($($operand:ident)*) ($($result:ident)?) $(.$method:ident($value:expr))*) => {
        impl Row for $op {
            const OP: Op = Op::$op;
            const INFO: OpInfo =
                OpInfo::new($text, Shape::$shape, &[$(<$operand>::TYPE),*], info!(@option $(<$result>::TYPE)?))
                $(.$method($value))*;
        }
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
}

/// Implements [`Row`] and the trait of its shape for a marker type.
macro_rules! row {
    (unary $op:ident $text:literal $function:ident $a:ident -> $r:ident) => {
        info! { $op $text Unary ($a) ($r) }
        impl Unary for $op {
            type Operand = $a;
            type Result = $r;
            #[inline(always)]
            fn apply(a: $a) -> Result<$r, TrapCode> {
                ops::$function(a).outcome()
            }
        }
    };
    (binary $op:ident $text:literal $function:ident $a:ident $b:ident -> $r:ident) => {
        info! { $op $text Binary ($a $b) ($r) }
        impl Binary for $op {
            type Operand = $r;
            #[inline(always)]
            fn apply(a: $a, b: $b) -> Result<$r, TrapCode> {
                ops::$function(a, b).outcome()
            }
        }
    };
    (compare $op:ident $text:literal $function:ident $a:ident $b:ident -> $r:ident) => {
        info! { $op $text Compare ($a $b) ($r) }
        impl Compare for $op {
            type Operand = $a;
            #[inline(always)]
            fn apply(a: $a, b: $b) -> bool {
                ops::$function(a, b)
            }
        }
    };
    (vector_unary $op:ident $text:literal $function:ident v128 -> v128) => {
        info! { $op $text VectorUnary (v128) (v128) }
        impl VectorUnary for $op {
            #[inline(always)]
            fn apply(a: v128) -> v128 {
                ops::$function(a)
            }
        }
    };
    (vector_binary $op:ident $text:literal $function:ident v128 v128 -> v128) => {
        info! { $op $text VectorBinary (v128 v128) (v128) }
        impl VectorBinary for $op {
            #[inline(always)]
            fn apply(a: v128, b: v128) -> v128 {
                ops::$function(a, b)
            }
        }
    };
    (vector_ternary $op:ident $text:literal $function:ident v128 v128 v128 -> v128) => {
        info! { $op $text VectorTernary (v128 v128 v128) (v128) }
        impl VectorTernary for $op {
            #[inline(always)]
            fn apply(a: v128, b: v128, c: v128) -> v128 {
                ops::$function(a, b, c)
            }
        }
    };
    (vector_test $op:ident $text:literal $function:ident v128 -> i32) => {
        info! { $op $text VectorTest (v128) (i32) }
        impl VectorTest for $op {
            #[inline(always)]
            fn apply(a: v128) -> i32 {
                ops::$function(a)
            }
        }
    };
    (shift $op:ident $text:literal $function:ident v128 i32 -> v128) => {
        info! { $op $text Shift (v128 i32) (v128) }
        impl Shift for $op {
            #[inline(always)]
            fn apply(a: v128, count: i32) -> v128 {
                ops::$function(a, count)
            }
        }
    };
    (splat $op:ident $text:literal $function:ident $a:ident -> v128) => {
        info! { $op $text Splat ($a) (v128) }
        impl Splat for $op {
            type Operand = $a;
            #[inline(always)]
            fn apply(a: $a) -> v128 {
                ops::$function(a)
            }
        }
    };
    (extract_lane $op:ident $text:literal $function:ident v128 [$lanes:literal] -> $r:ident) => {
        info! { $op $text ExtractLane (v128) ($r) .lanes($lanes) }
        impl ExtractLane for $op {
            type Result = $r;
            #[inline(always)]
            fn apply(a: v128, lane: u8) -> $r {
                ops::$function(a, lane)
            }
        }
    };
    (replace_lane $op:ident $text:literal $function:ident v128 $a:ident [$lanes:literal] -> v128) => {
        info! { $op $text ReplaceLane (v128 $a) (v128) .lanes($lanes) }
        impl ReplaceLane for $op {
            type Operand = $a;
            #[inline(always)]
            fn apply(a: v128, new: $a, lane: u8) -> v128 {
                ops::$function(a, new, lane)
            }
        }
    };
    (load $op:ident $text:literal $function:ident $raw:ident -> $r:ident) => {
        info! { $op $text Load () ($r) .access($raw::ACCESS) }
        impl Load for $op {
            type Memory = $raw;
            type Result = $r;
            #[inline(always)]
            fn extend(raw: $raw) -> $r {
                ops::$function(raw)
            }
        }
    };
    (store $op:ident $text:literal $function:ident $a:ident -> $raw:ident) => {
        info! { $op $text Store ($a) () .access($raw::ACCESS) }
        impl Store for $op {
            type Operand = $a;
            type Memory = $raw;
            #[inline(always)]
            fn wrap(value: $a) -> $raw {
                ops::$function(value)
            }
        }
    };
    (vector_load $op:ident $text:literal $function:ident $raw:ident -> v128) => {
        info! { $op $text VectorLoad () (v128) .access(Access { bytes: $raw::BYTES, signed: false }) }
        impl VectorLoad for $op {
            type Memory = $raw;
            #[inline(always)]
            fn extend(raw: <$raw as VectorMemory>::Loaded) -> v128 {
                ops::$function(raw)
            }
        }
    };
    (vector_store $op:ident $text:literal $function:ident v128 -> v128) => {
        info! { $op $text VectorStore (v128) () .access(Access { bytes: 16, signed: false }) }
        impl VectorStore for $op {}
    };
    (load_lane $op:ident $text:literal $function:ident v128 $raw:ident [$lanes:literal] -> v128) => {
        info! { $op $text LoadLane (v128) (v128) .lanes($lanes) .access($raw::ACCESS) }
        impl LoadLane for $op {
            type Memory = $raw;
            #[inline(always)]
            fn replace(vector: v128, raw: $raw, lane: u8) -> v128 {
                ops::$function(vector, raw, lane)
            }
        }
    };
    (store_lane $op:ident $text:literal $function:ident v128 [$lanes:literal] -> $raw:ident) => {
        info! { $op $text StoreLane (v128) () .lanes($lanes) .access($raw::ACCESS) }
        impl StoreLane for $op {
            type Memory = $raw;
            #[inline(always)]
            fn extract(vector: v128, lane: u8) -> $raw {
                ops::$function(vector, lane)
            }
        }
    };
    (atomic_load $op:ident $text:literal $function:ident $raw:ident -> $r:ident) => {
        info! { $op $text AtomicLoad () ($r) .access($raw::ACCESS) }
        impl AtomicLoad for $op {
            type Memory = $raw;
            type Result = $r;
            #[inline(always)]
            fn apply(cell: &<$raw as AtomicInt>::Cell) -> $r {
                ops::$function(cell)
            }
        }
    };
    (atomic_store $op:ident $text:literal $function:ident $a:ident -> $raw:ident) => {
        info! { $op $text AtomicStore ($a) () .access($raw::ACCESS) }
        impl AtomicStore for $op {
            type Memory = $raw;
            type Operand = $a;
            #[inline(always)]
            fn apply(cell: &<$raw as AtomicInt>::Cell, value: $a) {
                ops::$function(cell, value)
            }
        }
    };
    (atomic_rmw $op:ident $text:literal $function:ident $raw:ident $a:ident -> $r:ident) => {
        info! { $op $text AtomicRmw ($a) ($r) .access($raw::ACCESS) }
        impl AtomicRmw for $op {
            type Memory = $raw;
            type Operand = $r;
            #[inline(always)]
            fn apply(cell: &<$raw as AtomicInt>::Cell, value: $r) -> $r {
                ops::$function(cell, value)
            }
        }
    };
    (atomic_cmpxchg $op:ident $text:literal $function:ident $raw:ident $a:ident $b:ident -> $r:ident) => {
        info! { $op $text AtomicCmpxchg ($a $b) ($r) .access($raw::ACCESS) }
        impl AtomicCmpxchg for $op {
            type Memory = $raw;
            type Operand = $r;
            #[inline(always)]
            fn apply(cell: &<$raw as AtomicInt>::Cell, expected: $r, replacement: $r) -> $r {
                ops::$function(cell, expected, replacement)
            }
        }
    };
}

/// Expands the table into marker types, facts and [`Op::visit`].
macro_rules! ops {
    ($($immediate:ident { $($shape:ident { $(
        $function:ident $op:ident $text:literal $($operand:ident)+ $([$lanes:literal])? -> $result:ident;
    )* })* })*) => {
        $($($(
            #[doc = concat!("`", $text, "`")]
            #[derive(Clone, Copy, Debug)]
            pub struct $op;
            row! { $shape $op $text $function $($operand)+ $([$lanes])? -> $result }
        )*)*)*

        static INFO: &[OpInfo] = &[$($($(<$op as Row>::INFO,)*)*)*];

        impl Op {
            /// Calls the method of `visitor` for the operator's shape, with its marker type.
            #[inline]
            pub fn visit<V: Visitor>(self, visitor: V) -> V::Result {
                match self {
                    $($($(Op::$op => visitor.$shape::<$op>(),)*)*)*
                }
            }
        }
    };
}
crate::for_each_op!(ops);

impl Op {
    /// Returns the facts of the operator's row.
    #[inline]
    pub fn info(self) -> &'static OpInfo {
        &INFO[self as usize]
    }

    /// Returns the shape of the operator's row.
    #[inline]
    pub fn shape(self) -> Shape {
        self.info().shape
    }
}

#[cfg(test)]
mod tests;
