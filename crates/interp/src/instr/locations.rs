//! Places of an instruction's operands and result, as the translator chooses them: the index of a
//! [family](super::family::Family)'s instruction.
//!
//! A family takes one value of a type below, or a tuple of them, and lists its instructions in the order of
//! [`Locations::index`]: the last element of a tuple changes fastest.

/// A choice among the instructions of a family.
pub(crate) trait Locations: Copy {
    /// Number of choices.
    const COUNT: usize;
    /// Returns the number of this choice, below [`COUNT`](Locations::COUNT).
    fn index(self) -> usize;
}

/// An operand's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum In {
    /// A slot that a field names.
    Slot,
    /// The accumulator of the operand's class.
    Acc,
}

/// A result's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dst {
    /// The accumulator only.
    Acc,
    /// The slot that field `d` names, or that one and the next one, and the accumulator.
    Slot,
}

impl Dst {
    /// Both, in the order of their indices.
    pub(crate) const BOTH: [Dst; 2] = [Dst::Acc, Dst::Slot];
}

/// Places of the two operands of a binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Slot `a`, slot `b`.
    SlotSlot,
    /// Slot `a`, constant.
    SlotImm,
    /// Accumulator, slot `b`.
    AccSlot,
    /// Accumulator, constant.
    AccImm,
    /// Slot `a`, constant in word 2.
    SlotWide,
    /// Accumulator, constant in word 2.
    AccWide,
    /// Slot `a`, accumulator.
    SlotAcc,
    /// Constant, slot `a`.
    ImmSlot,
}

/// A form of a comparison: its right operand is not the accumulator, and its left operand is not a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordered(pub(crate) Form);

/// Places of the two operands of a vector operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VectorForm {
    /// Slot `a`, slot `b`.
    SlotSlot,
    /// Accumulator, slot `b`.
    AccSlot,
    /// Slot `a`, accumulator.
    SlotAcc,
    /// Slot `a`, constant in words 2 and 3.
    SlotImm,
    /// Accumulator, constant in words 2 and 3.
    AccImm,
}

/// A form without a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable(pub(crate) VectorForm);

/// Places of the three operands of a vector operator: slots `a`, `b` and `x`, but for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TernaryForm {
    /// All are in slots.
    Slots,
    /// The first one is in the accumulator.
    AccFirst,
    /// The second one is in the accumulator.
    AccSecond,
    /// The third one is in the accumulator.
    AccThird,
}

/// Place of the count of a shift of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShiftCount {
    /// Slot `b`.
    Slot,
    /// The integer accumulator.
    Acc,
    /// `imm`.
    Imm,
}

/// Place of the value that a store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreValue {
    /// Slot `d`.
    Slot,
    /// The accumulator of its class.
    Acc,
    /// Word 2; of a vector, words 2 and 3.
    Imm,
}

/// The stored form of a field, and the type of the value that a read gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldForm {
    /// 8 bits, sign-extended.
    S8,
    /// 8 bits, zero-extended.
    U8,
    /// 16 bits, sign-extended.
    S16,
    /// 16 bits, zero-extended.
    U16,
    /// `i32`.
    I32,
    /// `i64`, or a reference to a function.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// A compressed reference.
    Ref,
}

/// The bits of a slot that a write to a field stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// The low 8.
    Bits8,
    /// The low 16.
    Bits16,
    /// The low 32.
    Bits32,
    /// All.
    Bits64,
}

/// The test of a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestForm {
    /// All references pass.
    Always,
    /// No reference passes.
    Never,
    /// Unboxed integers, structs and arrays pass.
    Eq,
    /// Unboxed integers pass.
    I31,
    /// Structs pass.
    Struct,
    /// Arrays pass.
    Array,
    /// Instances of a struct or array type pass.
    Object,
    /// Functions of a type pass.
    Func,
}

/// Number of slots that a function clears when it is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cleared(pub(crate) u32);

/// True if the value is a float.
pub(crate) type IsFloat = bool;
/// True if the object belongs to another module.
pub(crate) type IsImported = bool;
/// True if a value is sign-extended.
pub(crate) type IsSigned = bool;
/// True if null passes a test.
pub(crate) type IsNullable = bool;
/// True if addresses or indices have 64 bits.
pub(crate) type Is64 = bool;
/// True if a page has one byte, false if it has 64 KiB.
pub(crate) type HasSmallPages = bool;
/// True if the second operand is a constant.
pub(crate) type IsConstant = bool;
/// True if the bound of a counting loop is in a slot, false if it is a constant.
pub(crate) type IsSlot = bool;
/// The outcome of a condition with which a branch is taken.
pub(crate) type Wanted = bool;

macro_rules! numbered {
    ($($name:ident $count:literal)*) => {$(
        impl Locations for $name {
            const COUNT: usize = $count;
            #[inline(always)]
            fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}
numbered! {
    In 2  Dst 2  Form 8  VectorForm 5  TernaryForm 4  ShiftCount 3  StoreValue 3  FieldForm 9  Width 4  TestForm 8  bool 2
}

impl Locations for () {
    const COUNT: usize = 1;
    #[inline(always)]
    fn index(self) -> usize {
        0
    }
}

impl Locations for Ordered {
    const COUNT: usize = Form::SlotAcc as usize;
    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Locations for Variable {
    const COUNT: usize = VectorForm::SlotImm as usize;
    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Locations for Cleared {
    const COUNT: usize = 7;
    fn index(self) -> usize {
        match self.0 {
            0 => 0,
            1..=2 => 1,
            3..=4 => 2,
            5..=8 => 3,
            9..=12 => 4,
            13..=16 => 5,
            _ => 6,
        }
    }
}

impl<A: Locations, B: Locations> Locations for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;
    #[inline(always)]
    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }
}

impl<A: Locations, B: Locations, C: Locations> Locations for (A, B, C) {
    const COUNT: usize = A::COUNT * B::COUNT * C::COUNT;
    #[inline(always)]
    fn index(self) -> usize {
        ((self.0, self.1), self.2).index()
    }
}
