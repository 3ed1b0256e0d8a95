//! [`Module`]: a decoded and validated module. It is immutable and shared.
//!
//! `decode` creates it, or `outline` for a binary that was validated earlier. The runtime instantiates its declarations; the tiers
//! translate its bodies and types. The code is not copied: a body is a range of the module's bytes.
//!
//! # Indices
//! A function *index* is that of the [specification](https://webassembly.github.io/spec/core/syntax/modules.html#indices), with
//! imports first. A *defined index* counts only the functions that the module defines, from 0. A *type index* is an index of
//! the module's types; a [`TypeId`] is canonical in the engine.
//!
//! # Invariants
//! All indices in declarations are in range, all bodies are valid, and nothing changes after [`Module::new`] or
//! [`Module::from_outline`].

use std::sync::{Arc, OnceLock};

use wasmparser::{BinaryReader, FunctionBody};
use wasmr_core::layout::{Field, Layout, StructLayout};
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, FuncType, HeapType, MemoryType, RefType, TypeId, ValType};

use crate::branch_hints::{self, BranchHints};
use crate::bytes::ModuleBytes;
use crate::decls::{
    BodyRange, DataSegment, Declarations, ElementSegment, Export, ExternKind, GlobalDecl, Import, TableDecl,
};
use crate::decode;
use crate::error::{Fault, ModuleError};
use crate::features::{Feature, Features};
use crate::names::{CustomSections, Names};
use crate::operator_class::OperatorClass;
use crate::outline::{self, OutlineMismatch};
use crate::section_map::{self, Producers, SectionMap};
use crate::types::BlockSig;

/// A function's code.
#[derive(Clone, Copy, Debug)]
pub struct FuncBody<'a> {
    /// Local declarations, followed by the expression with its `end`.
    pub bytes: &'a [u8],
    /// Offset of `bytes` in the module.
    pub offset: usize,
}

impl FuncBody<'_> {
    /// Returns true if the function has no calls and no loops.
    pub fn is_leaf(&self) -> bool {
        self.all_operators(OperatorClass::is_in_leaf)
    }

    /// Returns true if `condition` is true for the class of each operator.
    pub fn all_operators(&self, condition: impl Fn(OperatorClass) -> bool) -> bool {
        let reader = FunctionBody::new(BinaryReader::new(self.bytes, self.offset as u64));
        let Ok(operators) = reader.get_operators_reader() else { return false };
        operators.into_iter().all(|operator| operator.is_ok_and(|operator| condition(OperatorClass::of(&operator))))
    }
}

const VALIDATED: &str = "validation has checked the types";

/// Knowledge of a module within a component before it is decoded.
#[derive(Clone, Debug)]
pub enum Validity {
    /// The module is to be validated. Up to `threads` threads validate function bodies.
    Unknown {
        /// Most threads.
        threads: usize,
    },
    /// The function bodies were validated earlier, as the caller vouches. The rest is validated.
    KnownBodies,
    /// The module was validated earlier. The caller vouches that `outline` is of a module with the same bytes and features, as for
    /// [`Module::from_outline`].
    Known {
        /// The [outline](Module::outline).
        outline: ModuleBytes,
    },
}

/// Name that messages use for a module without a name.
pub const UNNAMED: &str = "<module>";

/// A decoded and validated module.
pub struct Module {
    bytes: ModuleBytes,
    name: Box<str>,
    features: Features,
    registry: Arc<TypeRegistry>,
    decls: Declarations,
    names: OnceLock<Names>,
    branch_hints: OnceLock<BranchHints>,
}

impl Module {
    /// Decodes and validates a binary module. Up to `threads` threads, including the calling one, validate function bodies.
    ///
    /// `name` is the module's name in messages, usually the file's base name. Types are interned in `types`.
    ///
    /// # Errors
    /// The fault at the lowest byte offset, for every number of threads.
    pub fn new(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        threads: usize,
    ) -> Result<Arc<Module>, ModuleError> {
        Module::decode(bytes, name, features, types, threads).map(Arc::new)
    }

