//! Conversion of wasmparser's types to core's, with canonical ids instead of type indices.
//!
//! `sections` converts the type section; later the tiers' translators convert types in function bodies. Conversion does not rely
//! on validation: a type that a valid module cannot have is the error [`UnknownType`]. `outline` decodes without a validator, and
//! must refuse bytes that do not fit the outline.
//!
//! A type index refers to the types of this module; a [`TypeId`] is canonical in the engine. Type indices occur only in this
//! crate and in the translators' calls of it.

use std::sync::Arc;

use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};
use wasmr_core::layout::Layout;
use wasmr_core::registry::{RecGroup, TypeRegistry, Types};
use wasmr_core::types::{
    CompositeType, DEFAULT_PAGE_SIZE_LOG2, ExternType, FieldType, FuncType, GlobalType, HeapType, Limits, MemoryType,
    RefType, StorageType, SubType, TableType, TypeId, ValType,
};

use crate::error::{Fault, ModuleError};

/// The types of a module, by type index.
#[derive(Debug, Default)]
pub(crate) struct TypeTable {
    entries: Vec<TypeDecl>,
    /// Owner of the types in the registry; `None` before the first type.
    kept: Option<Types>,
    /// True if a type is a struct or array type.
    has_objects: bool,
}

#[derive(Debug)]
struct TypeDecl {
    id: TypeId,
    func: Option<Arc<FuncType>>,
    /// Layout of the objects; `None` for a function type.
    layout: Option<Layout>,
}

/// A type that no valid module has: its index is out of range, or no row of the feature table admits it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnknownType;

impl From<UnknownType> for ModuleError {
    fn from(_: UnknownType) -> ModuleError {
        ModuleError::new(Fault::Invalid, "unknown type", None)
    }
}

type Known<T> = Result<T, UnknownType>;

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
    ) -> Result<(), ModuleError> {
        let base = self.entries.len() as u32;
        let count = group.types().len() as u32;
        let id_below = |end: u32, index: u32| match index.checked_sub(base) {
            Some(local) if local < end => Ok(RecGroup::local(local)),
            Some(_) => Err(UnknownType),
            None => self.id(index),
        };
        let convert = |(at, ty): (u32, &wasmparser::SubType)| -> Known<SubType> {
            let supertype = ty.supertype_idxs.first().map(|index| match index.unpack() {
                UnpackedIndex::Module(index) => id_below(at, index),
                _ => Err(UnknownType),
            });
            let composite = composite_type(&ty.composite_type.inner, &|index| id_below(count, index))?;
            Ok(SubType { is_final: ty.is_final, supertype: supertype.transpose()?, composite })
        };
        let types = (0..).zip(group.types()).map(convert).collect::<Known<Vec<SubType>>>()?;
        let interned = self.kept.get_or_insert_with(|| Types::new(registry)).intern(RecGroup { types });
        let first = interned.map_err(|full| ModuleError::new(Fault::OverLimit, full.to_string(), None))?;
        for offset in 0..count {
            let id = TypeId(first.0 + offset);
            let func = registry.func_type(id);
            let layout = if func.is_some() { None } else { Layout::of(registry, &registry.sub_type(id)) };
            self.has_objects |= layout.is_some();
            self.entries.push(TypeDecl { id, func, layout });
        }
        Ok(())
    }

    /// Returns the number of types.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the canonical id of a type.
    pub(crate) fn id(&self, type_index: u32) -> Known<TypeId> {
        self.entries.get(type_index as usize).map(|entry| entry.id).ok_or(UnknownType)
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

    /// Returns the layout of the objects of the type at a type index; `None` for a function type.
    pub(crate) fn layout(&self, type_index: u32) -> Option<&Layout> {
        self.entries.get(type_index as usize)?.layout.as_ref()
    }

    /// Returns true if the module has a struct or array type.
    pub(crate) fn has_objects(&self) -> bool {
        self.has_objects
    }

    pub(crate) fn val_type(&self, ty: wasmparser::ValType) -> Known<ValType> {
        val_type(ty, &|index| self.id(index))
    }

    pub(crate) fn ref_type(&self, ty: wasmparser::RefType) -> Known<RefType> {
        ref_type(ty, &|index| self.id(index))
    }

    pub(crate) fn heap_type(&self, ty: wasmparser::HeapType) -> Known<HeapType> {
        heap_type(ty, &|index| self.id(index))
    }

    pub(crate) fn block_sig(&self, ty: wasmparser::BlockType) -> Known<BlockSig<'_>> {
        Ok(match ty {
            wasmparser::BlockType::Empty => BlockSig::Empty,
            wasmparser::BlockType::Type(ty) => BlockSig::Result(self.val_type(ty)?),
            wasmparser::BlockType::FuncType(index) => BlockSig::Func(self.as_func(index).ok_or(UnknownType)?),
        })
    }

    pub(crate) fn global_type(&self, ty: wasmparser::GlobalType) -> Known<GlobalType> {
        global_type(ty, &|index| self.id(index))
    }

    pub(crate) fn table_type(&self, ty: wasmparser::TableType) -> Known<TableType> {
        table_type(ty, &|index| self.id(index))
    }
}

