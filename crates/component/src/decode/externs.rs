//! Imports and exports of components.

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::TypesRef;
use wasmparser::{ComponentExportSectionReader, ComponentExternalKind, ComponentImportSectionReader};
use wasmr_module::ModuleError;

use super::instances::{operand, values};
use super::{Def, Done, Level, malformed};

/// Keeps the definitions of a section of imports.
pub(super) fn imports<'a>(
    level: &mut Level<'a>,
    reader: ComponentImportSectionReader<'a>,
    types: TypesRef<'_>,
) -> Done {
    for import in reader {
        let import = import.map_err(malformed)?;
        let ty = next(level, import.ty.kind(), types)?;
        level.push(Def::Import { name: import.name.name, ty });
    }
    Ok(())
}

/// Keeps the definitions of a section of exports.
pub(super) fn exports<'a>(
    level: &mut Level<'a>,
    reader: ComponentExportSectionReader<'a>,
    types: TypesRef<'_>,
) -> Done {
    for export in reader {
        let export = export.map_err(malformed)?;
        let ty = next(level, export.kind, types)?;
        level.push(Def::Export { name: export.name.name, item: operand(export.kind, export.index, types)?, ty });
    }
    Ok(())
}

/// Counts an item that an import or export has appended to the index space of its kind, and returns its type.
fn next(
    level: &mut Level<'_>,
    kind: ComponentExternalKind,
    types: TypesRef<'_>,
) -> Result<ComponentEntityType, ModuleError> {
    let counts = &mut level.counts;
    let take = |count: &mut u32| {
        *count += 1;
        *count - 1
    };
    Ok(match kind {
        ComponentExternalKind::Func => ComponentEntityType::Func(types.component_function_at(take(&mut counts.funcs))),
        ComponentExternalKind::Instance => {
            ComponentEntityType::Instance(types.component_instance_at(take(&mut counts.instances)))
        }
        ComponentExternalKind::Module => ComponentEntityType::Module(types.module_at(take(&mut counts.modules))),
        ComponentExternalKind::Component => {
            ComponentEntityType::Component(types.component_at(take(&mut counts.components)))
        }
        ComponentExternalKind::Type => {
            let created = types.component_any_type_at(take(&mut counts.types));
            ComponentEntityType::Type { referenced: created, created }
        }
        ComponentExternalKind::Value => return Err(values()),
    })
}
