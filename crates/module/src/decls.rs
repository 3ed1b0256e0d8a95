//! The declarations of a module: what its sections say, as data.
//!
//! Filled by `decode` and `sections`; kept and shown by [`Module`](crate::Module).

use std::ops::Range;

use wasmr_core::types::{ExternType, GlobalType, MemoryType, RefType, TableType, TypeId};

use crate::const_expr::ConstExpr;
use crate::execution::Purpose;
use crate::types::TypeTable;

/// An import.
#[derive(Clone, Debug)]
pub struct Import {
    /// First part of the name.
    pub module: Box<str>,
    /// Second part of the name.
    pub name: Box<str>,
    /// What must be given.
    pub ty: ExternType,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The name, unique in the module.
    pub name: Box<str>,
    /// Which index space `index` is in.
    pub kind: ExternKind,
    /// What is exported.
    pub index: u32,
}

/// The kinds of things that a module imports and exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExternKind {
    /// A function.
    Func,
    /// A table.
    Table,
    /// A memory.
    Memory,
    /// A global.
    Global,
    /// An exception tag.
    Tag,
}

/// A table, imported or defined.
#[derive(Clone, Debug)]
pub struct TableDecl {
    /// Its type.
    pub ty: TableType,
    /// What its elements are at first, if not null. Imports have none.
    pub init: Option<ConstExpr>,
}

/// A global, imported or defined.
#[derive(Clone, Debug)]
pub struct GlobalDecl {
    /// Its type.
    pub ty: GlobalType,
    /// Its first value; `None` for an import.
    pub init: Option<ConstExpr>,
}

/// An element segment.
#[derive(Clone, Debug)]
pub struct ElementSegment {
    /// What the items are.
    pub ty: RefType,
    /// The items.
    pub items: ElementItems,
    /// What happens to them at instantiation.
    pub mode: ElementMode,
}

/// The items of an element segment.
#[derive(Clone, Debug)]
pub enum ElementItems {
    /// Function indices.
    Funcs(Box<[u32]>),
    /// Expressions.
    Exprs(Box<[ConstExpr]>),
}

/// What happens to an element segment at instantiation.
#[derive(Clone, Debug)]
pub enum ElementMode {
    /// Waits for `table.init`.
    Passive,
    /// Only declares that its functions are referenced.
    Declared,
    /// Is copied into a table, then dropped.
    Active {
        /// The table.
        table: u32,
        /// Where in the table.
        offset: ConstExpr,
    },
}

/// A data segment.
#[derive(Clone, Debug)]
pub struct DataSegment {
    /// Its contents, as a range of [`Module::bytes`](crate::Module::bytes).
    pub range: Range<usize>,
    /// What happens to it at instantiation.
    pub mode: DataMode,
}

/// What happens to a data segment at instantiation.
#[derive(Clone, Debug)]
pub enum DataMode {
    /// Waits for `memory.init`.
    Passive,
    /// Is copied into a memory, then dropped.
    Active {
        /// The memory.
        memory: u32,
        /// Where in the memory.
        offset: ConstExpr,
    },
}

/// Everything that the sections declare. Filled by `sections` and `decode`, then never changed.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub purpose: Purpose,
    pub types: TypeTable,
    pub imports: Vec<Import>,
    /// The type index of every function.
    pub funcs: Vec<u32>,
    pub tables: Vec<TableDecl>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<GlobalDecl>,
    pub tags: Vec<TypeId>,
    pub imported: ImportCounts,
    pub exports: Vec<Export>,
    /// Indices into `exports`, in order of the name.
    pub exports_by_name: Vec<u32>,
    pub start: Option<u32>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
    pub bodies: Vec<BodyRange>,
}

/// How many of each kind are imported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ImportCounts {
    pub funcs: u32,
    pub tables: u32,
    pub memories: u32,
    pub globals: u32,
    pub tags: u32,
}

/// Where a function's body is in the bytes. Modules are smaller than 4 GiB, which `decode` checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyRange {
    pub start: u32,
    pub end: u32,
}

impl ElementItems {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Funcs(funcs) => funcs.len(),
            ElementItems::Exprs(exprs) => exprs.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Declarations {
    /// The first name that a function is exported under; O(exports).
    pub(crate) fn exported_name(&self, func_index: u32) -> Option<&str> {
        let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == func_index;
        self.exports.iter().find(is_it).map(|export| &*export.name)
    }
}

impl BodyRange {
    /// How many bytes the body has.
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}
