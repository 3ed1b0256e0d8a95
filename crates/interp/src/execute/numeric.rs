//! Scalar numeric operators: the tables of `core::op_table` expanded into handlers, one per operator and operand form.
//!
//! The meaning of an operator is the function in [`wasmr_core::ops`]; here stand only the shapes. [`BinaryOp`],
//! [`CompareOp`] and [`UnaryOp`] number the rows of the tables; the translator picks a handler by row and form.

use wasmr_core::ops;
use wasmr_core::trap::TrapCode;

use super::dispatch::{FloatAcc, Handler, handlers};
use super::operand::{Acc, Destination, Imm, ImmA, Scalar, SlotA, SlotB, SlotD, Source, Wide};

/// An operator of two operands of one type.
pub trait Binary {
    /// Operand type.
    type Operand: Scalar;
    /// Result type.
    type Result: Scalar;
    /// The same on the low lanes of float registers, if there is an instruction for it: so the accumulator stays where it is, and
    /// LLVM exchanges no operands.
    const IN_PLACE: Option<InPlace> = None;
    /// The meaning.
    fn apply(a: Self::Operand, b: Self::Operand) -> Result<Self::Result, TrapCode>;
}

/// An operation on the low lanes of float registers.
pub type InPlace = fn(FloatAcc, FloatAcc) -> FloatAcc;

#[cfg(target_arch = "x86_64")]
const fn in_place(op: BinaryOp) -> Option<InPlace> {
    match op {
        BinaryOp::F32Add => Some(ops::ordered::add_low_f32),
        BinaryOp::F32Sub => Some(ops::ordered::sub_low_f32),
        BinaryOp::F32Mul => Some(ops::ordered::mul_low_f32),
        BinaryOp::F32Div => Some(ops::ordered::div_low_f32),
        BinaryOp::F64Add => Some(ops::ordered::add_low_f64),
        BinaryOp::F64Sub => Some(ops::ordered::sub_low_f64),
        BinaryOp::F64Mul => Some(ops::ordered::mul_low_f64),
        BinaryOp::F64Div => Some(ops::ordered::div_low_f64),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
const fn in_place(_: BinaryOp) -> Option<InPlace> {
    None
}

/// A comparison.
pub trait Compare {
    /// Operand type.
    type Operand: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand, b: Self::Operand) -> bool;
}

/// An operator of one operand.
pub trait Unary {
    /// Operand type.
    type Operand: Scalar;
    /// Result type.
    type Result: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand) -> Result<Self::Result, TrapCode>;
}

handlers! {
    fn binary[O: Binary, X: Source, Y: Source, D: Destination](m) {
        if let Some(operation) = O::IN_PLACE {
            let value = operation(X::read_wide::<O::Operand>(&m), Y::read_wide::<O::Operand>(&m));
            D::write_wide::<O::Result>(&mut m, value);
            return m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>());
        }
        match O::apply(X::read(&m), Y::read(&m)) {
            Ok(value) => {
                D::write(&mut m, value);
                m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
            }
            Err(code) => m.trap(code),
        }
    }

    fn compare[O: Compare, X: Source, Y: Source, D: Destination](m) {
        let value = O::apply(X::read(&m), Y::read(&m)) as i32;
        D::write(&mut m, value);
        m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
    }

    fn unary[O: Unary, X: Source, D: Destination](m) {
        match O::apply(X::read(&m)) {
            Ok(value) => {
                D::write(&mut m, value);
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    /// Branches if the comparison gives `WANTED`.
    fn branch_compare[O: Compare, X: Source, Y: Source, const WANTED: bool](m) {
        if O::apply(X::read(&m), Y::read(&m)) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
        }
    }
}

/// Index of the destination form in a table row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dst {
    /// The accumulator only.
    Acc = 0,
    /// The slot `d` and the accumulator.
    Slot = 1,
}

/// Index of the operand form in a row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Slots `a`, `b`.
    SlotSlot = 0,
    /// Slot `a`, constant.
    SlotImm = 1,
    /// Accumulator, slot `b`.
    AccSlot = 2,
    /// Accumulator, constant.
    AccImm = 3,
    /// Slot `a`, accumulator.
    SlotAcc = 4,
    /// Constant, slot `a`.
    ImmSlot = 5,
    /// Slot `a`, constant in word 2.
    SlotWide = 6,
    /// Accumulator, constant in word 2.
    AccWide = 7,
}

