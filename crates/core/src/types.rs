//! The types of the specification (Wasm 3.0, "Structure / Types").
//!
//! A concrete heap type names a [`TypeId`], which is *canonical*: the module stage has already interned the module's
//! recursion groups in the engine's [`TypeRegistry`](crate::registry::TypeRegistry), so two types are equal by the
//! spec's rules exactly if their ids are equal, whichever module they came from. Module-relative type indices do not
//! occur outside the module crate.

use std::sync::Arc;

/// A canonical type: equal ids mean equal types, across all modules of an engine.
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

/// A reference type: a heap type and whether null belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// Whether the null reference belongs to the type.
    pub nullable: bool,
    /// What a non-null reference points to.
    pub heap: HeapType,
}

/// A heap type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapType {
    /// Any function.
    Func,
    /// Any host value.
    Extern,
    /// Top of the aggregate types.
    Any,
    /// Comparable with `ref.eq`.
    Eq,
    /// Unboxed 31-bit integer.
    I31,
    /// Any struct.
    Struct,
    /// Any array.
    Array,
    /// Any exception.
    Exn,
    /// Bottom of `any`.
    None,
    /// Bottom of `func`.
    NoFunc,
    /// Bottom of `extern`.
    NoExtern,
    /// Bottom of `exn`.
    NoExn,
    /// A defined type.
    Concrete(TypeId),
}

/// A function type: parameters, then results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    params: Box<[ValType]>,
    results: Box<[ValType]>,
}

/// The type of a field in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// Packed 8-bit integer.
    I8,
    /// Packed 16-bit integer.
    I16,
    /// A whole value.
    Val(ValType),
}

/// A struct field or array element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// What is stored.
    pub storage: StorageType,
    /// Whether it may change.
    pub mutable: bool,
}

/// The body of a defined type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompositeType {
    /// A function type.
    Func(Arc<FuncType>),
    /// A struct type: its fields.
    Struct(Arc<[FieldType]>),
    /// An array type: its element.
    Array(FieldType),
}

/// A defined type with its declared supertype (the binary format allows at most one).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubType {
    /// Whether no type may name it as supertype.
    pub is_final: bool,
    /// The declared supertype.
    pub supertype: Option<TypeId>,
    /// The body.
    pub composite: CompositeType,
}

/// The range of a memory or table size, in pages or elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Initial size.
    pub min: u64,
    /// Largest size, if declared.
    pub max: Option<u64>,
}

/// The type of a memory. Sizes are in 64 KiB pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Sizes in pages.
    pub limits: Limits,
    /// Whether addresses are 64-bit.
    pub is64: bool,
    /// Whether it is shared between threads.
    pub shared: bool,
}

/// The type of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// Sizes in elements.
    pub limits: Limits,
    /// Whether indices are 64-bit.
    pub is64: bool,
    /// What it holds.
    pub element: RefType,
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// What it holds.
    pub content: ValType,
    /// Whether it may change.
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
    /// An exception tag: the id of its function type.
    Tag(TypeId),
}

impl RefType {
    /// `funcref`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };
    /// `exnref`.
    pub const EXNREF: RefType = RefType { nullable: true, heap: HeapType::Exn };
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `exnref`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);

    /// How many 8-byte slots a value of this type takes in frames, argument lists and payloads: 2 for `v128`, else 1.
    pub const fn slots(self) -> usize {
        if matches!(self, ValType::V128) { 2 } else { 1 }
    }
}

impl FuncType {
    /// A function type from parameters and results.
    pub fn new(params: impl Into<Box<[ValType]>>, results: impl Into<Box<[ValType]>>) -> FuncType {
        FuncType { params: params.into(), results: results.into() }
    }

    /// Parameter types.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// Result types.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }

    /// 8-byte slots that the parameters take.
    pub fn param_slots(&self) -> usize {
        self.params.iter().map(|t| t.slots()).sum()
    }

    /// 8-byte slots that the results take.
    pub fn result_slots(&self) -> usize {
        self.results.iter().map(|t| t.slots()).sum()
    }
}

impl SubType {
    /// The function type, if it is one.
    pub fn as_func(&self) -> Option<&Arc<FuncType>> {
        match &self.composite {
            CompositeType::Func(f) => Some(f),
            _ => None,
        }
    }
}
