//! Conversion of wasmparser's types to core's, with canonical ids instead of type indices.
//!
//! `sections` converts the type section; later the tiers' translators convert types in function bodies. All types were
//! validated, so type indices are always in range.
//!
//! A type index refers to the types of this module; a [`TypeId`] is canonical in the engine. Type indices occur only in this
//! crate and in the translators' calls of it.

use std::sync::Arc;

use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};
use wasmr_core::registry::{IdsUsedUp, RecGroup, TypeRegistry, Types};
use wasmr_core::types::{
    CompositeType, DEFAULT_PAGE_SIZE_LOG2, FieldType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType,
    StorageType, SubType, TableType, TypeId, ValType,
};

use crate::error::ModuleError;
use crate::execution::{self, Purpose};
use crate::features::Feature;

/// The types of a module, by type index.
#[derive(Debug, Default)]
pub(crate) struct TypeTable {
    entries: Vec<TypeDecl>,
    /// Owner of the types in the registry; `None` before the first type.
    kept: Option<Types>,
}

#[derive(Debug)]
struct TypeDecl {
    id: TypeId,
    func: Option<Arc<FuncType>>,
}

/// A [block type](https://webassembly.github.io/spec/core/valid/types.html#block-types): parameters and results of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSig<'a> {
    /// No parameters and no results.
    Empty,
    /// No parameters and one result.
    Result(ValType),
    /// Parameters and results of a function type.
    Func(&'a Arc<FuncType>),
}

impl BlockSig<'_> {
    /// Returns the parameter types.
    pub fn params(&self) -> &[ValType] {
        match self {
            BlockSig::Empty | BlockSig::Result(_) => &[],
            BlockSig::Func(ty) => ty.params(),
        }
    }

    /// Returns the result types.
    pub fn results(&self) -> &[ValType] {
        match self {
            BlockSig::Empty => &[],
            BlockSig::Result(ty) => std::slice::from_ref(ty),
            BlockSig::Func(ty) => ty.results(),
        }
    }
}

impl TypeTable {
    /// Interns a recursion group and appends its types.
    pub(crate) fn push_group(
        &mut self,
        group: &wasmparser::RecGroup,
        registry: &Arc<TypeRegistry>,
    ) -> Result<(), IdsUsedUp> {
        let base = self.entries.len() as u32;
        let id = |index: u32| match index.checked_sub(base) {
            Some(local) => RecGroup::local(local),
            None => self.entries[index as usize].id,
        };
        let convert = |ty: &wasmparser::SubType| SubType {
            is_final: ty.is_final,
            supertype: ty.supertype_idxs.first().and_then(|index| index.as_module_index()).map(id),
            composite: composite_type(&ty.composite_type.inner, &id),
        };
        let types: Vec<SubType> = group.types().map(convert).collect();
        let count = types.len() as u32;
        let first = self.kept.get_or_insert_with(|| Types::new(registry)).intern(RecGroup { types })?;
        for offset in 0..count {
            let id = TypeId(first.0 + offset);
            self.entries.push(TypeDecl { id, func: registry.func_type(id) });
        }
        Ok(())
    }

    /// Returns the number of types.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the canonical id of a type.
    pub(crate) fn id(&self, type_index: u32) -> TypeId {
        self.entries[type_index as usize].id
    }

    /// Returns the function type at a type index. Validation has checked that it is one.
    pub(crate) fn func(&self, type_index: u32) -> &Arc<FuncType> {
        let func = self.entries[type_index as usize].func.as_ref();
        func.expect("the validator accepts only function types here")
    }

    /// Returns the type at a type index, if it is a function type.
    pub(crate) fn as_func(&self, type_index: u32) -> Option<&Arc<FuncType>> {
        self.entries.get(type_index as usize)?.func.as_ref()
    }

    pub(crate) fn val_type(&self, ty: wasmparser::ValType) -> ValType {
        val_type(ty, &|index| self.id(index))
    }

    pub(crate) fn ref_type(&self, ty: wasmparser::RefType) -> RefType {
        ref_type(ty, &|index| self.id(index))
    }

    pub(crate) fn heap_type(&self, ty: wasmparser::HeapType) -> HeapType {
        heap_type(ty, &|index| self.id(index))
    }