impl Form {
    /// Index in the rows of comparisons, which have no forms with the accumulator or a constant on the left.
    fn compare_index(self) -> usize {
        match self {
            Form::SlotWide => 4,
            Form::AccWide => 5,
            other => other as usize,
        }
    }
}

type BinaryRow = [[Handler; 2]; 8];
type CompareRow = [[Handler; 2]; 6];
type BranchRow = [[Handler; 2]; 6];
type UnaryRow = [[Handler; 2]; 2];

const fn binary_row<O: Binary>() -> BinaryRow {
    [
        [binary::<O, SlotA, SlotB, Acc>, binary::<O, SlotA, SlotB, SlotD>],
        [binary::<O, SlotA, Imm, Acc>, binary::<O, SlotA, Imm, SlotD>],
        [binary::<O, Acc, SlotB, Acc>, binary::<O, Acc, SlotB, SlotD>],
        [binary::<O, Acc, Imm, Acc>, binary::<O, Acc, Imm, SlotD>],
        [binary::<O, SlotA, Acc, Acc>, binary::<O, SlotA, Acc, SlotD>],
        [binary::<O, Imm, SlotA, Acc>, binary::<O, Imm, SlotA, SlotD>],
        [binary::<O, SlotA, Wide, Acc>, binary::<O, SlotA, Wide, SlotD>],
        [binary::<O, Acc, Wide, Acc>, binary::<O, Acc, Wide, SlotD>],
    ]
}

const fn compare_row<O: Compare>() -> CompareRow {
    [
        [compare::<O, SlotA, SlotB, Acc>, compare::<O, SlotA, SlotB, SlotD>],
        [compare::<O, SlotA, Imm, Acc>, compare::<O, SlotA, Imm, SlotD>],
        [compare::<O, Acc, SlotB, Acc>, compare::<O, Acc, SlotB, SlotD>],
        [compare::<O, Acc, Imm, Acc>, compare::<O, Acc, Imm, SlotD>],
        [compare::<O, SlotA, Wide, Acc>, compare::<O, SlotA, Wide, SlotD>],
        [compare::<O, Acc, Wide, Acc>, compare::<O, Acc, Wide, SlotD>],
    ]
}

const fn branch_row<O: Compare>() -> BranchRow {
    [
        [branch_compare::<O, SlotD, SlotA, false>, branch_compare::<O, SlotD, SlotA, true>],
        [branch_compare::<O, SlotD, ImmA, false>, branch_compare::<O, SlotD, ImmA, true>],
        [branch_compare::<O, Acc, SlotA, false>, branch_compare::<O, Acc, SlotA, true>],
        [branch_compare::<O, Acc, ImmA, false>, branch_compare::<O, Acc, ImmA, true>],
        [branch_compare::<O, SlotD, Wide, false>, branch_compare::<O, SlotD, Wide, true>],
        [branch_compare::<O, Acc, Wide, false>, branch_compare::<O, Acc, Wide, true>],
    ]
}

const fn unary_row<O: Unary>() -> UnaryRow {
    [[unary::<O, SlotA, Acc>, unary::<O, SlotA, SlotD>], [unary::<O, Acc, Acc>, unary::<O, Acc, SlotD>]]
}

/// Marker types of the rows, named as the operators.
#[allow(non_camel_case_types, reason = "a marker is named as its operator")]
pub mod markers {
    use super::*;

    macro_rules! total_binary {
        ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Binary for $name {
                type Operand = $a;
                type Result = $r;
                const IN_PLACE: Option<InPlace> = in_place(BinaryOp::$op);
                #[inline(always)]
                fn apply(a: $a, b: $b) -> Result<$r, TrapCode> {
                    Ok(ops::$name(a, b))
                }
            }
        )* };
    }
    wasmr_core::for_each_binary_op!(total_binary);

    macro_rules! trapping_binary {
        ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Binary for $name {
                type Operand = $a;
                type Result = $r;
                #[inline(always)]
                fn apply(a: $a, b: $b) -> Result<$r, TrapCode> {
                    ops::$name(a, b)
                }
            }
        )* };
    }
    wasmr_core::for_each_trapping_binary_op!(trapping_binary);

    macro_rules! compares {
        ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Compare for $name {
                type Operand = $a;
                #[inline(always)]
                fn apply(a: $a, b: $b) -> bool {
                    ops::$name(a, b)
                }
            }
        )* };
    }
    wasmr_core::for_each_compare_op!(compares);

    macro_rules! total_unary {
        ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Unary for $name {
                type Operand = $a;
                type Result = $r;
                #[inline(always)]
                fn apply(a: $a) -> Result<$r, TrapCode> {
                    Ok(ops::$name(a))
                }
            }
        )* };
    }
    wasmr_core::for_each_unary_op!(total_unary);

    macro_rules! trapping_unary {
        ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Unary for $name {
                type Operand = $a;
                type Result = $r;
                #[inline(always)]
                fn apply(a: $a) -> Result<$r, TrapCode> {
                    ops::$name(a)
                }
            }
        )* };
    }
    wasmr_core::for_each_trapping_unary_op!(trapping_unary);

    macro_rules! tests {
        ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => { $(
            #[doc = $text]
            pub struct $name;
            impl Unary for $name {
                type Operand = $a;
                type Result = $r;
                #[inline(always)]
                fn apply(a: $a) -> Result<$r, TrapCode> {
                    Ok(ops::$name(a) as $r)
                }
            }
        )* };
    }
    wasmr_core::for_each_test_op!(tests);
}

