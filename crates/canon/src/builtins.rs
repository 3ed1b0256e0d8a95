//! The canonical functions that are neither lifts nor lowers: those of resources, of the storage of tasks and of backpressure. The
//! others, of asynchronous components, trap.

use wasmr_component::{Builtin, InstanceId, ResourceId};
use wasmr_core::types::ValType;
use wasmr_runtime::{AsContextMut, Stop, StoreContextMut};

use crate::call::{call_core, within};
use crate::error::{AbiError, Place, trap};
use crate::handles::HandleKind;
use crate::resource::{HostDtor, ResourceKey};
use crate::state::{InstanceKey, State};

/// Calls a builtin of an instantiation.
pub(crate) fn call_builtin<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    live: u32,
    builtin: &Builtin,
    slots: &mut [u64],
) -> Result<(), Stop> {
    let state: &mut State = store.extension();
    let first = state.live[live as usize].first_instance;
    let key = |state: &State, id: ResourceId, instance: InstanceId| {
        (state.resource(live, id), InstanceKey(first + instance.0))
    };
    match *builtin {
        Builtin::ResourceNew(id, instance) => {
            let (ty, owner) = key(state, id, instance);
            state.check_may_leave(owner)?;
            let rep = slots[0] as u32;
            slots[0] = state.give_own(owner, ty, rep).map_err(|e| named(e, "resource.new"))?.into();
            Ok(())
        }
        Builtin::ResourceRep(id, instance) => {
            let (ty, owner) = key(state, id, instance);
            let handle = state.handle(owner, slots[0] as u32, ty).map_err(|e| named(e, "resource.rep"))?;
            slots[0] = handle.rep.into();
            Ok(())
        }
        Builtin::ResourceDrop(id, instance) => {
            let (ty, owner) = key(state, id, instance);
            state.check_may_leave(owner)?;
            let index = slots[0] as u32;
            let handle = *state.handle(owner, index, ty).map_err(|e| named(e, "resource.drop"))?;
            if handle.lends != 0 {
                return Err(named(AbiError::trap("cannot remove owned resource while borrowed"), "resource.drop"));
            }
            state.instance(owner).handles.remove(index);
            match handle.kind {
                HandleKind::Borrow { scope } => {
                    state.return_borrow(scope);
                    Ok(())
                }
                HandleKind::Own => destroy(store, ty, handle.rep, Some(owner)),
            }
        }
        Builtin::ContextGet(word, ref ty) => {
            let bits = context_word(state, word)?;
            slots[0] = if ty.results() == [ValType::I64] { *bits } else { u64::from(*bits as u32) };
            Ok(())
        }
        Builtin::ContextSet(word, _) => {
            *context_word(state, word)? = slots[0];
            Ok(())
        }
        Builtin::BackpressureInc(instance) => change_pressure(state, InstanceKey(first + instance.0), 1),
        Builtin::BackpressureDec(instance) => change_pressure(state, InstanceKey(first + instance.0), -1),
        Builtin::Unsupported(name, _, instance) => {
            state.check_may_leave(InstanceKey(first + instance.0))?;
            Err(trap(format!("`{name}` is not supported: components that wait for several things at once are not")))
        }
    }
}

/// Returns a word of the running task's storage. Validation admits no other word.
fn context_word(state: &mut State, word: u32) -> Result<&mut u64, Stop> {
    state.context.get_mut(word as usize).ok_or_else(|| trap("the storage of a task has no such word"))
}

fn change_pressure(state: &mut State, key: InstanceKey, by: i16) -> Result<(), Stop> {
    let pressure = &mut state.instance(key).backpressure;
    *pressure = pressure.checked_add_signed(by).ok_or_else(|| trap("backpressure counter out of range"))?;
    Ok(())
}

#[cold]
fn named(error: AbiError, builtin: &str) -> Stop {
    error.into_stop(builtin, Place::Call)
}

/// Runs the destructor of a resource that no one owns any more. `caller` is the component instance that dropped it.
pub(crate) fn destroy<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    key: ResourceKey,
    rep: u32,
    caller: Option<InstanceKey>,
) -> Result<(), Stop> {
    let state: &mut State = store.extension();
    let info = &state.resources[key.0 as usize];
    if let Some(dtor) = &info.host_dtor {
        let dtor = dtor.downcast_ref::<HostDtor<T>>().cloned();
        return match dtor {
            Some(dtor) => dtor(store, rep),
            None => Ok(()),
        };
    }
    let (Some(dtor), Some(implementer)) = (info.dtor, info.implementer) else { return Ok(()) };
    let entered = state.entering(implementer, caller);
    let mut store = store.as_context_mut().without_data();
    within(&mut store, entered.iter().copied(), false, |store, _| call_core(store, dtor, &mut [u64::from(rep)]))
}
