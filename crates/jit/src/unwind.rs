//! Exceptions in machine code: from where one is thrown to the handler of the innermost call around it.
//!
//! Only calls inside of a `try_table` have a handler, which takes any exception and looks itself whether it is one of its own
//! (`translate/exception.rs`); if not, it throws again from there. So nothing is known of tags here. What no handler of the
//! activation takes leaves it as [`Status::THROW`], and is looked after by whoever waits for that.

use std::ptr;

use wasmr_runtime::vm::{Status, VmStore};

use crate::enter;
use crate::frames::Callers;
use crate::registry::bodies;

/// A handler, and what the registers must be for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Handler {
    pc: usize,
    sp: usize,
    fp: usize,
}

/// Throws an exception from where machine code was left; 0 stands for one that there was no room for, which nobody catches.
///
/// # Safety
/// Called for compiled code: [`VmStore::native_exit_fp`] is a frame that it called, in the innermost activation. What runs
/// since then has nothing to drop, and no Rust reference to the store is in use.
pub unsafe fn throw(store: *mut VmStore, exception: u64) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        if exception != 0
            && let Some(Handler { pc, sp, fp }) = find_handler(store)
        {
            // Frames of the interpreter that the exception came through are gone.
            (*store).exit_fp = (*(*store).activation).exit_fp;
            (*store).pending_exception = 0;
            enter::resume(pc, sp, fp, exception)
        }
        (*store).pending_exception = exception;
        enter::leave(store, Status::THROW)
    }
}

/// The handler of the innermost call that has one.
///
/// # Safety
/// As for [`throw`].
unsafe fn find_handler(store: *mut VmStore) -> Option<Handler> {
    let bodies = bodies();
    // SAFETY: the caller's promise.
    let mut callers = unsafe { Callers::new((*store).native_exit_fp, (*store).activation) };
    callers.find_map(|caller| {
        let (pc, frame_offset) = bodies.find(caller.return_to - 1)?.handler(caller.return_to)?;
        Some(Handler { pc, sp: caller.fp - frame_offset, fp: caller.fp })
    })
}

/// Ends or goes on with what a passage out of machine code was left with other than [`Status::OK`]. Returns if it was a tail
/// call that now is made, with the results in `slots`.
///
/// # Safety
/// Called by a passage out, through the helper, after `stack_top` is again what it was, `slots`; `fp` is its frame. No Rust
/// reference to the store is in use.
pub unsafe fn leave_stopped(store: *mut VmStore, mut status: Status, slots: *mut u64, fp: *const usize) {
    use wasmr_runtime::trap::Stop;
    use wasmr_runtime::vm::finish_tail_calls;

    // SAFETY: the caller's promise; by it the frames from `fp` on are those of the innermost activation.
    unsafe {
        (*store).native_exit_fp = fp;
        if status == Status::TAIL {
            (*store).exit_fp = (*(*store).activation).exit_fp;
            if is_outermost(store, fp) {
                enter::leave(store, status);
            }
            // The arguments and results of all of them are where those of the first were.
            (*store).stack_top = slots;
            status = finish_tail_calls(store, slots, 0);
        }
        match status {
            Status::OK => {}
            Status::TRAP => enter::stop(store, Stop::trap((*store).trap_code)),
            Status::THROW => throw(store, ptr::replace(&raw mut (*store).pending_exception, 0)),
            other => enter::leave(store, other),
        }
    }
}

/// Whether nothing waits for a passage out but the passage into its activation.
///
/// # Safety
/// As for [`leave_stopped`].
unsafe fn is_outermost(store: *mut VmStore, fp: *const usize) -> bool {
    // SAFETY: the caller's promise: the passage out was called by a frame, which starts with the frame pointer of its caller.
    unsafe {
        let caller = *fp as *const usize;
        *caller == (*store).activation.addr()
    }
}
