//! [`Module`]: a decoded and validated module, immutable, shared by everything made from it.
//!
//! Comes from `decode`; goes to the runtime (declarations, to instantiate) and to the tiers (bodies and types, to
//! translate). The code stays in the bytes that were given: a body is a range of them.
//!
//! Words: an *index* counts as in the specification, imports first, unless it is a *defined index*, which counts the
//! module's own functions from 0. A *type index* counts the module's types; a [`TypeId`] is canonical.
//!
//! Invariants: every index in a declaration is in range, every body was validated, and nothing changes after
//! [`Module::new`].

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use wasmparser::{BinaryReader, FunctionBody};
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, FuncType, GlobalType, HeapType, MemoryType, RefType, TableType, TypeId, ValType};

use crate::const_expr::ConstExpr;
use crate::decode;
use crate::error::ModuleError;
use crate::execution::Purpose;
use crate::features::Features;
use crate::layout::{self, Producers, Sections};
use crate::names::{CustomSections, Names};
use crate::operator_class::OperatorClass;
use crate::types::{BlockSig, TypeTable};

/// The bytes of a module: a vector, a static slice, a memory map. Cloning shares them.
///
/// They must not change while a module uses them; a memory map of a file that others write to breaks that.
#[derive(Clone)]
pub struct ModuleBytes(Arc<dyn AsRef<[u8]> + Send + Sync>);

/// A function's code.
#[derive(Clone, Copy, Debug)]
pub struct FuncBody<'a> {
    /// Local declarations, then the expression with its `end`.
    pub bytes: &'a [u8],
    /// Where `bytes` begin in the module.
    pub offset: usize,
}

impl FuncBody<'_> {
    /// Returns true if the function calls nothing and repeats nothing.
    pub fn is_leaf(&self) -> bool {
        self.all_operators(OperatorClass::is_in_leaf)
    }

    /// Returns true if the class of each operator fulfils `condition`.
    pub fn all_operators(&self, condition: impl Fn(OperatorClass) -> bool) -> bool {
        let reader = FunctionBody::new(BinaryReader::new(self.bytes, self.offset as u64));
        let Ok(operators) = reader.get_operators_reader() else { return false };
        operators.into_iter().all(|operator| operator.is_ok_and(|operator| condition(OperatorClass::of(&operator))))
    }
}

/// What messages call a module that nobody gave a name.
pub const UNNAMED: &str = "<module>";

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
    /// Its contents, as a range of [`Module::bytes`].
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

/// A decoded and validated module.
pub struct Module {
    bytes: ModuleBytes,
    name: Box<str>,
    features: Features,
    registry: Arc<TypeRegistry>,
    decls: Declarations,
    names: OnceLock<Names>,
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
    pub fn exported_name(&self, func_index: u32) -> Option<&str> {
        let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == func_index;
        self.exports.iter().find(is_it).map(|export| &*export.name)
    }
}

impl BodyRange {
    /// How many bytes the body has.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}

impl Module {
    /// Decodes and validates a binary module; function bodies on up to `threads` threads, this one included.
    ///
    /// `name` is what messages call the module, usually the file's base name. Types are interned in `types`.
    ///
    /// # Errors
    /// The first fault by byte offset, whatever the number of threads. A valid module is refused too, as
    /// [`Fault::Unsupported`](crate::Fault::Unsupported), if it needs what no tier executes ([`Feature::lacks`](crate::Feature::lacks)).
    pub fn new(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        threads: usize,
    ) -> Result<Arc<Module>, ModuleError> {
        Module::decode(bytes, name, features, types, threads, Purpose::Run).map(Arc::new)
    }

    /// Decodes and validates a binary module for a purpose; else as [`Module::new`].
    pub(crate) fn decode(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        threads: usize,
        purpose: Purpose,
    ) -> Result<Module, ModuleError> {
        let decls = decode::decode(&bytes, features, types, threads, purpose).map_err(|error| error.in_module(name))?;
        Ok(Module {
            bytes,
            name: name.into(),
            features: *features,
            registry: types.clone(),
            decls,
            names: OnceLock::new(),
        })
    }

