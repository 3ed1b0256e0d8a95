//! The layout of structs and arrays in the heap of a store: the place and the stored form of each field and element.
//!
//! In: a defined type. Out: a [`Layout`], by which all tiers and the collector access objects of the type.
//!
//! An object begins with a header of [`HEADER`] bytes. Fields get their places in the order of their declaration: each the first
//! free place that is aligned to its size, at most to 8 bytes. So a small field fills the gap before a large one. A subtype
//! declares the fields of its supertype first, and a field of the subtype is stored in the same form as the field that it
//! refines. So the fields of the supertype have the same places in both.
//!
//! References of the `any`, `extern` and `exn` hierarchies are *compressed*: 4 bytes, the distance of the object from the base of
//! the heap. References to functions are addresses.

use crate::registry::TypeRegistry;
use crate::subtype::heap_top;
use crate::types::{CompositeType, FieldType, HeapType, StorageType, SubType, ValType};

/// Bytes of an object's header.
pub const HEADER: u32 = 8;

/// Alignment of objects in bytes.
pub const ALIGN: u32 = 8;

/// The form in which a field or element is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// 32 bits: an `i32` or an `f32`.
    Word32,
    /// 64 bits: an `i64` or an `f64`.
    Word64,
    /// A vector.
    Vector,
    /// A compressed reference to a collected object, or an unboxed integer.
    Ref,
    /// A reference to a function.
    Func,
}

impl Stored {
    fn of(registry: &TypeRegistry, storage: StorageType) -> Stored {
        match storage {
            StorageType::I8 => Stored::I8,
            StorageType::I16 => Stored::I16,
            StorageType::Val(ValType::I32 | ValType::F32) => Stored::Word32,
            StorageType::Val(ValType::I64 | ValType::F64) => Stored::Word64,
            StorageType::Val(ValType::V128) => Stored::Vector,
            StorageType::Val(ValType::Ref(ty)) if heap_top(registry, ty.heap) == HeapType::Func => Stored::Func,
            StorageType::Val(ValType::Ref(_)) => Stored::Ref,
        }
    }

    /// Returns the size in bytes.
    #[inline]
    pub const fn size(self) -> u32 {
        match self {
            Stored::I8 => 1,
            Stored::I16 => 2,
            Stored::Word32 | Stored::Ref => 4,
            Stored::Word64 | Stored::Func => 8,
            Stored::Vector => 16,
        }
    }

    /// Returns the number of slots of the value: 2 for a vector, 1 for others.
    #[inline]
    pub const fn slots(self) -> usize {
        if matches!(self, Stored::Vector) { 2 } else { 1 }
    }
}

/// A field of a struct, or the first element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Stored form.
    pub stored: Stored,
    /// Distance from the start of the object in bytes.
    pub offset: u32,
    /// Type of the value on the operand stack: an `i32` for packed fields.
    pub ty: ValType,
}

/// The layout of a struct type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructLayout {
    /// The fields, in the order of their declaration.
    pub fields: Box<[Field]>,
    /// Bytes of an object, header included; a multiple of [`ALIGN`].
    pub size: u32,
    /// Number of slots of the values of all fields.
    pub slots: usize,
}

/// The layout of the objects of a defined type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A struct.
    Struct(StructLayout),
    /// An array, by its first element.
    Array(Field),
}

impl Layout {
    /// Returns the layout of a type's objects; `None` for a function type. The registry must have the types of the fields.
    pub fn of(registry: &TypeRegistry, ty: &SubType) -> Option<Layout> {
        match &ty.composite {
            CompositeType::Func(_) => None,
            CompositeType::Array(element) => Some(Layout::Array(Places::new().field(registry, element))),
            CompositeType::Struct(fields) => {
                let mut places = Places::new();
                let fields: Box<[Field]> = fields.iter().map(|ty| places.field(registry, ty)).collect();
                let slots = fields.iter().map(|field| field.stored.slots()).sum();
                Some(Layout::Struct(StructLayout { fields, size: places.end.next_multiple_of(ALIGN), slots }))
            }
        }
    }
}

/// The free places of a struct.
struct Places {
    /// End of the fields so far.
    end: u32,
    /// Gaps between fields, at most one of each size: 1, 2 and 4 bytes. Each is aligned to its size.
    gaps: [Option<u32>; 3],
}

