//! Type definitions. Only resource types are kept: each instantiation makes new ones. wasmparser has all other types.

use wasmparser::component_types::ComponentAnyTypeId;
use wasmparser::types::TypesRef;
use wasmparser::{ComponentType, ComponentTypeSectionReader};

use super::{Def, Done, Level, malformed};

/// Keeps the resource types that a section of types defines.
pub(super) fn section<'a>(level: &mut Level<'a>, reader: ComponentTypeSectionReader<'a>, types: TypesRef<'_>) -> Done {
    for ty in reader {
        let index = level.counts.types;
        level.counts.types += 1;
        if let ComponentType::Resource { dtor, .. } = ty.map_err(malformed)?
            && let ComponentAnyTypeId::Resource(id) = types.component_any_type_at(index)
        {
            level.push(Def::Resource { id: id.resource(), dtor });
        }
    }
    Ok(())
}
