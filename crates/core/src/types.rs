//! The types of the specification (Wasm 3.0, "Structure / Types").
//!
//! A concrete heap type names a [`TypeId`], which is *canonical*: the module stage has already interned the module's
//! recursion groups in the engine's [`TypeRegistry`](crate::registry::TypeRegistry), so two types are equal by the
//! spec's rules exactly if their ids are equal, whichever module they came from. Module-relative type indices do not
//! occur outside the module crate.
//!
//! `Display` gives the text format's spelling, with canonical ids where the text format has type indices.

use std::fmt::{self, Display, Formatter};
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

/// The binary logarithm of the page size of memories that declare none: 64 KiB.
pub const DEFAULT_PAGE_SIZE_LOG2: u8 = 16;

/// The type of a memory. Sizes are in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Sizes in pages.
    pub limits: Limits,
    /// Whether addresses are 64-bit.
    pub is64: bool,
    /// Whether it is shared between threads.
    pub shared: bool,
    /// The binary logarithm of the bytes in a page; [`DEFAULT_PAGE_SIZE_LOG2`] in every memory that can be made.
    pub page_size_log2: u8,
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

    /// 8-byte slots of the area that holds a call's parameters and then its results.
    pub fn arg_slots(&self) -> usize {
        self.param_slots().max(self.result_slots())
    }
}

impl MemoryType {
    /// A memory with 32-bit addresses of `min` to `max` pages.
    pub const fn new(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { limits: Limits { min, max }, is64: false, shared: false, page_size_log2: DEFAULT_PAGE_SIZE_LOG2 }
    }

    /// A memory with 64-bit addresses of `min` to `max` pages.
    pub const fn new64(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { is64: true, ..MemoryType::new(min, max) }
    }
}

impl TableType {
    /// A table with 32-bit indices of `min` to `max` elements.
    pub const fn new(element: RefType, min: u64, max: Option<u64>) -> TableType {
        TableType { limits: Limits { min, max }, is64: false, element }
    }
}

impl GlobalType {
    /// A global that holds `content` and may change or not.
    pub const fn new(content: ValType, mutable: bool) -> GlobalType {
        GlobalType { content, mutable }
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

impl Display for HeapType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::Extern => "extern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::Exn => "exn",
            HeapType::None => "none",
            HeapType::NoFunc => "nofunc",
            HeapType::NoExtern => "noextern",
            HeapType::NoExn => "noexn",
            HeapType::Concrete(id) => return write!(f, "${}", id.0),
        })
    }
}

impl Display for RefType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap) {
            (true, HeapType::None) => f.write_str("nullref"),
            (true, HeapType::NoFunc) => f.write_str("nullfuncref"),
            (true, HeapType::NoExtern) => f.write_str("nullexternref"),
            (true, HeapType::NoExn) => f.write_str("nullexnref"),
            (true, HeapType::Concrete(_)) => write!(f, "(ref null {})", self.heap),
            (true, heap) => write!(f, "{heap}ref"),
            (false, heap) => write!(f, "(ref {heap})"),
        }
    }
}

impl Display for ValType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(ty) => ty.fmt(f),
        }
    }
}

impl Display for FuncType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (word, types) in [("param", self.params()), ("result", self.results())] {
            if types.is_empty() {
                continue;
            }
            write!(f, " ({word}")?;
            for ty in types {
                write!(f, " {ty}")?;
            }
            f.write_str(")")?;
        }
        f.write_str(")")
    }
}

impl Display for Limits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.min)?;
        self.max.map_or(Ok(()), |max| write!(f, " {max}"))
    }
}

impl Display for MemoryType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (index, shared) = (if self.is64 { "i64 " } else { "" }, if self.shared { " shared" } else { "" });
        write!(f, "(memory {index}{}{shared}", self.limits)?;
        match self.page_size_log2 {
            DEFAULT_PAGE_SIZE_LOG2 => f.write_str(")"),
            log2 => write!(f, " (pagesize {}))", 1u64 << log2),
        }
    }
}

impl Display for TableType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "(table {}{} {})", if self.is64 { "i64 " } else { "" }, self.limits, self.element)
    }
}

impl Display for GlobalType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.mutable { write!(f, "(global (mut {}))", self.content) } else { write!(f, "(global {})", self.content) }
    }
}

impl Display for ExternType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(id) => write!(f, "(func (type ${}))", id.0),
            ExternType::Table(ty) => ty.fmt(f),
            ExternType::Memory(ty) => ty.fmt(f),
            ExternType::Global(ty) => ty.fmt(f),
            ExternType::Tag(id) => write!(f, "(tag (type ${}))", id.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_as_in_the_text_format() {
        let non_null = |heap| RefType { nullable: false, heap };
        let nullable = |heap| RefType { nullable: true, heap };
        for (ty, text) in [
            (RefType::FUNCREF, "funcref"),
            (RefType::EXTERNREF, "externref"),
            (nullable(HeapType::I31), "i31ref"),
            (nullable(HeapType::None), "nullref"),
            (nullable(HeapType::NoExtern), "nullexternref"),
            (nullable(HeapType::Concrete(TypeId(3))), "(ref null $3)"),
            (non_null(HeapType::Concrete(TypeId(3))), "(ref $3)"),
            (non_null(HeapType::Any), "(ref any)"),
        ] {
            assert_eq!(ty.to_string(), text);
        }
        let func = FuncType::new([ValType::I32, ValType::EXTERNREF], [ValType::V128]);
        assert_eq!(func.to_string(), "(func (param i32 externref) (result v128))");
        assert_eq!(FuncType::new([], []).to_string(), "(func)");

        let limits = Limits { min: 1, max: Some(2) };
        let memory = ExternType::Memory(MemoryType { shared: true, ..MemoryType::new64(limits.min, limits.max) });
        assert_eq!(memory.to_string(), "(memory i64 1 2 shared)");
        let table = TableType { limits: Limits { min: 0, max: None }, is64: false, element: RefType::FUNCREF };
        assert_eq!(table.to_string(), "(table 0 funcref)");
        assert_eq!(GlobalType { content: ValType::I64, mutable: true }.to_string(), "(global (mut i64))");
    }

    #[test]
    fn a_vector_takes_two_slots() {
        let func = FuncType::new([ValType::I32, ValType::V128], [ValType::V128, ValType::V128]);
        assert_eq!((func.param_slots(), func.result_slots(), func.arg_slots()), (3, 4, 4));
        assert_eq!(FuncType::new([ValType::I32, ValType::V128], []).arg_slots(), 3);
    }
}
