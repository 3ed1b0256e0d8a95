//! Aliases: exports of instances, and items of enclosing components.

use wasmparser::{ComponentAlias, ComponentAliasSectionReader, ComponentExternalKind, ComponentOuterAliasKind};
use wasmr_module::ExternKind;

use super::instances::{extern_kind, values};
use super::{Def, Done, Level, malformed};

/// Keeps the definitions of a section of aliases.
pub(super) fn section<'a>(level: &mut Level<'a>, reader: ComponentAliasSectionReader<'a>) -> Done {
    for alias in reader {
        let counts = &mut level.counts;
        let def = match alias.map_err(malformed)? {
            ComponentAlias::InstanceExport { kind, instance_index: instance, name } => {
                match kind {
                    ComponentExternalKind::Func => counts.funcs += 1,
                    ComponentExternalKind::Instance => counts.instances += 1,
                    ComponentExternalKind::Module => counts.modules += 1,
                    ComponentExternalKind::Component => counts.components += 1,
                    // The type has an id in wasmparser's index space.
                    ComponentExternalKind::Type => {
                        counts.types += 1;
                        continue;
                    }
                    ComponentExternalKind::Value => return Err(values()),
                }
                Def::Alias { kind, instance, name }
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index: instance, name } => {
                let kind = extern_kind(kind);
                if kind == ExternKind::Func {
                    counts.core_funcs += 1;
                }
                Def::CoreAlias { kind, instance, name }
            }
            ComponentAlias::Outer { kind, count, index } => match kind {
                ComponentOuterAliasKind::CoreModule => {
                    counts.modules += 1;
                    Def::OuterModule { count, index }
                }
                ComponentOuterAliasKind::Component => {
                    counts.components += 1;
                    Def::OuterComponent { count, index }
                }
                ComponentOuterAliasKind::Type => {
                    counts.types += 1;
                    continue;
                }
                ComponentOuterAliasKind::CoreType => continue,
            },
        };
        level.push(def);
    }
    Ok(())
}
