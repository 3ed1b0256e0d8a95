//! Calls of component instances, and of core functions over slots.

use wasmr_runtime::{Func as CoreFunc, Stop, StopKind, StoreContextMut};

use crate::abi::NO_SCOPE;
use crate::error::trap;
use crate::state::{InstanceKey, State};

/// Slots of the core parameters or results of a function: at most 16, and a pointer for the result.
pub(crate) const MAX_SLOTS: usize = 17;

/// Calls a core function with parameters in `slots`, which has its results at return. An exception that leaves the function is a trap,
/// because it may not cross the boundary of a component.
///
/// The function's type was compared with the types by which the caller fills the slots: validation does so for functions of the
/// component's own modules, and instantiation for those of the host's modules. All are numbers.
#[inline]
pub(crate) fn call_core(
    store: &mut StoreContextMut<'_, ()>,
    func: CoreFunc,
    slots: &mut [u64],
) -> std::result::Result<(), Stop> {
    // SAFETY: all parameters are numbers, as the canonical ABI has no others, and callers write them zero-extended to slots. That the
    // slots are enough for the function is checked.
    let result = unsafe { func.call_slots(store, slots) };
    result.map_err(|stop| if matches!(stop.kind(), StopKind::Throw(_)) { uncaught() } else { stop })
}

#[cold]
fn uncaught() -> Stop {
    trap("an exception left a component instance")
}

/// Runs `call` within component instances, with a scope if the call lends handles, and notes how it ended. `entered` are the instances
/// that the call gets into ([`State::enter`]). The call is a task with storage of its own.
#[inline]
pub(crate) fn within<R>(
    store: &mut StoreContextMut<'_, ()>,
    entered: impl Iterator<Item = InstanceKey> + Clone,
    lends: bool,
    call: impl FnOnce(&mut StoreContextMut<'_, ()>, u32) -> std::result::Result<R, Stop>,
) -> std::result::Result<R, Stop> {
    let state: &mut State = store.extension();
    state.enter(entered.clone())?;
    let scope = if lends { state.open_scope() } else { NO_SCOPE };
    let callers = std::mem::take(&mut state.context);
    let result = call(store, scope);
    let state: &mut State = store.extension();
    state.context = callers;
    if scope != NO_SCOPE {
        state.close_scope(scope);
    }
    match &result {
        Ok(_) => state.leave(entered),
        Err(stop) => state.fail(entered, stop),
    }
    result
}
