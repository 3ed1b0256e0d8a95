//! [`call`]: the entry into the interpreter from the host and from compiled code. It makes the outermost frame of a run, runs,
//! and copies the results back.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{FRAME_HEADER, Fp};
use wasmr_runtime::vm::{Status, VmFunc, VmStore};

use crate::execute::dispatch::{Machine, run};
use crate::execute::frame::exit_instruction;
use crate::execute::operand::zero_float_acc;

/// Calls a wasm function: an [`ArrayCall`](wasmr_runtime::vm::ArrayCall). Returns [`Status::TAIL`] if the function ends with a
/// tail call of a function that another tier or the host executes.
///
/// # Safety
/// As for [`ArrayCall`](wasmr_runtime::vm::ArrayCall); the function belongs to an instance that this crate executes.
pub(crate) unsafe extern "C" fn call(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: store, function and instance are alive, as `ArrayCall` asks, and `slots` holds the arguments.
    unsafe {
        let top = (*store).stack_top;
        if top >= (*store).stack_limit {
            (*store).trap_code = TrapCode::StackExhausted;
            return Status::TRAP;
        }
        // Compiled code passes the arguments at the top of the value stack, where the frame begins with them.
        if slots.wrapping_add((*func).arg_slots as usize) == top {
            execute(store, func, slots)
        } else {
            call_with_copies(store, func, slots)
        }
    }
}

/// Calls a wasm function with a copy of its arguments at the top of the value stack. A function of its own, because compiled and
/// interpreted functions may call each other until the native stack is used up: without copies, a call needs less of it.
///
/// # Safety
/// As for [`call`]; the top of the value stack is below its limit.
#[inline(never)]
unsafe extern "C" fn call_with_copies(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the caller promises what `execute` asks for. `STACK_SLACK` covers the arguments, and `slots` has room for results.
    unsafe {
        let (base, arg_slots) = ((*store).stack_top, (*func).arg_slots as usize);
        base.copy_from_nonoverlapping(slots, arg_slots);
        let status = execute(store, func, base);
        if status == Status::OK {
            slots.copy_from_nonoverlapping(base, arg_slots);
        }
        status
    }
}

/// Executes a run of a function whose arguments are at `base`.
///
/// # Safety
/// As for [`call`]; the arguments begin or end at the top of the value stack, which is below its limit.
#[inline(always)]
unsafe fn execute(store: *mut VmStore, func: *mut VmFunc, base: *mut u64) -> Status {
    // SAFETY: store, function and instance are alive. The new frame is above all others in use and inside the value stack:
    // `STACK_SLACK` covers arguments and header, and the function's first instruction checks the rest.
    unsafe {
        let top = (*store).stack_top;
        let fp = Fp::new(base.add((*func).arg_slots as usize + FRAME_HEADER));
        let outer = InterpreterExit::of(store);
        fp.set_header(func, outer.fp, exit_instruction());
        fp.set_real_return(outer.ip);
        let inst = (*func).instance;
        let status = run(Machine {
            ip: (*func).code,
            fp,
            mem: (*inst).memory0_base,
            inst,
            acc: 0,
            scratch: 0,
            facc: zero_float_acc(),
        });
        (*store).stack_top = top;
        if status == Status::OK || status == Status::TAIL {
            outer.note(store);
        }
        status
    }
}
