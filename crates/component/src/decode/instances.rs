//! Instances of core modules and of components.

use wasmparser::types::TypesRef;
use wasmparser::{
    ComponentExternalKind, ComponentInstance, ComponentInstanceSectionReader, ExternalKind, Instance,
    InstanceSectionReader,
};
use wasmr_module::{ExternKind, Fault, ModuleError};

use super::{Def, Done, Level, Operand, malformed};

/// Keeps the definitions of a section of core instances.
pub(super) fn core<'a>(level: &mut Level<'a>, reader: InstanceSectionReader<'a>, types: TypesRef<'_>) -> Done {
    for instance in reader {
        let def = match instance.map_err(malformed)? {
            Instance::Instantiate { module_index, args } => Def::CoreInstance {
                module: module_index,
                args: args.iter().map(|arg| (arg.name, arg.index)).collect(),
                ty: types.module_at(module_index),
            },
            Instance::FromExports(exports) => {
                Def::CoreExports(exports.iter().map(|item| (item.name, extern_kind(item.kind), item.index)).collect())
            }
        };
        level.push(def);
    }
    Ok(())
}

/// Keeps the definitions of a section of component instances.
pub(super) fn component<'a>(
    level: &mut Level<'a>,
    reader: ComponentInstanceSectionReader<'a>,
    types: TypesRef<'_>,
) -> Done {
    for instance in reader {
        let index = level.counts.instances;
        level.counts.instances += 1;
        let def = match instance.map_err(malformed)? {
            ComponentInstance::Instantiate { component_index, args } => {
                let args = operands(args.iter().map(|arg| (arg.name, arg.kind, arg.index)), types)?;
                Def::Instance { component: component_index, args, ty: types.component_instance_at(index) }
            }
            ComponentInstance::FromExports(exports) => {
                Def::Exports(operands(exports.iter().map(|item| (item.name.name, item.kind, item.index)), types)?)
            }
        };
        level.push(def);
    }
    Ok(())
}

/// Returns named items by kind and index.
fn operands<'a>(
    items: impl Iterator<Item = (&'a str, ComponentExternalKind, u32)>,
    types: TypesRef<'_>,
) -> Result<Box<[(&'a str, Operand)]>, ModuleError> {
    items.map(|(name, kind, index)| Ok((name, operand(kind, index, types)?))).collect()
}

/// Returns an item by kind and index.
pub(super) fn operand(kind: ComponentExternalKind, index: u32, types: TypesRef<'_>) -> Result<Operand, ModuleError> {
    Ok(match kind {
        ComponentExternalKind::Func => Operand::Func(index),
        ComponentExternalKind::Instance => Operand::Instance(index),
        ComponentExternalKind::Module => Operand::Module(index),
        ComponentExternalKind::Component => Operand::Component(index),
        ComponentExternalKind::Type => Operand::Type(types.component_any_type_at(index)),
        ComponentExternalKind::Value => return Err(values()),
    })
}

/// Returns the error for a component with values.
pub(super) fn values() -> ModuleError {
    ModuleError::new(Fault::Unsupported, "it has values, which wasmr does not support in components", None)
}

pub(super) fn extern_kind(kind: ExternalKind) -> ExternKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExternKind::Func,
        ExternalKind::Table => ExternKind::Table,
        ExternalKind::Memory => ExternKind::Memory,
        ExternalKind::Global => ExternKind::Global,
        ExternalKind::Tag => ExternKind::Tag,
    }
}
