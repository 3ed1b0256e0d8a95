//! Fuel: taken from the store before the operators that it pays for.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::vm::VmInstance;

use super::dispatch::handlers;

/// Takes `cost` from the store's fuel. Returns false and sets the remaining fuel to zero if less than `cost` is left.
///
/// # Safety
/// The handlers' contract.
#[inline(always)]
unsafe fn take(inst: *mut VmInstance, cost: u64) -> bool {
    // SAFETY: by the handlers' contract the instance is alive, and so is its store.
    let fuel = unsafe { &mut (*(*inst).store).fuel };
    let enough = *fuel >= cost;
    *fuel = fuel.saturating_sub(cost);
    enough
}

handlers! {
    /// Takes as much fuel as word 1 says.
    fn charge[](m) {
        if take(m.inst, m.word(1)) { m.next(2) } else { m.trap(TrapCode::OutOfFuel) }
    }

    /// Takes fuel for a size: slot `a` divided by two to the power of `imm`.
    fn charge_by_size[](m) {
        if take(m.inst, *m.a() >> m.imm()) { m.next(2) } else { m.trap(TrapCode::OutOfFuel) }
    }
}