    pub(crate) fn block_sig(&self, ty: wasmparser::BlockType) -> BlockSig<'_> {
        match ty {
            wasmparser::BlockType::Empty => BlockSig::Empty,
            wasmparser::BlockType::Type(ty) => BlockSig::Result(self.val_type(ty)),
            wasmparser::BlockType::FuncType(index) => BlockSig::Func(self.func(index)),
        }
    }

    pub(crate) fn global_type(&self, ty: wasmparser::GlobalType) -> GlobalType {
        GlobalType { content: self.val_type(ty.content_type), mutable: ty.mutable }
    }

    pub(crate) fn table_type(&self, ty: wasmparser::TableType) -> TableType {
        TableType {
            limits: Limits { min: ty.initial, max: ty.maximum },
            is64: ty.table64,
            element: self.ref_type(ty.element_type),
        }
    }
}

/// Converts a memory type.
///
/// # Errors
/// If the module is to be executed and wasmr does not support such memories. The error has the `offset`.
pub(crate) fn memory_type(
    ty: wasmparser::MemoryType,
    offset: u64,
    purpose: Purpose,
) -> Result<MemoryType, ModuleError> {
    // Validation admits pages of 1 byte and of 64 KiB only.
    let page_size_log2 = ty.page_size_log2.map_or(DEFAULT_PAGE_SIZE_LOG2, |log2| log2 as u8);
    if purpose == Purpose::Run {
        if page_size_log2 != DEFAULT_PAGE_SIZE_LOG2 {
            let what = format!("memories with pages of {} byte", 1u64 << page_size_log2);
            return Err(execution::declaration(&what, Feature::CustomPageSizes, offset));
        }
        if ty.shared {
            return Err(execution::declaration("shared memories", Feature::Threads, offset));
        }
    }
    let limits = Limits { min: ty.initial, max: ty.maximum };
    Ok(MemoryType { limits, is64: ty.memory64, shared: ty.shared, page_size_log2 })
}

/// Converts a value type. `id` returns the canonical id for a type index.
fn val_type(ty: wasmparser::ValType, id: &dyn Fn(u32) -> TypeId) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty, id)),
    }
}

fn ref_type(ty: wasmparser::RefType, id: &dyn Fn(u32) -> TypeId) -> RefType {
    RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type(), id) }
}

fn heap_type(ty: wasmparser::HeapType, id: &dyn Fn(u32) -> TypeId) -> HeapType {
    let kind = match ty {
        wasmparser::HeapType::Abstract { ty, .. } => ty,
        wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
            let UnpackedIndex::Module(index) = index else {
                unreachable!("types read from the binary are module type indices")
            };
            return HeapType::Concrete(id(index));
        }
    };
    match kind {
        AbstractHeapType::Func => HeapType::Func,
        AbstractHeapType::Extern => HeapType::Extern,
        AbstractHeapType::Any => HeapType::Any,
        AbstractHeapType::None => HeapType::None,
        AbstractHeapType::NoExtern => HeapType::NoExtern,
        AbstractHeapType::NoFunc => HeapType::NoFunc,
        AbstractHeapType::Eq => HeapType::Eq,
        AbstractHeapType::Struct => HeapType::Struct,
        AbstractHeapType::Array => HeapType::Array,
        AbstractHeapType::I31 => HeapType::I31,
        AbstractHeapType::Exn => HeapType::Exn,
        AbstractHeapType::NoExn => HeapType::NoExn,
        AbstractHeapType::Cont | AbstractHeapType::NoCont => {
            unreachable!("no row of the feature table admits stack switching")
        }
    }
}

fn field_type(ty: wasmparser::FieldType, id: &dyn Fn(u32) -> TypeId) -> FieldType {
    let storage = match ty.element_type {
        wasmparser::StorageType::I8 => StorageType::I8,
        wasmparser::StorageType::I16 => StorageType::I16,
        wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty, id)),
    };
    FieldType { storage, mutable: ty.mutable }
}

fn composite_type(ty: &CompositeInnerType, id: &dyn Fn(u32) -> TypeId) -> CompositeType {
    match ty {
        CompositeInnerType::Func(func) => {
            let convert = |types: &[wasmparser::ValType]| -> Box<[ValType]> {
                types.iter().map(|&ty| val_type(ty, id)).collect()
            };
            CompositeType::Func(Arc::new(FuncType::new(convert(func.params()), convert(func.results()))))
        }
        CompositeInnerType::Array(array) => CompositeType::Array(field_type(array.0, id)),
        CompositeInnerType::Struct(fields) => {
            CompositeType::Struct(fields.fields.iter().map(|&field| field_type(field, id)).collect())
        }
        CompositeInnerType::Cont(_) => unreachable!("no row of the feature table admits stack switching"),
    }
}
