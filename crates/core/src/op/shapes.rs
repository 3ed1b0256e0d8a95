//! The shapes of operators: one trait per shape, which the marker types of its rows implement. Also the types of values and
//! memory operands in rows.
//!
//! The compiler instantiates generic code over a shape once per row, with the row's function inlined.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::number::{Access, Op, OpInfo};
use crate::trap::TrapCode;
use crate::types::ValType;
use crate::value::V128;

/// The type of an operand or a result.
pub trait Value: Copy + 'static {
    /// The type in the terms of the specification.
    const TYPE: ValType;
}

/// A number type. Its values take one slot.
pub trait Scalar: Value {
    /// True for `f32` and `f64`.
    const FLOAT: bool = matches!(Self::TYPE, ValType::F32 | ValType::F64);
    /// Converts from the slot form of [`value`](crate::value).
    fn from_slot(slot: u64) -> Self;
    /// Converts to slot form.
    fn to_slot(self) -> u64;
    /// Converts from a number of this type. Returns zero for a number of another type.
    fn from_number(number: Number) -> Self;
    /// Converts to a number with its type.
    fn to_number(self) -> Number;
}

/// A number with its type, for generic code that distinguishes types.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// 32-bit float.
    F32(f32),
    /// 64-bit float.
    F64(f64),
}

macro_rules! scalars {
    ($($ty:ident $name:ident |$slot:ident| $from:expr, |$value:ident| $to:expr;)*) => {$(
        impl Value for $ty {
            const TYPE: ValType = ValType::$name;
        }

        impl Scalar for $ty {
            #[inline(always)]
            fn from_slot($slot: u64) -> $ty {
                $from
            }

            #[inline(always)]
            fn to_slot(self) -> u64 {
                let $value = self;
                $to
            }

            #[inline(always)]
            fn from_number(number: Number) -> $ty {
                if let Number::$name(value) = number { value } else { $ty::default() }
            }

            #[inline(always)]
            fn to_number(self) -> Number {
                Number::$name(self)
            }
        }
    )*};
}

scalars! {
    i32 I32 |slot| slot as i32, |value| value as u32 as u64;
    i64 I64 |slot| slot as i64, |value| value as u64;
    f32 F32 |slot| f32::from_bits(slot as u32), |value| value.to_bits() as u64;
    f64 F64 |slot| f64::from_bits(slot), |value| value.to_bits();
}

impl Value for V128 {
    const TYPE: ValType = ValType::V128;
}

/// An integer in memory, little-endian.
pub trait MemoryInt: Copy {
    /// Size and sign of the integer.
    const ACCESS: Access;
    /// Returns the integer in the low bits of a word.
    fn from_word(word: u64) -> Self;
    /// Returns a word with the integer in its low bits and zeros above.
    fn to_word(self) -> u64;
}

macro_rules! memory_ints {
    ($($ty:ident as $unsigned:ident;)*) => {$(
        impl MemoryInt for $ty {
            const ACCESS: Access = Access { bytes: size_of::<$ty>() as u8, signed: $ty::MIN != 0 };

            #[inline(always)]
            fn from_word(word: u64) -> $ty {
                word as $ty
            }

            #[inline(always)]
            fn to_word(self) -> u64 {
                self as $unsigned as u64
            }
        }
    )*};
}

memory_ints! { u8 as u8; i8 as u8; u16 as u16; i16 as u16; u32 as u32; i32 as u32; u64 as u64; }

/// An integer in memory that operators access atomically.
pub trait AtomicInt: MemoryInt {
    /// The integer as an atomic, of the same size, and aligned to it.
    type Cell: 'static;
}

macro_rules! atomic_ints {
    ($($ty:ident $cell:ident;)*) => {$(
        impl AtomicInt for $ty {
            type Cell = $cell;
        }
    )*};
}

atomic_ints! { u8 AtomicU8; u16 AtomicU16; u32 AtomicU32; u64 AtomicU64; }

/// The memory operand of a vector load: an integer, or some bytes at the low end of a vector.
pub trait VectorMemory {
    /// Type of the loaded operand.
    type Loaded: Copy;
    /// Size in memory.
    const BYTES: u8;
    /// True if the load reads the bytes into a vector register.
    const IN_VECTOR: bool;
    /// Converts from a word that holds the bytes, of which there are at most eight.
    fn word_loaded(word: u64) -> Self::Loaded;
    /// Converts from a vector register with the bytes at its low end and zeros above.
    fn vector_loaded(vector: V128) -> Self::Loaded;
}

impl<T: MemoryInt> VectorMemory for T {
    type Loaded = T;
    const BYTES: u8 = T::ACCESS.bytes;
    const IN_VECTOR: bool = false;

    #[inline(always)]
    fn word_loaded(word: u64) -> T {
        T::from_word(word)
    }

    #[inline(always)]
    fn vector_loaded(vector: V128) -> T {
        T::from_word(vector.to_slots()[0])
    }
}

/// `BYTES` bytes at the low end of a vector. Loads of them use no general register.
pub struct Low<const BYTES: u8>;

impl<const BYTES: u8> VectorMemory for Low<BYTES> {
    type Loaded = V128;
    const BYTES: u8 = BYTES;
    const IN_VECTOR: bool = true;

    #[inline(always)]
    fn word_loaded(word: u64) -> V128 {
        V128::from_u128(word as u128)
    }

    #[inline(always)]
    fn vector_loaded(vector: V128) -> V128 {
        vector
    }
}