    /// Decodes and validates a binary module like [`Module::new`].
    pub(crate) fn decode(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        threads: usize,
    ) -> Result<Module, ModuleError> {
        let decls = decode::decode(&bytes, features, types, threads).map_err(|error| error.in_module(name))?;
        Ok(Module::with_declarations(decls, bytes, name, features, types))
    }

    /// Decodes a module within a component, whose validator `validator` is: it was told of the module's section, and knows the module's
    /// type afterwards. `bytes` are those of the module alone, and offsets count from their beginning. `validity` says whether the
    /// module is to be validated.
    ///
    /// # Errors
    /// The fault at the lowest byte offset, or an outline that does not fit. The validator cannot be used after one.
    pub fn nested(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        validator: &mut wasmparser::Validator,
        validity: &Validity,
    ) -> Result<Arc<Module>, ModuleError> {
        let decls = match validity {
            Validity::Unknown { threads } => {
                decode::decode_sections(&bytes, features, types, validator, Some(*threads))?
            }
            Validity::KnownBodies => decode::decode_sections(&bytes, features, types, validator, None)?,
            Validity::Known { outline } => outline::decode(&bytes, features, types, outline.as_ref(), Some(validator))
                .map_err(|mismatch| ModuleError::new(Fault::Malformed, mismatch.to_string(), None))?,
        };
        Ok(Arc::new(Module::with_declarations(decls, bytes, name, features, types)))
    }

    /// Decodes a binary without validation, by the [outline](Module::outline) of a module with the same bytes and features.
    ///
    /// The caller vouches that the outline is of such a module, because compiled and interpreted code rely on validation: it
    /// has compared the whole binary, or a cryptographic hash of it, and has kept the outline where no one else can change it.
    ///
    /// # Errors
    /// If the outline is found not to fit. Not every wrong outline is found.
    pub fn from_outline(
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
        outline: &[u8],
    ) -> Result<Arc<Module>, OutlineMismatch> {
        let decls = outline::decode(&bytes, features, types, outline, None)?;
        Ok(Arc::new(Module::with_declarations(decls, bytes, name, features, types)))
    }

    fn with_declarations(
        decls: Declarations,
        bytes: ModuleBytes,
        name: &str,
        features: &Features,
        types: &Arc<TypeRegistry>,
    ) -> Module {
        Module {
            bytes,
            name: name.into(),
            features: *features,
            registry: types.clone(),
            decls,
            names: OnceLock::new(),
            branch_hints: OnceLock::new(),
        }
    }

    /// Returns the outline of the module, for [`Module::from_outline`].
    pub fn outline(&self) -> Vec<u8> {
        outline::write(self.bytes(), &self.features, &self.decls).unwrap_or_default()
    }

    /// Returns the binary.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Returns the binary with shared ownership.
    pub(crate) fn shared_bytes(&self) -> ModuleBytes {
        self.bytes.clone()
    }

    /// Returns the module's name in messages: the name passed to [`Module::new`], or, if that is [`UNNAMED`], the name in its
    /// name section.
    pub fn name(&self) -> &str {
        if &*self.name == UNNAMED { self.names().module_name().unwrap_or(UNNAMED) } else { &self.name }
    }

    /// Returns the registry of the module's types.
    pub fn registry(&self) -> &Arc<TypeRegistry> {
        &self.registry
    }

    /// Returns the features with which the module was validated.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Returns the canonical id of a type.
    pub fn type_id(&self, type_index: u32) -> TypeId {
        self.decls.types.id(type_index).expect(VALIDATED)
    }

    /// Returns the number of types.
    pub fn type_count(&self) -> u32 {
        self.decls.types.len() as u32
    }

    /// Returns the function type at a type index.
    ///
    /// # Panics
    /// If the index is out of range or the type is not a function type.
    pub fn func_type_of(&self, type_index: u32) -> &Arc<FuncType> {
        self.decls.types.func(type_index)
    }

