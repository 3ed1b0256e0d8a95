//! Declarations of a module: the contents of its sections, as data.
//!
//! `decode`, `outline` and `sections` fill them; [`Module`](crate::Module) owns them.

use std::ops::Range;

use wasmr_core::types::{ExternType, GlobalType, MemoryType, RefType, TableType, TypeId};

use crate::const_expr::ConstExpr;
use crate::types::TypeTable;

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// First part of the name.
    pub module: Box<str>,
    /// Second part of the name.
    pub name: Box<str>,
    /// Type that the imported object must match.
    pub ty: ExternType,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Name, unique in the module.
    pub name: Box<str>,
    /// Kind of the exported object, which selects the index space of `index`.
    pub kind: ExternKind,
    /// Index of the exported object.
    pub index: u32,
}

/// A kind of object that modules import and export.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDecl {
    /// Type of the table.
    pub ty: TableType,
    /// Initial value of the elements, if not null. An import has none.
    pub init: Option<ConstExpr>,
}

/// A global, imported or defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalDecl {
    /// Type of the global.
    pub ty: GlobalType,
    /// Initial value; `None` for an import.
    pub init: Option<ConstExpr>,
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementSegment {
    /// Type of the items.
    pub ty: RefType,
    /// Items of the segment.
    pub items: ElementItems,
    /// Use of the segment at instantiation.
    pub mode: ElementMode,
}

/// The items of an element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementItems {
    /// Function indices.
    Funcs(Box<[u32]>),
    /// Expressions.
    Exprs(Box<[ConstExpr]>),
}

/// The use of an element segment at instantiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementMode {
    /// None: `table.init` copies the segment later.
    Passive,
    /// None: the segment only declares the functions for `ref.func`.
    Declared,
    /// The segment is copied into a table, then dropped.
    Active {
        /// Index of the table.
        table: u32,
        /// Index of the first element in the table.
        offset: ConstExpr,
    },
}

/// A data segment. Some programs have 20,000 of them, so the type is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSegment {
    /// Range of the contents in [`Module::bytes`](crate::Module::bytes).
    pub range: Range<u32>,
    /// Use of the segment at instantiation.
    pub mode: DataMode,
}

/// The use of a data segment at instantiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// None: `memory.init` copies the segment later.
    Passive,
    /// The segment is copied into a memory, then dropped. Its offset is one constant.
    Active {
        /// Index of the memory.
        memory: u32,
        /// Address of the first byte in the memory.
        address: u64,
    },
    /// Like `Active`, with an offset that is not just a constant.
    Computed {
        /// Index of the memory.
        memory: u32,
        /// Address of the first byte in the memory.
        offset: Box<ConstExpr>,
    },
}

/// All declarations of a module. They do not change after decoding.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub types: TypeTable,
    pub imports: Vec<Import>,
    /// Type index of each function.
    pub funcs: Vec<u32>,
    pub tables: Vec<TableDecl>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<GlobalDecl>,
    pub tags: Vec<TypeId>,
    pub imported: ImportCounts,
    pub exports: Vec<Export>,
    /// Indices into `exports`, sorted by name.
    pub exports_by_name: Vec<u32>,
    pub start: Option<u32>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
    pub bodies: Vec<BodyRange>,
}

/// The numbers of imports by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ImportCounts {
    pub funcs: u32,
    pub tables: u32,
    pub memories: u32,
    pub globals: u32,
    pub tags: u32,
}

/// The range of a function's body in the module's bytes. `decode` checks that a module is smaller than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyRange {
    pub start: u32,
    pub end: u32,
}

impl ElementItems {
    /// Returns the number of items.
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Funcs(funcs) => funcs.len(),
            ElementItems::Exprs(exprs) => exprs.len(),
        }
    }

    /// Returns true if there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Declarations {
    /// Returns the name of the first export of a function. Takes time proportional to the number of exports.
    pub(crate) fn exported_name(&self, func_index: u32) -> Option<&str> {
        let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == func_index;
        self.exports.iter().find(is_it).map(|export| &*export.name)
    }
}

impl BodyRange {
    /// Returns the number of bytes of the body.
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_segment_is_three_words() {
        assert_eq!(size_of::<DataSegment>(), 24);
    }
}
