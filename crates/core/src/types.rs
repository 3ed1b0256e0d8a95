//! The [types](https://webassembly.github.io/spec/core/syntax/types.html) of the specification.
//!
//! A concrete heap type names a [`TypeId`], which is *canonical*. The module crate has interned the module's recursion
//! groups in the engine's [`TypeRegistry`](crate::registry::TypeRegistry). Two types of any modules are therefore
//! [equal](https://webassembly.github.io/spec/core/valid/matching.html#defined-types) exactly if their ids are. Type indices of
//! a module do not occur outside the module crate.

use std::sync::Arc;

/// The id of a canonical type. Equal ids mean equal types, across all modules of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct TypeId(pub u32);

/// A value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit IEEE 754 float.
    F32,
    /// 64-bit IEEE 754 float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

/// A reference type: a heap type, with or without null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// True if the type includes the null reference.
    pub nullable: bool,
    /// Type of the referenced objects.
    pub heap: HeapType,
}

/// A heap type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapType {
    /// All functions.
    Func,
    /// All host values.
    Extern,
    /// All structs, arrays and unboxed integers, and host values converted by `any.convert_extern`.
    Any,
    /// Values that `ref.eq` can compare.
    Eq,
    /// Unboxed 31-bit integers.
    I31,
    /// All structs.
    Struct,
    /// All arrays.
    Array,
    /// All exceptions.
    Exn,
    /// The empty subtype of all types below `any`.
    None,
    /// The empty subtype of all types below `func`.
    NoFunc,
    /// The empty subtype of `extern`.
    NoExtern,
    /// The empty subtype of `exn`.
    NoExn,
    /// A defined type.
    Concrete(TypeId),
}

/// A function type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    params: Box<[ValType]>,
    results: Box<[ValType]>,
}

/// The type of a stored field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// Packed 8-bit integer.
    I8,
    /// Packed 16-bit integer.
    I16,
    /// Unpacked value.
    Val(ValType),
}

/// A struct field or array element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// Type of the stored value.
    pub storage: StorageType,
    /// True if the field can be written after its initialization.
    pub mutable: bool,
}

/// The body of a defined type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompositeType {
    /// A function type.
    Func(Arc<FuncType>),
    /// A struct type, by its fields.
    Struct(Arc<[FieldType]>),
    /// An array type, by its element.
    Array(FieldType),
}

/// A defined type with its declared supertype. The [binary
/// format](https://webassembly.github.io/spec/core/binary/types.html#recursive-types) has a list of supertypes; validation
/// allows at most one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubType {
    /// True if no type may declare it as its supertype.
    pub is_final: bool,
    /// The declared supertype.
    pub supertype: Option<TypeId>,
    /// The body.
    pub composite: CompositeType,
}

/// The size range of a memory in pages, or of a table in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Initial size.
    pub min: u64,
    /// Maximum size, if declared.
    pub max: Option<u64>,
}

/// Binary logarithm of the default page size, 64 KiB.
pub const DEFAULT_PAGE_SIZE_LOG2: u8 = 16;

/// The type of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Size range in pages.
    pub limits: Limits,
    /// True if addresses are 64-bit.
    pub is64: bool,
    /// True if threads can share the memory.
    pub shared: bool,
    /// Binary logarithm of the page size in bytes, 0 or [`DEFAULT_PAGE_SIZE_LOG2`].
    pub page_size_log2: u8,
}

/// The type of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// Size range in elements.
    pub limits: Limits,
    /// True if indices are 64-bit.
    pub is64: bool,
    /// Type of the elements.
    pub element: RefType,
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// Type of the value.
    pub content: ValType,
    /// True if the guest can write the global.
    pub mutable: bool,
}

/// The type of an import or export.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExternType {
    /// A function, by its canonical type.
    Func(TypeId),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// An exception tag, by its canonical function type.
    Tag(TypeId),
}

impl RefType {
    /// `funcref`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };
    /// `anyref`.
    pub const ANYREF: RefType = RefType { nullable: true, heap: HeapType::Any };
    /// `exnref`.
    pub const EXNREF: RefType = RefType { nullable: true, heap: HeapType::Exn };
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `anyref`.
    pub const ANYREF: ValType = ValType::Ref(RefType::ANYREF);
    /// `exnref`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);

    /// Returns the number of 8-byte slots of a value in frames, argument lists and payloads: 2 for a `v128`, 1 for others.
    pub const fn slots(self) -> usize {
        if matches!(self, ValType::V128) { 2 } else { 1 }
    }
}

impl FuncType {
    /// Creates a function type from its parameter and result types.
    pub fn new(params: impl Into<Box<[ValType]>>, results: impl Into<Box<[ValType]>>) -> FuncType {
        FuncType { params: params.into(), results: results.into() }
    }

    /// Returns the parameter types.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// Returns the result types.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }

    /// Returns the number of 8-byte slots of the parameters.
    pub fn param_slots(&self) -> usize {
        self.params.iter().map(|t| t.slots()).sum()
    }

    fn result_slots(&self) -> usize {
        self.results.iter().map(|t| t.slots()).sum()
    }

    /// Returns the number of 8-byte slots of an area that first holds a call's parameters and later its results.
    pub fn arg_slots(&self) -> usize {
        self.param_slots().max(self.result_slots())
    }
}

impl MemoryType {
    /// Creates the type of a memory with 32-bit addresses and `min` to `max` pages.
    pub const fn new(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { limits: Limits { min, max }, is64: false, shared: false, page_size_log2: DEFAULT_PAGE_SIZE_LOG2 }
    }

    /// Returns true if the memory may be guard-paged: its addresses have 32 bits, and its size is a number of pages that the
    /// processor can protect.
    pub const fn may_be_guarded(&self) -> bool {
        !self.is64 && self.page_size_log2 == DEFAULT_PAGE_SIZE_LOG2
    }

    /// Returns the largest number of pages that addresses reach and that `memory.size` can return.
    pub const fn max_pages(&self) -> u64 {
        let (last, bits) = if self.is64 { (u64::MAX, u64::BITS) } else { (u32::MAX as u64, u32::BITS) };
        if self.page_size_log2 == 0 { last } else { 1 << (bits - self.page_size_log2 as u32) }
    }
}

impl TableType {
    /// Creates the type of a table with 32-bit indices and `min` to `max` elements.
    pub const fn new(element: RefType, min: u64, max: Option<u64>) -> TableType {
        TableType { limits: Limits { min, max }, is64: false, element }
    }
}

impl GlobalType {
    /// Creates the type of a global.
    pub const fn new(content: ValType, mutable: bool) -> GlobalType {
        GlobalType { content, mutable }
    }
}

impl SubType {
    /// Returns the function type, if this is one.
    pub fn as_func(&self) -> Option<&Arc<FuncType>> {
        match &self.composite {
            CompositeType::Func(f) => Some(f),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_takes_two_slots() {
        let func = FuncType::new([ValType::I32, ValType::V128], [ValType::V128, ValType::V128]);
        assert_eq!((func.param_slots(), func.result_slots(), func.arg_slots()), (3, 4, 4));
        assert_eq!(FuncType::new([ValType::I32, ValType::V128], []).arg_slots(), 3);
    }
}