    /// Returns the type at a type index, if it is a function type.
    pub fn as_func_type(&self, type_index: u32) -> Option<&Arc<FuncType>> {
        self.decls.types.as_func(type_index)
    }

    /// Returns the number of functions, including imports.
    pub fn func_count(&self) -> u32 {
        self.decls.funcs.len() as u32
    }

    /// Returns the number of imported functions.
    #[inline]
    pub fn imported_func_count(&self) -> u32 {
        self.decls.imported.funcs
    }

    /// Returns the number of defined functions.
    pub fn defined_func_count(&self) -> u32 {
        self.decls.bodies.len() as u32
    }

    /// Returns the layout of the objects of the type at a type index; `None` for a function type.
    pub fn layout(&self, type_index: u32) -> Option<&Layout> {
        self.decls.types.layout(type_index)
    }

    /// Returns true if the module has a struct or array type.
    pub fn has_objects(&self) -> bool {
        self.decls.types.has_objects()
    }

    /// Returns the layout of a struct type.
    ///
    /// # Panics
    /// If the type is no struct type. Validation excludes that for the operators of structs.
    #[inline]
    pub fn struct_layout(&self, type_index: u32) -> &StructLayout {
        match self.layout(type_index) {
            Some(Layout::Struct(layout)) => layout,
            _ => panic!("validated: type {type_index} is a struct type"),
        }
    }

    /// Returns the first element of an array type.
    ///
    /// # Panics
    /// If the type is no array type. Validation excludes that for the operators of arrays.
    #[inline]
    pub fn array_element(&self, type_index: u32) -> Field {
        match self.layout(type_index) {
            Some(Layout::Array(element)) => *element,
            _ => panic!("validated: type {type_index} is an array type"),
        }
    }

    /// Returns the type of a function.
    pub fn func_type(&self, func_index: u32) -> &Arc<FuncType> {
        self.decls.types.func(self.func_type_index(func_index))
    }

    /// Returns the canonical id of a function's type.
    pub fn func_type_id(&self, func_index: u32) -> TypeId {
        self.type_id(self.func_type_index(func_index))
    }

    /// Returns the type index of a function's type.
    pub fn func_type_index(&self, func_index: u32) -> u32 {
        self.decls.funcs[func_index as usize]
    }