fn global_type(ty: wasmparser::GlobalType, id: Ids<'_>) -> Known<GlobalType> {
    Ok(GlobalType { content: val_type(ty.content_type, id)?, mutable: ty.mutable })
}

fn table_type(ty: wasmparser::TableType, id: Ids<'_>) -> Known<TableType> {
    let limits = Limits { min: ty.initial, max: ty.maximum };
    Ok(TableType { limits, is64: ty.table64, element: ref_type(ty.element_type, id)? })
}

/// Converts a memory type.
pub(crate) fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    // Validation admits pages of 1 byte and of 64 KiB only.
    let page_size_log2 = ty.page_size_log2.map_or(DEFAULT_PAGE_SIZE_LOG2, |log2| log2 as u8);
    let limits = Limits { min: ty.initial, max: ty.maximum };
    MemoryType { limits, is64: ty.memory64, shared: ty.shared, page_size_log2 }
}

/// Converts the type of a core function of a component; `None` if it names a type by index.
pub fn core_func_type(ty: &wasmparser::FuncType) -> Option<FuncType> {
    let convert = |types: &[wasmparser::ValType]| -> Option<Box<[ValType]>> {
        types.iter().map(|&ty| val_type(ty, &|_| Err(UnknownType)).ok()).collect()
    };
    Some(FuncType::new(convert(ty.params())?, convert(ty.results())?))
}

/// Converts the type of an import or export of a core module that is an import of a component; `None` if it names a type by index.
/// `func` is the function type of a function or tag, which is interned in `kept`.
pub fn core_extern_type(
    ty: &wasmparser::types::EntityType,
    func: Option<&wasmparser::FuncType>,
    kept: &mut Types,
) -> Option<ExternType> {
    use wasmparser::types::EntityType;
    let unknown: Ids<'_> = &|_| Err(UnknownType);
    Some(match ty {
        EntityType::Func(_) | EntityType::FuncExact(_) => ExternType::Func(kept.intern_func(core_func_type(func?)?)),
        EntityType::Tag(_) => ExternType::Tag(kept.intern_func(core_func_type(func?)?)),
        EntityType::Table(ty) => ExternType::Table(table_type(*ty, unknown).ok()?),
        EntityType::Memory(ty) => ExternType::Memory(memory_type(*ty)),
        EntityType::Global(ty) => ExternType::Global(global_type(*ty, unknown).ok()?),
    })
}

/// Returns the canonical id for a type index.
type Ids<'a> = &'a dyn Fn(u32) -> Known<TypeId>;

fn val_type(ty: wasmparser::ValType, id: Ids<'_>) -> Known<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty, id)?),
    })
}

fn ref_type(ty: wasmparser::RefType, id: Ids<'_>) -> Known<RefType> {
    Ok(RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type(), id)? })
}

fn heap_type(ty: wasmparser::HeapType, id: Ids<'_>) -> Known<HeapType> {
    let kind = match ty {
        wasmparser::HeapType::Abstract { ty, .. } => ty,
        wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
            let UnpackedIndex::Module(index) = index else { return Err(UnknownType) };
            return id(index).map(HeapType::Concrete);
        }
    };
    Ok(match kind {
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
        AbstractHeapType::Cont | AbstractHeapType::NoCont => return Err(UnknownType),
    })
}

fn field_type(ty: wasmparser::FieldType, id: Ids<'_>) -> Known<FieldType> {
    let storage = match ty.element_type {
        wasmparser::StorageType::I8 => StorageType::I8,
        wasmparser::StorageType::I16 => StorageType::I16,
        wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty, id)?),
    };
    Ok(FieldType { storage, mutable: ty.mutable })
}

fn composite_type(ty: &CompositeInnerType, id: Ids<'_>) -> Known<CompositeType> {
    Ok(match ty {
        CompositeInnerType::Func(func) => {
            let convert = |types: &[wasmparser::ValType]| -> Known<Box<[ValType]>> {
                types.iter().map(|&ty| val_type(ty, id)).collect()
            };
            CompositeType::Func(Arc::new(FuncType::new(convert(func.params())?, convert(func.results())?)))
        }
        CompositeInnerType::Array(array) => CompositeType::Array(field_type(array.0, id)?),
        CompositeInnerType::Struct(fields) => {
            CompositeType::Struct(fields.fields.iter().map(|&field| field_type(field, id)).collect::<Known<_>>()?)
        }
        CompositeInnerType::Cont(_) => return Err(UnknownType),
    })
}
