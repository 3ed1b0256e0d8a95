//! Calls of core functions over slots.

use wasmr_runtime::{Func as CoreFunc, Stop, StopKind, StoreContextMut};

use crate::error::trap;

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
    result.map_err(|stop| if matches!(stop.kind(), StopKind::Throw(_)) { uncaught(&stop) } else { stop })
}

#[cold]
fn uncaught(stop: &Stop) -> Stop {
    let _ = stop;
    trap("an exception left a component instance")
}