    /// The binary.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Returns the binary, shared with the module.
    pub(crate) fn shared_bytes(&self) -> ModuleBytes {
        self.bytes.clone()
    }

    /// What messages call the module: the name that it was given, or, if that is [`UNNAMED`], the one that it gives itself.
    pub fn name(&self) -> &str {
        if &*self.name == UNNAMED { self.names().module_name().unwrap_or(UNNAMED) } else { &self.name }
    }

    /// Where its types are interned.
    pub fn registry(&self) -> &Arc<TypeRegistry> {
        &self.registry
    }

    /// The features that it was validated with.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The canonical id of a type.
    pub fn type_id(&self, type_index: u32) -> TypeId {
        self.decls.types.id(type_index)
    }

    /// How many types it has.
    pub fn type_count(&self) -> u32 {
        self.decls.types.len() as u32
    }

    /// The function type at a type index that is one.
    ///
    /// # Panics
    /// If it is another kind of type, or out of range.
    pub fn func_type_of(&self, type_index: u32) -> &Arc<FuncType> {
        self.decls.types.func(type_index)
    }

    /// The function type at a type index, if it is one.
    pub fn as_func_type(&self, type_index: u32) -> Option<&Arc<FuncType>> {
        self.decls.types.as_func(type_index)
    }

    /// How many functions it has, imports included.
    pub fn func_count(&self) -> u32 {
        self.decls.funcs.len() as u32
    }

    /// How many functions it imports.
    pub fn imported_func_count(&self) -> u32 {
        self.decls.imported.funcs
    }

    /// How many functions it defines.
    pub fn defined_func_count(&self) -> u32 {
        self.decls.bodies.len() as u32
    }

    /// The type of a function.
    pub fn func_type(&self, func_index: u32) -> &Arc<FuncType> {
        self.decls.types.func(self.func_type_index(func_index))
    }

    /// The canonical id of a function's type.
    pub fn func_type_id(&self, func_index: u32) -> TypeId {
        self.decls.types.id(self.func_type_index(func_index))
    }

    /// The type index of a function's type.
    pub fn func_type_index(&self, func_index: u32) -> u32 {
        self.decls.funcs[func_index as usize]
    }

    /// The validated body of a function that the module defines, counted from 0.
    pub fn body(&self, defined_index: u32) -> FuncBody<'_> {
        let BodyRange { start, end } = self.decls.bodies[defined_index as usize];
        let (start, end) = (start as usize, end as usize);
        FuncBody { bytes: &self.bytes()[start..end], offset: start }
    }

    /// The imports, in order.
    pub fn imports(&self) -> &[Import] {
        &self.decls.imports
    }

    /// The exports, in order.
    pub fn exports(&self) -> &[Export] {
        &self.decls.exports
    }

    /// The export of that name.
    pub fn export(&self, name: &str) -> Option<&Export> {
        let exports = &self.decls.exports;
        let order = &self.decls.exports_by_name;
        let at = order.binary_search_by(|&index| (*exports[index as usize].name).cmp(name)).ok()?;
        Some(&exports[order[at] as usize])
    }

    /// What an export of this module is.
    pub fn export_type(&self, export: &Export) -> ExternType {
        let index = export.index as usize;
        match export.kind {
            ExternKind::Func => ExternType::Func(self.func_type_id(export.index)),
            ExternKind::Table => ExternType::Table(self.decls.tables[index].ty),
            ExternKind::Memory => ExternType::Memory(self.decls.memories[index]),
            ExternKind::Global => ExternType::Global(self.decls.globals[index].ty),
            ExternKind::Tag => ExternType::Tag(self.decls.tags[index]),
        }
    }

    /// All memories, imports first.
    pub fn memories(&self) -> &[MemoryType] {
        &self.decls.memories
    }

    /// All tables, imports first.
    pub fn tables(&self) -> &[TableDecl] {
        &self.decls.tables
    }

