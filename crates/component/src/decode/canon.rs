//! Canonical functions: lifts, lowers and builtins.

use std::sync::Arc;

use wasmparser::component_types::{ComponentAnyTypeId, ResourceId};
use wasmparser::types::TypesRef;
use wasmparser::{CanonicalFunction, ComponentCanonicalSectionReader};
use wasmr_module::{Fault, ModuleError, core_func_type};

use super::{Def, Done, Level, malformed};
use crate::component::CoreFuncType;

/// Keeps the definitions of a section of canonical functions.
pub(super) fn section<'a>(
    level: &mut Level<'a>,
    reader: ComponentCanonicalSectionReader<'a>,
    types: TypesRef<'_>,
) -> Done {
    for func in reader {
        let func = func.map_err(malformed)?;
        if let CanonicalFunction::Lift { core_func_index: core_func, type_index, options } = func {
            level.counts.funcs += 1;
            let ComponentAnyTypeId::Func(ty) = types.component_any_type_at(type_index) else { return Err(not_that()) };
            level.push(Def::Lift { core_func, ty, options });
            continue;
        }
        let core_type = core_type(types, level.counts.core_funcs)?;
        level.counts.core_funcs += 1;
        let def = match func {
            CanonicalFunction::Lower { func_index: func, options } => {
                Def::Lower { func, ty: types.component_function_at(func), options, core_type }
            }
            CanonicalFunction::ResourceNew { resource } => Def::ResourceNew(resource_at(types, resource)?),
            CanonicalFunction::ResourceRep { resource } => Def::ResourceRep(resource_at(types, resource)?),
            CanonicalFunction::ResourceDrop { resource } => Def::ResourceDrop(resource_at(types, resource)?),
            CanonicalFunction::ContextGet { slot, .. } => Def::ContextGet(slot, core_type),
            CanonicalFunction::ContextSet { slot, .. } => Def::ContextSet(slot, core_type),
            CanonicalFunction::BackpressureInc => Def::BackpressureInc,
            CanonicalFunction::BackpressureDec => Def::BackpressureDec,
            other => Def::Unsupported(name(&other), core_type),
        };
        level.push(def);
    }
    Ok(())
}

/// Returns the type of a core function.
fn core_type(types: TypesRef<'_>, index: u32) -> Result<CoreFuncType, ModuleError> {
    let converted = core_func_type(types[types.core_function_at(index)].unwrap_func());
    converted.map(Arc::new).ok_or_else(|| {
        let message = "a canonical function takes or returns references to defined types";
        ModuleError::new(Fault::Unsupported, message, None)
    })
}

fn resource_at(types: TypesRef<'_>, index: u32) -> Result<ResourceId, ModuleError> {
    match types.component_any_type_at(index) {
        ComponentAnyTypeId::Resource(id) => Ok(id.resource()),
        _ => Err(not_that()),
    }
}

/// Returns the error for a type of another kind than the validator admits.
fn not_that() -> ModuleError {
    ModuleError::new(Fault::Invalid, "a canonical function has a type of the wrong kind", None)
}

/// Returns the name of a builtin in the specification.
fn name(func: &CanonicalFunction) -> &'static str {
    match func {
        CanonicalFunction::Lift { .. } => "lift",
        CanonicalFunction::Lower { .. } => "lower",
        CanonicalFunction::ResourceNew { .. } => "resource.new",
        CanonicalFunction::ResourceDrop { .. } => "resource.drop",
        CanonicalFunction::ResourceRep { .. } => "resource.rep",
        CanonicalFunction::ThreadSpawnRef { .. } => "thread.spawn-ref",
        CanonicalFunction::ThreadSpawnIndirect { .. } => "thread.spawn-indirect",
        CanonicalFunction::ThreadAvailableParallelism => "thread.available-parallelism",
        CanonicalFunction::BackpressureInc => "backpressure.inc",
        CanonicalFunction::BackpressureDec => "backpressure.dec",
        CanonicalFunction::TaskReturn { .. } => "task.return",
        CanonicalFunction::TaskCancel => "task.cancel",
        CanonicalFunction::ContextGet { .. } => "context.get",
        CanonicalFunction::ContextSet { .. } => "context.set",
        CanonicalFunction::ThreadYield => "thread.yield",
        CanonicalFunction::SubtaskDrop => "subtask.drop",
        CanonicalFunction::SubtaskCancel { .. } => "subtask.cancel",
        CanonicalFunction::StreamNew { .. } => "stream.new",
        CanonicalFunction::StreamRead { .. } => "stream.read",
        CanonicalFunction::StreamWrite { .. } => "stream.write",
        CanonicalFunction::StreamForward { .. } => "stream.forward",
        CanonicalFunction::StreamCancelRead { .. } => "stream.cancel-read",
        CanonicalFunction::StreamCancelWrite { .. } => "stream.cancel-write",
        CanonicalFunction::StreamDropReadable { .. } => "stream.drop-readable",
        CanonicalFunction::StreamDropWritable { .. } => "stream.drop-writable",
        CanonicalFunction::FutureNew { .. } => "future.new",
        CanonicalFunction::FutureRead { .. } => "future.read",
        CanonicalFunction::FutureWrite { .. } => "future.write",
        CanonicalFunction::FutureForward { .. } => "future.forward",
        CanonicalFunction::FutureCancelRead { .. } => "future.cancel-read",
        CanonicalFunction::FutureCancelWrite { .. } => "future.cancel-write",
        CanonicalFunction::FutureDropReadable { .. } => "future.drop-readable",
        CanonicalFunction::FutureDropWritable { .. } => "future.drop-writable",
        CanonicalFunction::ErrorContextNew { .. } => "error-context.new",
        CanonicalFunction::ErrorContextDebugMessage { .. } => "error-context.debug-message",
        CanonicalFunction::ErrorContextDrop => "error-context.drop",
        CanonicalFunction::WaitableSetNew => "waitable-set.new",
        CanonicalFunction::WaitableSetWait { .. } => "waitable-set.wait",
        CanonicalFunction::WaitableSetPoll { .. } => "waitable-set.poll",
        CanonicalFunction::WaitableSetDrop => "waitable-set.drop",
        CanonicalFunction::WaitableJoin => "waitable.join",
        CanonicalFunction::ThreadIndex => "thread.index",
        CanonicalFunction::ThreadNewIndirect { .. } => "thread.new-indirect",
        CanonicalFunction::ThreadResumeLater => "thread.resume-later",
        CanonicalFunction::ThreadSuspend => "thread.suspend",
        CanonicalFunction::ThreadSuspendThenResume => "thread.suspend-then-resume",
        CanonicalFunction::ThreadYieldThenResume => "thread.yield-then-resume",
        CanonicalFunction::ThreadSuspendThenPromote => "thread.suspend-then-promote",
        CanonicalFunction::ThreadYieldThenPromote => "thread.yield-then-promote",
    }
}