/// A row of the table.
pub trait Row: 'static {
    /// The operator.
    const OP: Op;
    /// The facts of the row.
    const INFO: OpInfo;
}

/// An operator of one scalar.
pub trait Unary: Row {
    /// Type of the operand.
    type Operand: Scalar;
    /// Type of the result.
    type Result: Scalar;
    /// Applies the operator.
    fn apply(a: Self::Operand) -> Result<Self::Result, TrapCode>;
}

/// An operator of two scalars of one type, with a result of that type.
pub trait Binary: Row {
    /// Type of both operands and of the result.
    type Operand: Scalar;
    /// Applies the operator.
    fn apply(a: Self::Operand, b: Self::Operand) -> Result<Self::Operand, TrapCode>;
}

/// A comparison of two scalars of one type, with an `i32` result: 1 for true, 0 for false.
pub trait Compare: Row {
    /// Type of both operands.
    type Operand: Scalar;
    /// Applies the operator.
    fn apply(a: Self::Operand, b: Self::Operand) -> bool;
}

/// An operator of one vector.
pub trait VectorUnary: Row {
    /// Applies the operator.
    fn apply(a: V128) -> V128;
}

/// An operator of two vectors.
pub trait VectorBinary: Row {
    /// Applies the operator.
    fn apply(a: V128, b: V128) -> V128;
}

/// An operator of three vectors.
pub trait VectorTernary: Row {
    /// Applies the operator.
    fn apply(a: V128, b: V128, c: V128) -> V128;
}

/// An operator of one vector with an `i32` result.
pub trait VectorTest: Row {
    /// Applies the operator.
    fn apply(a: V128) -> i32;
}

/// An operator that shifts all lanes by one count.
pub trait Shift: Row {
    /// Applies the operator.
    fn apply(a: V128, count: i32) -> V128;
}

/// An operator that copies a scalar to all lanes.
pub trait Splat: Row {
    /// Type of the scalar.
    type Operand: Scalar;
    /// Applies the operator.
    fn apply(a: Self::Operand) -> V128;
}

/// An operator that returns one lane as a scalar.
pub trait ExtractLane: Row {
    /// Type of the scalar.
    type Result: Scalar;
    /// Applies the operator.
    fn apply(a: V128, lane: u8) -> Self::Result;
}

/// An operator that replaces one lane by a scalar.
pub trait ReplaceLane: Row {
    /// Type of the scalar.
    type Operand: Scalar;
    /// Applies the operator.
    fn apply(a: V128, new: Self::Operand, lane: u8) -> V128;
}

/// A load of a scalar.
pub trait Load: Row {
    /// Type of the memory operand.
    type Memory: MemoryInt;
    /// Type of the result.
    type Result: Scalar;
    /// Extends the memory operand to the result.
    fn extend(raw: Self::Memory) -> Self::Result;
}

/// A store of a scalar.
pub trait Store: Row {
    /// Type of the operand above the address.
    type Operand: Scalar;
    /// Type of the memory operand.
    type Memory: MemoryInt;
    /// Wraps the value to the memory operand.
    fn wrap(value: Self::Operand) -> Self::Memory;
}

/// A load whose result is a vector, without a vector operand.
pub trait VectorLoad: Row {
    /// Type of the memory operand.
    type Memory: VectorMemory;
    /// Extends the memory operand to the result.
    fn extend(raw: <Self::Memory as VectorMemory>::Loaded) -> V128;
}

/// A store of a whole vector.
pub trait VectorStore: Row {}

/// A load of one lane of a vector.
pub trait LoadLane: Row {
    /// Type of the memory operand.
    type Memory: MemoryInt;
    /// Returns the vector with the loaded lane in place.
    fn replace(vector: V128, raw: Self::Memory, lane: u8) -> V128;
}

/// A store of one lane of a vector.
pub trait StoreLane: Row {
    /// Type of the memory operand.
    type Memory: MemoryInt;
    /// Returns the lane to store.
    fn extract(vector: V128, lane: u8) -> Self::Memory;
}

/// An atomic load.
pub trait AtomicLoad: Row {
    /// Type of the memory operand.
    type Memory: AtomicInt;
    /// Type of the result.
    type Result: Scalar;
    /// Loads from the cell.
    fn apply(cell: &<Self::Memory as AtomicInt>::Cell) -> Self::Result;
}

/// An atomic store.
pub trait AtomicStore: Row {
    /// Type of the memory operand.
    type Memory: AtomicInt;
    /// Type of the operand above the address.
    type Operand: Scalar;
    /// Stores to the cell.
    fn apply(cell: &<Self::Memory as AtomicInt>::Cell, value: Self::Operand);
}

/// An atomic modification, with the value before as its result.
pub trait AtomicRmw: Row {
    /// Type of the memory operand.
    type Memory: AtomicInt;
    /// Type of the operand above the address, and of the result.
    type Operand: Scalar;
    /// Modifies the cell.
    fn apply(cell: &<Self::Memory as AtomicInt>::Cell, value: Self::Operand) -> Self::Operand;
}

/// An atomic exchange if the cell has the expected value, with the value before as its result.
pub trait AtomicCmpxchg: Row {
    /// Type of the memory operand.
    type Memory: AtomicInt;
    /// Type of the expected value, of the replacement, and of the result.
    type Operand: Scalar;
    /// Compares and exchanges the cell.
    fn apply(
        cell: &<Self::Memory as AtomicInt>::Cell,
        expected: Self::Operand,
        replacement: Self::Operand,
    ) -> Self::Operand;
}
