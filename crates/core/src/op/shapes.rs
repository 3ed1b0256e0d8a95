//! The shapes of operators: a trait for each, which a row's marker type implements, and the types of values and of memory
//! that rows name.
//!
//! Generic code over a shape is compiled once per row, with the row's function inlined.

use super::number::{Access, Op, OpInfo};
use crate::trap::TrapCode;
use crate::types::ValType;
use crate::value::{V128, Val};

/// The type of an operand or a result.
pub trait Value: Copy + Into<Val> + 'static {
    /// The type as the specification names it.
    const TYPE: ValType;
    /// Returns the value, if it is of this type.
    fn from_val(value: Val) -> Option<Self>;
}

/// A number type, whose values fit one slot.
pub trait Scalar: Value {
    /// True for the two float types.
    const FLOAT: bool = matches!(Self::TYPE, ValType::F32 | ValType::F64);
    /// From slot form, as in [`value`](crate::value).
    fn from_slot(slot: u64) -> Self;
    /// To slot form.
    fn to_slot(self) -> u64;
    /// From a number of this type; zero for one of another type.
    fn from_number(number: Number) -> Self;
    /// As a number that knows its type.
    fn to_number(self) -> Number;
}

/// A number with its type, by which generic code tells types apart.
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

            fn from_val(value: Val) -> Option<$ty> {
                value.$ty()
            }
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

    fn from_val(value: Val) -> Option<V128> {
        value.v128()
    }
}

/// An integer in memory, little-endian.
pub trait MemoryInt: Copy {
    /// Size and sign of the integer.
    const ACCESS: Access;
    /// The low bits of a word.
    fn from_word(word: u64) -> Self;
    /// The integer in the low bits of a word, zero above.
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

/// The operand of a vector load in memory: an integer, or [`Low`] bytes of a vector.
pub trait VectorMemory {
    /// In registers.
    type Loaded: Copy;
    /// Number of bytes.
    const BYTES: u8;
    /// True if the bytes are read into a vector register.
    const IN_VECTOR: bool;
    /// From a word with these bytes, if they are at most eight.
    fn word_loaded(word: u64) -> Self::Loaded;
    /// From a vector register with these bytes at the low end, zero above.
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

/// `BYTES` bytes that become the low end of a vector without passing through a general register.
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
    /// Everything about it but its meaning.
    const INFO: OpInfo;
}

/// An operator of one scalar.
pub trait Unary: Row {
    /// Type of the operand.
    type Operand: Scalar;
    /// Type of the result.
    type Result: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand) -> Result<Self::Result, TrapCode>;
}

/// An operator of two scalars of one type, with a result of that type.
pub trait Binary: Row {
    /// Type of both operands and of the result.
    type Operand: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand, b: Self::Operand) -> Result<Self::Operand, TrapCode>;
}

/// A comparison of two scalars of one type. The result is an `i32`.
pub trait Compare: Row {
    /// Type of both operands.
    type Operand: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand, b: Self::Operand) -> bool;
}

/// An operator of one vector.
pub trait VectorUnary: Row {
    /// The meaning.
    fn apply(a: V128) -> V128;
}

/// An operator of two vectors.
pub trait VectorBinary: Row {
    /// The meaning.
    fn apply(a: V128, b: V128) -> V128;
}

/// An operator of three vectors.
pub trait VectorTernary: Row {
    /// The meaning.
    fn apply(a: V128, b: V128, c: V128) -> V128;
}

/// An operator that sums a vector up in an `i32`.
pub trait VectorTest: Row {
    /// The meaning.
    fn apply(a: V128) -> i32;
}

/// A shift of all lanes by one count.
pub trait Shift: Row {
    /// The meaning.
    fn apply(a: V128, count: i32) -> V128;
}

/// A scalar copied to all lanes.
pub trait Splat: Row {
    /// Type of the scalar.
    type Operand: Scalar;
    /// The meaning.
    fn apply(a: Self::Operand) -> V128;
}

/// One lane as a scalar.
pub trait ExtractLane: Row {
    /// Type of the scalar.
    type Result: Scalar;
    /// The meaning.
    fn apply(a: V128, lane: u8) -> Self::Result;
}

/// A vector with one lane replaced.
pub trait ReplaceLane: Row {
    /// Type of the scalar.
    type Operand: Scalar;
    /// The meaning.
    fn apply(a: V128, new: Self::Operand, lane: u8) -> V128;
}

/// A load of a scalar.
pub trait Load: Row {
    /// In memory.
    type Memory: MemoryInt;
    /// Type of the result.
    type Result: Scalar;
    /// Extends.
    fn extend(raw: Self::Memory) -> Self::Result;
}

/// A store of a scalar.
pub trait Store: Row {
    /// Type of the operand above the address.
    type Operand: Scalar;
    /// In memory.
    type Memory: MemoryInt;
    /// Wraps.
    fn wrap(value: Self::Operand) -> Self::Memory;
}

/// A load that makes a whole vector.
pub trait VectorLoad: Row {
    /// In memory.
    type Memory: VectorMemory;
    /// Extends.
    fn extend(raw: <Self::Memory as VectorMemory>::Loaded) -> V128;
}

/// The store of a whole vector.
pub trait VectorStore: Row {}

/// A load of one lane of a vector.
pub trait LoadLane: Row {
    /// In memory.
    type Memory: MemoryInt;
    /// The vector with that lane replaced.
    fn replace(vector: V128, raw: Self::Memory, lane: u8) -> V128;
}

/// A store of one lane of a vector.
pub trait StoreLane: Row {
    /// In memory.
    type Memory: MemoryInt;
    /// The stored lane of the vector.
    fn extract(vector: V128, lane: u8) -> Self::Memory;
}
