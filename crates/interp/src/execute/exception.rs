//! Exceptions, and other stops of a call.
//!
//! A throw searches the frames for a `try_table` around each frame's current instruction. The tables are side data of the
//! translated code and cost nothing until then.

use wasmr_runtime::builtins;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance};

use super::dispatch::{Machine, budget_interrupt};
use super::frame::{exit_instruction, restore_instruction};
use super::hooks::catch_clause;

/// Continues at the catch clause that [`unwind`] found, or leaves the interpreter with the exception pending.
///
/// # Safety
/// `landing` is a result of `unwind`.
#[inline(always)]
unsafe fn resume(mut m: Machine, landing: Ip) -> usize {
    // SAFETY: `unwind` noted the frame of the catch clause in the store. That frame is live, and so is the instance of its
    // function.
    unsafe {
        if landing.is_null() {
            return m.stop(Status::THROW);
        }
        m.fp = InterpreterExit::of((*m.inst).store).fp;
        m.inst = (*m.fp.func()).instance;
        m.reload_memory();
        m.ip = landing;
        // A guest may loop by throwing.
        if m.spend() {
            return m.enter(budget_interrupt);
        }
        m.dispatch()
    }
}

/// Searches for the catch clause of an exception thrown at `at` in the frame `fp`. Returns the instruction to continue with,
/// and notes it with its frame as the interpreter's exit. If there is none, returns null and leaves the exception in
/// `VmStore::pending_exception`.
///
/// Arguments and results are plain words or in the store. So the handlers that call this keep no locals in memory, which would
/// cost them their tail call.
///
/// # Safety
/// `inst` is a live instance of the store, `fp` a live frame; `exception` is the exception in flight, or 0 if none could be
/// made.
#[inline(never)]
unsafe fn unwind(inst: *mut VmInstance, mut fp: Fp, mut at: Ip, exception: u64) -> Ip {
    // SAFETY: all frames of the run are live, and the run's outermost one returns to the exit instruction.
    unsafe {
        let store = (*inst).store;
        (*store).pending_exception = exception;
        if exception == 0 {
            return Ip::NULL;
        }
        let tag = builtins::exception::exception_tag(store, exception);
        loop {
            let func = fp.func();
            if !(*func).instance.is_null()
                && let landing = catch_clause(fp, at, tag, exception)
                && !landing.is_null()
            {
                builtins::exception::exception_caught(store);
                InterpreterExit { fp, ip: landing }.note(store);
                return landing;
            }
            if (*store).pending_exception == 0 {
                return Ip::NULL;
            }
            let mut return_to = fp.return_to();
            if return_to == exit_instruction() {
                return Ip::NULL;
            }
            if return_to == restore_instruction() {
                return_to = fp.real_return();
            }
            fp = fp.caller();
            at = return_to.call_before();
        }
    }
}

/// Continues after a libcall, or a call of a function through its entry, that ended early. For an exception, searches for a
/// catch clause from the frame `m.fp` on. Any other status leaves the interpreter.
///
/// # Safety
/// The handlers' contract; `status` is not `OK`, and the store has the details of it. `m.fp` is the calling frame, or the frame
/// made for the called function.
#[inline(always)]
pub(crate) unsafe fn leave_with(m: Machine, status: Status) -> usize {
    // SAFETY: by the handlers' contract the instance, its store and the frames of the run are alive.
    unsafe {
        if status != Status::THROW {
            return m.stop(status);
        }
        let exception = (*(*m.inst).store).pending_exception;
        resume(m, unwind(m.inst, m.fp, m.ip, exception))
    }
}
