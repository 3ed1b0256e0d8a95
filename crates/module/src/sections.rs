//! Conversion of wasmparser's items to [`Declarations`], with one function for each section.
//!
//! `decode` has validated the section before it calls the function. The only further check is for parts that no tier
//! executes. Vectors grow as items are read; no memory is reserved for a declared count.

use std::sync::Arc;

use wasmparser::{
    DataKind, DataSectionReader, ElementItems as ElementItemsReader, ElementKind, ElementSectionReader,
    ExportSectionReader, ExternalKind, FunctionSectionReader, GlobalSectionReader, ImportSectionReader,
    MemorySectionReader, SectionLimited, TableInit, TableSectionReader, TagSectionReader, TypeRef, TypeSectionReader,
};
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, RefType};

use crate::const_expr::ConstExpr;
use crate::decls::{
    DataMode, DataSegment, Declarations, ElementItems, ElementMode, ElementSegment, Export, ExternKind, GlobalDecl,
    Import, TableDecl,
};
use crate::error::{Fault, ModuleError};
use crate::types::memory_type;

type Done = Result<(), ModuleError>;

pub(crate) fn types(decls: &mut Declarations, registry: &Arc<TypeRegistry>, reader: TypeSectionReader<'_>) -> Done {
    for group in reader {
        let pushed = decls.types.push_group(&group.map_err(ModuleError::malformed)?, registry);
        pushed.map_err(|full| ModuleError::new(Fault::OverLimit, full.to_string(), None))?;
    }
    Ok(())
}

pub(crate) fn imports(decls: &mut Declarations, reader: ImportSectionReader<'_>) -> Done {
    for import in reader.into_imports_with_offsets() {
        let (offset, import) = import.map_err(ModuleError::malformed)?;
        let types = &decls.types;
        let ty = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                decls.funcs.push(index);
                decls.imported.funcs += 1;
                ExternType::Func(types.id(index))
            }
            TypeRef::Table(ty) => {
                let ty = types.table_type(ty);
                decls.tables.push(TableDecl { ty, init: None });
                decls.imported.tables += 1;
                ExternType::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = memory_type(ty, offset, decls.purpose)?;
                decls.memories.push(ty);
                decls.imported.memories += 1;
                ExternType::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = types.global_type(ty);
                decls.globals.push(GlobalDecl { ty, init: None });
                decls.imported.globals += 1;
                ExternType::Global(ty)
            }
            TypeRef::Tag(ty) => {
                let id = types.id(ty.func_type_idx);
                decls.tags.push(id);
                decls.imported.tags += 1;
                ExternType::Tag(id)
            }
        };
        decls.imports.push(Import { module: import.module.into(), name: import.name.into(), ty });
    }
    Ok(())
}

pub(crate) fn functions(decls: &mut Declarations, reader: FunctionSectionReader<'_>) -> Done {
    for type_index in reader {
        decls.funcs.push(type_index.map_err(ModuleError::malformed)?);
    }
    Ok(())
}

pub(crate) fn tables(decls: &mut Declarations, reader: TableSectionReader<'_>) -> Done {
    for table in reader {
        let table = table.map_err(ModuleError::malformed)?;
        let init = match &table.init {
            TableInit::RefNull => None,
            TableInit::Expr(expr) => Some(ConstExpr::decode(expr, &decls.types, decls.purpose)?),
        };
        decls.tables.push(TableDecl { ty: decls.types.table_type(table.ty), init });
    }
    Ok(())
}

pub(crate) fn memories(decls: &mut Declarations, reader: MemorySectionReader<'_>) -> Done {
    for memory in reader.into_iter_with_offsets() {
        let (offset, ty) = memory.map_err(ModuleError::malformed)?;
        decls.memories.push(memory_type(ty, offset, decls.purpose)?);
    }
    Ok(())
}

pub(crate) fn tags(decls: &mut Declarations, reader: TagSectionReader<'_>) -> Done {
    for tag in reader {
        let tag = tag.map_err(ModuleError::malformed)?;
        decls.tags.push(decls.types.id(tag.func_type_idx));
    }
    Ok(())
}

pub(crate) fn globals(decls: &mut Declarations, reader: GlobalSectionReader<'_>) -> Done {
    for global in reader {
        let global = global.map_err(ModuleError::malformed)?;
        let init = Some(ConstExpr::decode(&global.init_expr, &decls.types, decls.purpose)?);
        decls.globals.push(GlobalDecl { ty: decls.types.global_type(global.ty), init });
    }
    Ok(())
}

/// Converts the export section. Validation has refused duplicate names.
pub(crate) fn exports(decls: &mut Declarations, reader: ExportSectionReader<'_>) -> Done {
    for export in reader {
        let export = export.map_err(ModuleError::malformed)?;
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExternKind::Func,
            ExternalKind::Table => ExternKind::Table,
            ExternalKind::Memory => ExternKind::Memory,
            ExternalKind::Global => ExternKind::Global,
            ExternalKind::Tag => ExternKind::Tag,
        };
        decls.exports.push(Export { name: export.name.into(), kind, index: export.index });
    }
    let exports = &decls.exports;
    let mut order: Vec<u32> = (0..exports.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| exports[a as usize].name.cmp(&exports[b as usize].name));
    decls.exports_by_name = order;
    Ok(())
}

pub(crate) fn elements(decls: &mut Declarations, reader: ElementSectionReader<'_>) -> Done {
    for element in reader {
        let element = element.map_err(ModuleError::malformed)?;
        let mode = match &element.kind {
            ElementKind::Passive => ElementMode::Passive,
            ElementKind::Declared => ElementMode::Declared,
            ElementKind::Active { table_index, offset_expr } => ElementMode::Active {
                table: table_index.unwrap_or(0),
                offset: ConstExpr::decode(offset_expr, &decls.types, decls.purpose)?,
            },
        };
        let (ty, items) = match element.items {
            ElementItemsReader::Functions(funcs) => {
                // `elemkind` 0 and the form without a kind mean `(ref func)`, which excludes null. See
                // https://webassembly.github.io/spec/core/binary/modules.html#element-section
                (RefType { nullable: false, ..RefType::FUNCREF }, ElementItems::Funcs(collect(funcs)?))
            }
            ElementItemsReader::Expressions(ty, exprs) => {
                let mut items = Vec::new();
                for expr in exprs {
                    items.push(ConstExpr::decode(&expr.map_err(ModuleError::malformed)?, &decls.types, decls.purpose)?);
                }
                (decls.types.ref_type(ty), ElementItems::Exprs(items.into()))
            }
        };
        decls.elements.push(ElementSegment { ty, items, mode });
    }
    Ok(())
}

pub(crate) fn data(decls: &mut Declarations, reader: DataSectionReader<'_>) -> Done {
    for segment in reader {
        let segment = segment.map_err(ModuleError::malformed)?;
        let mode = match &segment.kind {
            DataKind::Passive => DataMode::Passive,
            DataKind::Active { memory_index, offset_expr } => DataMode::Active {
                memory: *memory_index,
                offset: ConstExpr::decode(offset_expr, &decls.types, decls.purpose)?,
            },
        };
        // The contents are the last part of the segment.
        let end = segment.range.end as usize;
        decls.data.push(DataSegment { range: end - segment.data.len()..end, mode });
    }
    Ok(())
}

fn collect(items: SectionLimited<'_, u32>) -> Result<Box<[u32]>, ModuleError> {
    let mut out = Vec::new();
    for item in items {
        out.push(item.map_err(ModuleError::malformed)?);
    }
    Ok(out.into())
}