    /// Returns the body of a defined function.
    pub fn body(&self, defined_index: u32) -> FuncBody<'_> {
        let BodyRange { start, end } = self.decls.bodies[defined_index as usize];
        let (start, end) = (start as usize, end as usize);
        FuncBody { bytes: &self.bytes()[start..end], offset: start }
    }

    /// Returns the imports, in order.
    pub fn imports(&self) -> &[Import] {
        &self.decls.imports
    }

    /// Returns the exports, in order.
    pub fn exports(&self) -> &[Export] {
        &self.decls.exports
    }

    /// Returns the export with a name.
    pub fn export(&self, name: &str) -> Option<&Export> {
        let exports = &self.decls.exports;
        let order = &self.decls.exports_by_name;
        let at = order.binary_search_by(|&index| (*exports[index as usize].name).cmp(name)).ok()?;
        Some(&exports[order[at] as usize])
    }

    /// Returns the type of an export of this module.
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

    /// Returns all memories, imports first.
    pub fn memories(&self) -> &[MemoryType] {
        &self.decls.memories
    }

    /// Returns all tables, imports first.
    pub fn tables(&self) -> &[TableDecl] {
        &self.decls.tables
    }

    /// Returns all globals, imports first.
    pub fn globals(&self) -> &[GlobalDecl] {
        &self.decls.globals
    }

    /// Returns the canonical function types of all tags, imports first.
    pub fn tags(&self) -> &[TypeId] {
        &self.decls.tags
    }

    /// Returns the type of a tag, whose parameters are the payload of its exceptions.
    pub fn tag_type(&self, index: u32) -> Arc<FuncType> {
        self.registry().func_type(self.decls.tags[index as usize]).expect("validated: a tag has a function type")
    }

    /// Returns the name of a tag: that of the name section, or of its first export, or of its import.
    pub fn tag_name(&self, index: u32) -> Option<&str> {
        let export = || {
            let is_it = |export: &&Export| export.kind == ExternKind::Tag && export.index == index;
            self.exports().iter().find(is_it).map(|export| &*export.name)
        };
        let import = || {
            let tags = self.imports().iter().filter(|import| matches!(import.ty, ExternType::Tag(_)));
            tags.map(|import| &*import.name).nth(index as usize)
        };
        self.names().tag_name(index).or_else(export).or_else(import)
    }

    /// Returns the number of imported tables.
    pub fn imported_table_count(&self) -> u32 {
        self.decls.imported.tables
    }

    /// Returns the number of imported memories.
    pub fn imported_memory_count(&self) -> u32 {
        self.decls.imported.memories
    }

    /// Returns the number of imported globals.
    pub fn imported_global_count(&self) -> u32 {
        self.decls.imported.globals
    }

    /// Returns the number of imported tags.
    pub fn imported_tag_count(&self) -> u32 {
        self.decls.imported.tags
    }

    /// Returns the index of the [start function](https://webassembly.github.io/spec/core/syntax/modules.html#start-function).
    pub fn start(&self) -> Option<u32> {
        self.decls.start
    }

    /// Returns the element segments.
    pub fn elements(&self) -> &[ElementSegment] {
        &self.decls.elements
    }

    /// Returns the data segments.
    pub fn data(&self) -> &[DataSegment] {
        &self.decls.data
    }

    /// Returns the contents of a data segment.
    pub fn data_bytes(&self, segment: &DataSegment) -> &[u8] {
        &self.bytes()[segment.range.start as usize..segment.range.end as usize]
    }

    /// Returns the name section. The first call reads it.
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::read(&self.bytes, self.func_count(), self.tags().len() as u32))
    }

    /// Returns the hint for the branch at an offset in the module: true if it is usually taken. The first call reads all hints.
    pub fn branch_hint(&self, offset: usize) -> Option<bool> {
        if !self.features.contains(Feature::BranchHinting) {
            return None;
        }
        let body = |func: u32| {
            let index =
                func.checked_sub(self.imported_func_count()).filter(|&index| index < self.defined_func_count())?;
            let body = self.body(index);
            Some((body.offset as u32, body.bytes.len() as u32))
        };
        let hints = self.branch_hints.get_or_init(|| branch_hints::read(self.bytes(), body));
        let found = hints.binary_search_by_key(&offset, |&(at, _)| at as usize).ok()?;
        Some(hints[found].1)
    }

    /// Returns the custom sections, in order, each with its name and the range of its contents in [`Module::bytes`].
    pub fn custom_sections(&self) -> CustomSections<'_> {
        CustomSections::new(self.bytes())
    }

    /// Returns all sections, in order.
    pub fn sections(&self) -> SectionMap<'_> {
        SectionMap::new(self.bytes())
    }

    /// Returns the fields of the producers section, which names the tools that created the module.
    pub fn producers(&self) -> Vec<Producers<'_>> {
        section_map::producers(self.bytes())
    }

    /// Converts a value type of this module.
    pub fn val_type(&self, ty: wasmparser::ValType) -> ValType {
        self.decls.types.val_type(ty).expect(VALIDATED)
    }

    /// Converts a reference type of this module.
    pub fn ref_type(&self, ty: wasmparser::RefType) -> RefType {
        self.decls.types.ref_type(ty).expect(VALIDATED)
    }

    /// Converts a heap type of this module.
    pub fn heap_type(&self, ty: wasmparser::HeapType) -> HeapType {
        self.decls.types.heap_type(ty).expect(VALIDATED)
    }

    /// Converts a block type of this module.
    pub fn block_sig(&self, ty: wasmparser::BlockType) -> BlockSig<'_> {
        self.decls.types.block_sig(ty).expect(VALIDATED)
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
    fn a_leaf_has_no_calls_and_no_loops() {
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