impl Places {
    fn new() -> Places {
        Places { end: HEADER, gaps: [None; 3] }
    }

    /// Returns a field at the first free place.
    fn field(&mut self, registry: &TypeRegistry, ty: &FieldType) -> Field {
        let stored = Stored::of(registry, ty.storage);
        let value = match ty.storage {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        };
        Field { stored, offset: self.take(stored.size()), ty: value }
    }

    fn take(&mut self, size: u32) -> u32 {
        // Of the gaps that are large enough, the smallest.
        let large_enough = (0..self.gaps.len()).filter(|&log2| 1 << log2 >= size);
        if let Some((log2, at)) = large_enough.filter_map(|log2| Some((log2, self.gaps[log2].take()?))).next() {
            self.add_gaps(at + size, at + (1 << log2));
            return at;
        }
        let at = self.end.next_multiple_of(size.min(ALIGN));
        self.add_gaps(self.end, at);
        self.end = at + size;
        at
    }

    /// Adds the gaps from `start` to `end`, which is less than 8 bytes further.
    fn add_gaps(&mut self, mut start: u32, end: u32) {
        while start < end {
            let log2 = start.trailing_zeros().min((end - start).ilog2());
            // A second gap of the same size is lost.
            self.gaps[log2 as usize].get_or_insert(start);
            start += 1 << log2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::Types;
    use crate::types::{FuncType, RefType};

    fn of(fields: &[StorageType]) -> StructLayout {
        let registry = Arc::new(TypeRegistry::new());
        let fields = fields.iter().map(|&storage| FieldType { storage, mutable: true }).collect();
        let ty = SubType { is_final: true, supertype: None, composite: CompositeType::Struct(fields) };
        match Layout::of(&registry, &ty) {
            Some(Layout::Struct(layout)) => layout,
            other => panic!("{other:?}"),
        }
    }

    fn offsets(layout: &StructLayout) -> Vec<u32> {
        layout.fields.iter().map(|field| field.offset).collect()
    }

    #[test]
    fn fields_get_the_first_free_place() {
        use StorageType::{I8, I16, Val};
        let any = Val(ValType::Ref(RefType { nullable: true, heap: HeapType::Any }));
        let layout = of(&[I8, I16, any, I8, Val(ValType::I64), Val(ValType::V128), Val(ValType::FUNCREF), any]);
        assert_eq!(offsets(&layout), [8, 10, 12, 9, 16, 24, 40, 48]);
        assert_eq!(layout.size, 56);
        let layout = of(&[I8, Val(ValType::I64), I16, any, I8, I8]);
        assert_eq!(offsets(&layout), [8, 16, 10, 12, 9, 24]);
        assert_eq!(of(&[]).size, HEADER);
    }

    #[test]
    fn fields_of_a_supertype_keep_their_places() {
        use StorageType::{I8, I16, Val};
        let all =
            [I8, Val(ValType::I64), I8, I16, Val(ValType::I32), I8, Val(ValType::V128), I16, I8, Val(ValType::F32)];
        let child = of(&all);
        for count in 0..all.len() {
            assert_eq!(offsets(&of(&all[..count])), offsets(&child)[..count]);
        }
        // No two fields overlap.
        let mut bytes: Vec<u32> =
            child.fields.iter().flat_map(|field| field.offset..field.offset + field.stored.size()).collect();
        bytes.sort_unstable();
        assert!(bytes.is_sorted_by(|a, b| a < b));
        assert!(child.fields.iter().all(|field| field.offset.is_multiple_of(field.stored.size().min(ALIGN))));
    }

    #[test]
    fn references_to_functions_are_addresses() {
        let registry = Arc::new(TypeRegistry::new());
        let mut types = Types::new(&registry);
        let func = types.intern_func(FuncType::new([], []));
        for heap in [HeapType::Func, HeapType::NoFunc, HeapType::Concrete(func)] {
            let storage = StorageType::Val(ValType::Ref(RefType { nullable: true, heap }));
            assert_eq!(Stored::of(&registry, storage), Stored::Func);
        }
        for heap in [HeapType::Any, HeapType::Extern, HeapType::Exn, HeapType::I31] {
            let storage = StorageType::Val(ValType::Ref(RefType { nullable: true, heap }));
            assert_eq!(Stored::of(&registry, storage), Stored::Ref);
        }
    }
}
