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
    // SAFETY: store, function and instance are alive, as `ArrayCall` asks, and `slots` holds the arguments. The new frame is
    // above all others in use and inside the value stack: `STACK_SLACK` covers arguments and header, and the function's first
    // instruction checks the rest.
    unsafe {
        let arg_slots = (*func).arg_slots as usize;
        let top = (*store).stack_top;
        let limit = (*store).stack_limit;
        if top >= limit {
            (*store).trap_code = TrapCode::StackExhausted;
            return Status::TRAP;
        }
        // Compiled code passes the arguments at the top of the value stack, where the frame begins with them.
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
