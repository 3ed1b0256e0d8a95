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

use std::sync::{Arc, OnceLock};

use wasmparser::{BinaryReader, FunctionBody};
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, FuncType, HeapType, MemoryType, RefType, TypeId, ValType};

use crate::bytes::ModuleBytes;
use crate::decls::{
    BodyRange, DataSegment, Declarations, ElementSegment, Export, ExternKind, GlobalDecl, Import, TableDecl,
};
use crate::decode;
use crate::error::ModuleError;
use crate::execution::Purpose;
use crate::features::Features;
use crate::names::{CustomSections, Names};
use crate::operator_class::OperatorClass;
use crate::section_map::{self, Producers, SectionMap};
use crate::types::BlockSig;

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

/// A decoded and validated module.
pub struct Module {
    bytes: ModuleBytes,
    name: Box<str>,
    features: Features,
    registry: Arc<TypeRegistry>,
    decls: Declarations,
    names: OnceLock<Names>,
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
    pub fn sections(&self) -> SectionMap<'_> {
        SectionMap::new(self.bytes())
    }

    /// What the producers section says about the tools that made the module.
    pub fn producers(&self) -> Vec<Producers<'_>> {
        section_map::producers(self.bytes())
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
