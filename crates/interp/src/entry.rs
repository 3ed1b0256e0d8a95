//! The host's way into the interpreter: an [`ArrayCall`](wasmr_runtime::vm::ArrayCall) that makes a frame, runs, and copies
//! the results back.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{FRAME_HEADER, Fp};
use wasmr_runtime::vm::{Status, VmFunc, VmStore};

use crate::execute::dispatch::{Machine, run};
use crate::execute::frame::exit_instruction;
use crate::execute::operand::zero_float_acc;

/// Calls a wasm function. It may end with a tail call of a function that another tier or the host executes:
/// [`Status::TAIL`].
///
/// # Safety
/// As [`ArrayCall`](wasmr_runtime::vm::ArrayCall) says; the function belongs to an instance that this crate executes.
pub unsafe extern "C" fn call(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the caller's promise. The frame is above all others in use, inside the value stack: `STACK_SLACK` covers the
    // arguments and the header, and the function's first instruction checks the rest.
    unsafe {
        let arg_slots = (*func).arg_slots as usize;
        let top = (*store).stack_top;
        let limit = (*store).stack_limit;
        if top >= limit {
            (*store).trap_code = TrapCode::StackExhausted;
            return Status::TRAP;
        }
        // Compiled code puts the arguments where the frame can begin with them.
        let in_place = slots.wrapping_add(arg_slots) == top;
        let base = if in_place { slots } else { top };
        let fp = Fp::new(base.add(arg_slots + FRAME_HEADER));
        let outer = InterpreterExit::of(store);
        if !in_place {
            base.copy_from_nonoverlapping(slots, arg_slots);
        }
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
        if status == Status::OK && !in_place {
            slots.copy_from_nonoverlapping(base, arg_slots);
        }
        if status == Status::OK || status == Status::TAIL {
            outer.note(store);
        }
        status
    }
}
