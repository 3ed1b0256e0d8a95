//! Values: [`V128`], and the 8-byte slot form that frames, argument lists, globals and exception payloads share.
//!
//! # Slots
//! A value takes one 8-byte slot, a `v128` two (low half first). In its slot an `i32` or `f32` is zero-extended; a
//! reference is an opaque word whose null is 0. The upper bits of an `i32` or `f32` slot are not looked at.
//!
//! [`Val`] is a value that knows its type, for the embedder's side; the runtime gives meaning to its reference words.

use crate::registry::TypeRegistry;
use crate::subtype::heap_top;
use crate::types::{HeapType, RefType, ValType};

/// A 128-bit vector; byte 0 is the least significant byte of lane 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

/// An array of lanes that fills a [`V128`]. `[u8; 16]`, `[i16; 8]`, `[f64; 2]`, …
pub trait Lanes: Copy {
    /// The lanes of a vector, lane 0 first.
    fn from_v128(vector: V128) -> Self;
    /// The vector of these lanes.
    fn into_v128(self) -> V128;
}

/// Implements [`Lanes`] for the given arrays. Written so that LLVM sees one plain 16-byte move.
macro_rules! impl_lanes {
    ($([$lane:ty; $count:literal])*) => {$(
        impl Lanes for [$lane; $count] {
            #[inline]
            fn from_v128(vector: V128) -> Self {
                const SIZE: usize = size_of::<$lane>();
                std::array::from_fn(|i| {
                    <$lane>::from_le_bytes(std::array::from_fn(|byte| vector.0[i * SIZE + byte]))
                })
            }

            #[inline]
            fn into_v128(self) -> V128 {
                const SIZE: usize = size_of::<$lane>();
                let mut bytes = [0; 16];
                for (chunk, lane) in bytes.chunks_exact_mut(SIZE).zip(self) {
                    chunk.copy_from_slice(&lane.to_le_bytes());
                }
                V128(bytes)
            }
        }
    )*};
}

impl_lanes! { [i8; 16] [u8; 16] [i16; 8] [u16; 8] [i32; 4] [u32; 4] [i64; 2] [u64; 2] [f32; 4] [f64; 2] }

impl V128 {
    /// From a 128-bit integer, lane 0 in the low bits.
    #[inline]
    pub const fn from_u128(bits: u128) -> V128 {
        V128(bits.to_le_bytes())
    }

    /// As a 128-bit integer, lane 0 in the low bits.
    #[inline]
    pub const fn to_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// From lanes, lane 0 first.
    #[inline]
    pub fn from_lanes<L: Lanes>(lanes: L) -> V128 {
        lanes.into_v128()
    }

    /// As lanes, lane 0 first: `v.lanes::<[i16; 8]>()`.
    #[inline]
    pub fn lanes<L: Lanes>(self) -> L {
        L::from_v128(self)
    }

    /// The two slots of the value, low half first.
    #[inline]
    pub const fn to_slots(self) -> [u64; 2] {
        let bits = self.to_u128();
        [bits as u64, (bits >> 64) as u64]
    }

    /// The value held in two slots, low half first.
    #[inline]
    pub const fn from_slots(slots: [u64; 2]) -> V128 {
        V128::from_u128(slots[0] as u128 | (slots[1] as u128) << 64)
    }
}

/// A typed value.
///
/// Floats are held as bits, so that comparing values compares NaNs, and copying one keeps its payload. References are
/// slot words, by the hierarchy that they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Val {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Bits of a 32-bit float.
    F32(u32),
    /// Bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector.
    V128(V128),
    /// Reference to a function.
    FuncRef(u64),
    /// Reference to a host value.
    ExternRef(u64),
    /// Reference to a struct, array or unboxed integer.
    AnyRef(u64),
    /// Reference to an exception.
    ExnRef(u64),
}