macro_rules! binary_table {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => {
        /// The binary operators that cannot trap, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum BinaryOp { $(#[doc = $text] $op,)* }
        static BINARY: &[BinaryRow] = &[$(binary_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_binary_op!(binary_table);

macro_rules! trapping_binary_table {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => {
        /// The binary operators that may trap, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TrappingBinaryOp { $(#[doc = $text] $op,)* }
        static TRAPPING_BINARY: &[BinaryRow] = &[$(binary_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_trapping_binary_op!(trapping_binary_table);

macro_rules! compare_table {
    ($($name:ident $op:ident $text:literal $a:ident $b:ident -> $r:ident;)*) => {
        /// The comparisons, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum CompareOp { $(#[doc = $text] $op,)* }
        static COMPARE: &[CompareRow] = &[$(compare_row::<markers::$name>(),)*];
        static BRANCH: &[BranchRow] = &[$(branch_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_compare_op!(compare_table);

macro_rules! unary_table {
    ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => {
        /// The unary operators that cannot trap, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum UnaryOp { $(#[doc = $text] $op,)* }
        static UNARY: &[UnaryRow] = &[$(unary_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_unary_op!(unary_table);

macro_rules! trapping_unary_table {
    ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => {
        /// The unary operators that may trap, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TrappingUnaryOp { $(#[doc = $text] $op,)* }
        static TRAPPING_UNARY: &[UnaryRow] = &[$(unary_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_trapping_unary_op!(trapping_unary_table);

macro_rules! test_table {
    ($($name:ident $op:ident $text:literal $a:ident -> $r:ident;)*) => {
        /// The test operators, by row of their table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TestOp { $(#[doc = $text] $op,)* }
        static TEST: &[UnaryRow] = &[$(unary_row::<markers::$name>(),)*];
    };
}
wasmr_core::for_each_test_op!(test_table);

impl BinaryOp {
    /// Its handlers by destination.
    pub fn handlers(self, form: Form) -> [Handler; 2] {
        BINARY[self as usize][form as usize]
    }
}

impl TrappingBinaryOp {
    /// Its handlers by destination.
    pub fn handlers(self, form: Form) -> [Handler; 2] {
        TRAPPING_BINARY[self as usize][form as usize]
    }
}

impl CompareOp {
    /// Its handlers by destination.
    pub fn handlers(self, form: Form) -> [Handler; 2] {
        COMPARE[self as usize][form.compare_index()]
    }

    /// The handler that branches if the comparison gives `wanted`. Branch cells hold their operands in fields `d` and `a`
    /// (slot or 16-bit constant) or word 2, and the distance in the upper half.
    pub fn branch(self, form: Form, wanted: bool) -> Handler {
        BRANCH[self as usize][form.compare_index()][wanted as usize]
    }
}

impl UnaryOp {
    /// Its handlers by destination; operand in slot `a` or the accumulator.
    pub fn handlers(self, from_acc: bool) -> [Handler; 2] {
        UNARY[self as usize][from_acc as usize]
    }
}

impl TrappingUnaryOp {
    /// Its handlers by destination; operand in slot `a` or the accumulator.
    pub fn handlers(self, from_acc: bool) -> [Handler; 2] {
        TRAPPING_UNARY[self as usize][from_acc as usize]
    }
}

impl TestOp {
    /// Its handlers by destination; operand in slot `a` or the accumulator.
    pub fn handlers(self, from_acc: bool) -> [Handler; 2] {
        TEST[self as usize][from_acc as usize]
    }
}
