//! Conversion of wasmparser's items to [`Declarations`], with one function for each section.
//!
//! `decode` validates a section before it calls [`section`]; `outline` calls it for the sections of a binary that was validated
//! earlier. The only further check is for parts that no tier executes. The functions do not rely on validation: for bytes that no
//! valid module has, they return an error or wrong declarations, and do not panic. Vectors grow as items are read; no memory is
//! reserved for a declared count.

use std::ops::Range;
use std::sync::Arc;

use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, ElementItems as ElementItemsReader, ElementKind, ElementSectionReader,
    ExportSectionReader, ExternalKind, FunctionSectionReader, GlobalSectionReader, ImportSectionReader,
    MemorySectionReader, Payload, SectionLimited, TableInit, TableSectionReader, TagSectionReader, TypeRef,
    TypeSectionReader,
};
use wasmr_core::limits::MAX_IMPORT_NAMES;
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, RefType};

use crate::const_expr::{ConstExpr, ConstOp};
use crate::decls::{
    DataMode, DataSegment, Declarations, ElementItems, ElementMode, ElementSegment, Export, ExternKind, GlobalDecl,
    Import, TableDecl,
};
use crate::error::{Fault, ModuleError};
use crate::types::memory_type;

type Done = Result<(), ModuleError>;

/// Converts a section of `binary`. Sections without declarations are ignored, among them the code section.
pub(crate) fn section(
    decls: &mut Declarations,
    registry: &Arc<TypeRegistry>,
    binary: &[u8],
    payload: Payload<'_>,
) -> Done {
    match payload {
        Payload::TypeSection(reader) => types(decls, registry, reader),
        Payload::ImportSection(reader) => imports(decls, reader),
        Payload::FunctionSection(reader) => functions(decls, binary, reader),
        Payload::TableSection(reader) => tables(decls, reader),
        Payload::MemorySection(reader) => memories(decls, reader),
        Payload::TagSection(reader) => tags(decls, reader),
        Payload::GlobalSection(reader) => globals(decls, reader),
        Payload::ExportSection(reader) => exports(decls, reader),
        Payload::StartSection { func, .. } => {
            decls.start = Some(func);
            Ok(())
        }
        Payload::ElementSection(reader) => elements(decls, reader),
        Payload::DataSection(reader) => data(decls, reader),
        _ => Ok(()),
    }
}

fn types(decls: &mut Declarations, registry: &Arc<TypeRegistry>, reader: TypeSectionReader<'_>) -> Done {
    for group in reader {
        decls.types.push_group(&group.map_err(ModuleError::malformed)?, registry)?;
    }
    Ok(())
}

fn imports(decls: &mut Declarations, reader: ImportSectionReader<'_>) -> Done {
    let mut bytes = 0;
    for import in reader.into_imports_with_offsets() {
        let (offset, import) = import.map_err(ModuleError::malformed)?;
        bytes += import.module.len() + import.name.len();
        if bytes > MAX_IMPORT_NAMES {
            let message = format!("the names of its imports take more than the limit of {MAX_IMPORT_NAMES} bytes");
            return Err(ModuleError::new(Fault::OverLimit, message, Some(offset)));
        }
        let types = &decls.types;
        let ty = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                decls.funcs.push(index);
                decls.imported.funcs += 1;
                ExternType::Func(types.id(index)?)
            }
            TypeRef::Table(ty) => {
                let ty = types.table_type(ty)?;
                decls.tables.push(TableDecl { ty, init: None });
                decls.imported.tables += 1;
                ExternType::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = memory_type(ty);
                decls.memories.push(ty);
                decls.imported.memories += 1;
                ExternType::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = types.global_type(ty)?;
                decls.globals.push(GlobalDecl { ty, init: None });
                decls.imported.globals += 1;
                ExternType::Global(ty)
            }
            TypeRef::Tag(ty) => {
                let id = types.id(ty.func_type_idx)?;
                decls.tags.push(id);
                decls.imported.tags += 1;
                ExternType::Tag(id)
            }
        };
        decls.imports.push(Import { module: import.module.into(), name: import.name.into(), ty });
    }
    Ok(())
}