impl Val {
    /// The value's type. For references it is the nullable top of their hierarchy, as a word does not tell more.
    pub const fn ty(self) -> ValType {
        match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::FUNCREF,
            Val::ExternRef(_) => ValType::EXTERNREF,
            Val::AnyRef(_) => ValType::Ref(RefType { nullable: true, heap: HeapType::Any }),
            Val::ExnRef(_) => ValType::EXNREF,
        }
    }

    /// Writes the value to the first of `slots` and says how many it took.
    ///
    /// # Panics
    /// If there are fewer slots than [`ValType::slots`].
    pub fn to_slots(self, slots: &mut [u64]) -> usize {
        slots[0] = match self {
            Val::I32(value) => value as u32 as u64,
            Val::I64(value) => value as u64,
            Val::F32(bits) => bits as u64,
            Val::F64(word) | Val::FuncRef(word) | Val::ExternRef(word) | Val::AnyRef(word) | Val::ExnRef(word) => word,
            Val::V128(vector) => {
                slots[..2].copy_from_slice(&vector.to_slots());
                return 2;
            }
        };
        1
    }

    /// The value of type `ty` held in the first of `slots`.
    ///
    /// # Panics
    /// If there are fewer slots than [`ValType::slots`], or `ty` names a type that is not of the registry.
    pub fn from_slots(registry: &TypeRegistry, ty: ValType, slots: &[u64]) -> Val {
        let word = slots[0];
        match ty {
            ValType::I32 => Val::I32(word as i32),
            ValType::I64 => Val::I64(word as i64),
            ValType::F32 => Val::F32(word as u32),
            ValType::F64 => Val::F64(word),
            ValType::V128 => Val::V128(V128::from_slots([word, slots[1]])),
            ValType::Ref(ty) => match heap_top(registry, ty.heap) {
                HeapType::Func => Val::FuncRef(word),
                HeapType::Extern => Val::ExternRef(word),
                HeapType::Exn => Val::ExnRef(word),
                _ => Val::AnyRef(word),
            },
        }
    }

    /// The integer, if it is an `i32`.
    pub const fn i32(self) -> Option<i32> {
        if let Val::I32(value) = self { Some(value) } else { None }
    }

    /// The integer, if it is an `i64`.
    pub const fn i64(self) -> Option<i64> {
        if let Val::I64(value) = self { Some(value) } else { None }
    }

    /// The float, if it is an `f32`.
    pub const fn f32(self) -> Option<f32> {
        if let Val::F32(bits) = self { Some(f32::from_bits(bits)) } else { None }
    }

    /// The float, if it is an `f64`.
    pub const fn f64(self) -> Option<f64> {
        if let Val::F64(bits) = self { Some(f64::from_bits(bits)) } else { None }
    }

    /// The vector, if it is a `v128`.
    pub const fn v128(self) -> Option<V128> {
        if let Val::V128(vector) = self { Some(vector) } else { None }
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}

impl From<V128> for Val {
    fn from(value: V128) -> Val {
        Val::V128(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::Types;
    use crate::types::FuncType;

    #[test]
    fn values_survive_their_slots() {
        let registry = TypeRegistry::new();
        let vector = V128::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        for value in [
            Val::I32(-1),
            Val::I64(i64::MIN),
            Val::F32(0x7fa0_0001),
            Val::F64(0xfff4_0000_0000_0001),
            Val::V128(vector),
            Val::FuncRef(0),
            Val::ExternRef(u64::MAX),
            Val::AnyRef(7),
            Val::ExnRef(8),
        ] {
            let mut slots = [u64::MAX; 2];
            assert_eq!(value.to_slots(&mut slots), value.ty().slots());
            assert_eq!(Val::from_slots(&registry, value.ty(), &slots), value);
        }
    }

    #[test]
    fn narrow_values_are_zero_extended() {
        let mut slots = [u64::MAX];
        Val::I32(-1).to_slots(&mut slots);
        assert_eq!(slots, [0xffff_ffff]);
        Val::from(-0.0_f32).to_slots(&mut slots);
        assert_eq!(slots, [0x8000_0000]);
    }

    #[test]
    fn a_concrete_type_tells_the_hierarchy() {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let func = types.intern_func(FuncType::new([], []));
        let ty = ValType::Ref(RefType { nullable: false, heap: HeapType::Concrete(func) });
        assert_eq!(Val::from_slots(&registry, ty, &[5]), Val::FuncRef(5));
    }

    #[test]
    fn accessors_ask_for_the_exact_type() {
        assert_eq!((Val::from(3).i32(), Val::from(3).i64()), (Some(3), None));
        assert_eq!((Val::from(1.5_f64).f64(), Val::from(1.5_f64).f32()), (Some(1.5), None));
    }
}