    /// All globals, imports first.
    pub fn globals(&self) -> &[GlobalDecl] {
        &self.decls.globals
    }

    /// All tags, imports first: the ids of their function types.
    pub fn tags(&self) -> &[TypeId] {
        &self.decls.tags
    }

    /// How many tables it imports.
    pub fn imported_table_count(&self) -> u32 {
        self.decls.imported.tables
    }

    /// How many memories it imports.
    pub fn imported_memory_count(&self) -> u32 {
        self.decls.imported.memories
    }

    /// How many globals it imports.
    pub fn imported_global_count(&self) -> u32 {
        self.decls.imported.globals
    }

    /// How many tags it imports.
    pub fn imported_tag_count(&self) -> u32 {
        self.decls.imported.tags
    }

    /// The function to call when an instance is ready.
    pub fn start(&self) -> Option<u32> {
        self.decls.start
    }

    /// The element segments.
    pub fn elements(&self) -> &[ElementSegment] {
        &self.decls.elements
    }

    /// The data segments.
    pub fn data(&self) -> &[DataSegment] {
        &self.decls.data
    }

    /// The contents of a data segment.
    pub fn data_bytes(&self, segment: &DataSegment) -> &[u8] {
        &self.bytes()[segment.range.clone()]
    }

    /// The name section; read at the first call.
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::read(&self.bytes, self.func_count()))
    }

    /// The custom sections, in order: name and range of the contents in [`Module::bytes`].
    pub fn custom_sections(&self) -> CustomSections<'_> {
        CustomSections::new(self.bytes())
    }

    /// All sections, in order.
    pub fn sections(&self) -> Sections<'_> {
        Sections::new(self.bytes())
    }

    /// What the producers section says about the tools that made the module.
    pub fn producers(&self) -> Vec<Producers<'_>> {
        layout::producers(self.bytes())
    }

    /// A value type that was read from this module.
    pub fn val_type(&self, ty: wasmparser::ValType) -> ValType {
        self.decls.types.val_type(ty)
    }

    /// A reference type that was read from this module.
    pub fn ref_type(&self, ty: wasmparser::RefType) -> RefType {
        self.decls.types.ref_type(ty)
    }

    /// A heap type that was read from this module.
    pub fn heap_type(&self, ty: wasmparser::HeapType) -> HeapType {
        self.decls.types.heap_type(ty)
    }

    /// A block type that was read from this module.
    pub fn block_sig(&self, ty: wasmparser::BlockType) -> BlockSig<'_> {
        self.decls.types.block_sig(ty)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .field("bytes", &self.bytes().len())
            .field("funcs", &self.func_count())
            .finish_non_exhaustive()
    }
}

impl ModuleBytes {
    /// Takes over anything that holds bytes which stay put.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> ModuleBytes {
        ModuleBytes(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for ModuleBytes {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl From<Vec<u8>> for ModuleBytes {
    fn from(bytes: Vec<u8>) -> ModuleBytes {
        ModuleBytes::new(bytes)
    }
}

impl From<&'static [u8]> for ModuleBytes {
    fn from(bytes: &'static [u8]) -> ModuleBytes {
        ModuleBytes::new(bytes)
    }
}

impl From<Arc<dyn AsRef<[u8]> + Send + Sync>> for ModuleBytes {
    fn from(bytes: Arc<dyn AsRef<[u8]> + Send + Sync>) -> ModuleBytes {
        ModuleBytes(bytes)
    }
}

impl std::fmt::Debug for ModuleBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleBytes({} bytes)", self.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_goes_straight_on() {
        let bytes = wat::parse_str(
            "(module
                (func (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))))
                (func (call 0 (i32.const 1)) drop)
                (func (loop (br_if 0 (i32.const 0))))
                (func (return_call 1)))",
        );
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.unwrap().into(), "leaves", &Features::default(), &types, 1).unwrap();
        let leaves: Vec<bool> = (0..4).map(|index| module.body(index).is_leaf()).collect();
        assert_eq!(leaves, [true, false, false, false]);
    }
}