/// Converts the function section. It has a number for each function, and wasmparser's iterator over a section takes twice as
/// long as its reader.
fn functions(decls: &mut Declarations, binary: &[u8], section: FunctionSectionReader<'_>) -> Done {
    let Range { start, end } = section.range();
    let mut reader = BinaryReader::new(&binary[start as usize..end as usize], start);
    let count = reader.read_var_u32().map_err(ModuleError::malformed)?;
    for _ in 0..count {
        decls.funcs.push(reader.read_var_u32().map_err(ModuleError::malformed)?);
    }
    Ok(())
}

fn tables(decls: &mut Declarations, reader: TableSectionReader<'_>) -> Done {
    for table in reader {
        let table = table.map_err(ModuleError::malformed)?;
        let init = match &table.init {
            TableInit::RefNull => None,
            TableInit::Expr(expr) => Some(ConstExpr::decode(expr, &decls.types)?),
        };
        decls.tables.push(TableDecl { ty: decls.types.table_type(table.ty)?, init });
    }
    Ok(())
}

fn memories(decls: &mut Declarations, reader: MemorySectionReader<'_>) -> Done {
    for memory in reader {
        decls.memories.push(memory_type(memory.map_err(ModuleError::malformed)?));
    }
    Ok(())
}

fn tags(decls: &mut Declarations, reader: TagSectionReader<'_>) -> Done {
    for tag in reader {
        let tag = tag.map_err(ModuleError::malformed)?;
        decls.tags.push(decls.types.id(tag.func_type_idx)?);
    }
    Ok(())
}

fn globals(decls: &mut Declarations, reader: GlobalSectionReader<'_>) -> Done {
    for global in reader {
        let global = global.map_err(ModuleError::malformed)?;
        let init = Some(ConstExpr::decode(&global.init_expr, &decls.types)?);
        decls.globals.push(GlobalDecl { ty: decls.types.global_type(global.ty)?, init });
    }
    Ok(())
}

/// Converts the export section. Validation has refused duplicate names.
fn exports(decls: &mut Declarations, reader: ExportSectionReader<'_>) -> Done {
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

fn elements(decls: &mut Declarations, reader: ElementSectionReader<'_>) -> Done {
    for element in reader {
        let element = element.map_err(ModuleError::malformed)?;
        let mode = match &element.kind {
            ElementKind::Passive => ElementMode::Passive,
            ElementKind::Declared => ElementMode::Declared,
            ElementKind::Active { table_index, offset_expr } => ElementMode::Active {
                table: table_index.unwrap_or(0),
                offset: ConstExpr::decode(offset_expr, &decls.types)?,
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
                    items.push(ConstExpr::decode(&expr.map_err(ModuleError::malformed)?, &decls.types)?);
                }
                (decls.types.ref_type(ty)?, ElementItems::Exprs(items.into()))
            }
        };
        decls.elements.push(ElementSegment { ty, items, mode });
    }
    Ok(())
}

fn data(decls: &mut Declarations, reader: DataSectionReader<'_>) -> Done {
    for segment in reader {
        let segment = segment.map_err(ModuleError::malformed)?;
        let mode = match &segment.kind {
            DataKind::Passive => DataMode::Passive,
            DataKind::Active { memory_index: memory, offset_expr } => {
                let (memory, offset) = (*memory, ConstExpr::decode(offset_expr, &decls.types)?);
                match offset.as_single() {
                    Some(ConstOp::I32Const(address)) => DataMode::Active { memory, address: address as u32 as u64 },
                    Some(ConstOp::I64Const(address)) => DataMode::Active { memory, address: address as u64 },
                    _ => DataMode::Computed { memory, offset: Box::new(offset) },
                }
            }
        };
        // The contents are the last part of the segment. Lossless: the whole module is smaller than 4 GiB.
        let end = segment.range.end as u32;
        decls.data.push(DataSegment { range: end - segment.data.len() as u32..end, mode });
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
