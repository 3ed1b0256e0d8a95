//! Exceptions in machine code: from where one is thrown to the handler of the innermost call around it.
//!
//! Calls inside of a `try_table` say which tags the clauses around them name, those of the whole function; what is named is taken,
//! and the handler finds out by which clause (`translate/exception.rs`). So frames stay as long as nobody catches. What nobody
//! in the activation takes leaves it as [`Status::THROW`], and is looked after by whoever waits for that.

use std::ptr;

use wasmr_runtime::Stop;
use wasmr_runtime::builtins::exception::{exception_caught, exception_leaves, exception_tag};
use wasmr_runtime::frame::Ip;
use wasmr_runtime::vm::{Status, VmInstance, VmStore, VmTag};

use crate::compiled::CallSite;
use crate::enter;
use crate::frames::Callers;
use crate::registry::bodies;

/// A handler, and what the registers must be for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Landing {
    pc: usize,
    sp: usize,
    fp: usize,
}

/// Throws an exception from where machine code was left; 0 stands for one that there was no room for, which nobody catches.
///
/// # Safety
/// Called for compiled code: [`VmStore::native_exit_fp`] is a frame that it called, in the innermost activation. What runs
/// since then has nothing to drop, and no Rust reference to the store is in use.
pub(crate) unsafe fn throw(store: *mut VmStore, exception: u64) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        if exception != 0 {
            if let Some(Landing { pc, sp, fp }) = find_handler(store, exception_tag(store, exception)) {
                forget_interpreted(store);
                (*store).pending_exception = 0;
                exception_caught(store);
                enter::resume(pc, sp, fp, exception)
            }
            exception_leaves(store, exception);
            forget_interpreted(store);
        }
        (*store).pending_exception = exception;
        enter::leave(store, Status::THROW)
    }
}

/// Frames of the interpreter that the innermost activation called are gone, or have been looked at for the last time.
///
/// # Safety
/// The store is alive and has an activation.
unsafe fn forget_interpreted(store: *mut VmStore) {
    // SAFETY: the caller's promise.
    unsafe {
        (*store).exit_fp = (*(*store).activation).exit_fp;
        (*store).exit_ip = Ip::NULL;
    }
}

/// The innermost call that has a handler for the tag.
///
/// # Safety
/// As for [`throw`].
unsafe fn find_handler(store: *mut VmStore, tag: *const VmTag) -> Option<Landing> {
    let bodies = bodies();
    // SAFETY: the caller's promise.
    let mut callers = unsafe { Callers::new((*store).native_exit_fp, (*store).activation) };
    callers.find_map(|caller| {
        let body = bodies.find(caller.return_to - 1)?;
        let site = body.call_site(caller.return_to)?;
        let sp = caller.fp - site.frame_offset as usize;
        // SAFETY: the frame is live and waits for the call.
        let handler = unsafe { handler_for(site, sp, tag) }?;
        Some(Landing { pc: body.start() + handler as usize, sp, fp: caller.fp })
    })
}

/// Where a call's handler for the tag is in its code.
///
/// # Safety
/// A frame with that stack pointer waits for the call.
unsafe fn handler_for(site: &CallSite, sp: usize, tag: *const VmTag) -> Option<u32> {
    let names = |offset: u32| {
        let Some(instance_offset) = site.instance_offset else { return false };
        // SAFETY: the frame keeps its instance there, which is alive and has a tag at that offset.
        unsafe {
            let instance = *(sp as *const *const VmInstance).byte_add(instance_offset as usize);
            *instance.byte_add(offset as usize).cast::<*const VmTag>() == tag
        }
    };
    site.handlers.iter().find(|handler| handler.tag.is_none_or(names)).map(|handler| handler.code)
}

/// Ends or goes on with what a trampoline out of machine code was left with other than [`Status::OK`]. Returns if it was a tail
/// call that now is made, with the results in `slots`.
///
/// # Safety
/// Called by a trampoline out, through the libcall, after `stack_top` is again what it was, `slots`; `fp` is its frame. No Rust
/// reference to the store is in use.
pub(crate) unsafe fn leave_stopped(store: *mut VmStore, mut status: Status, slots: *mut u64, fp: *const usize) {
    use wasmr_runtime::vm::finish_tail_calls;

    // SAFETY: the caller's promise; by it the frames from `fp` on are those of the innermost activation.
    unsafe {
        (*store).native_exit_fp = fp;
        if status == Status::TAIL {
            forget_interpreted(store);
            if is_outermost(store, fp) {
                enter::leave(store, status);
            }
            // The arguments and results of all of them are where those of the first were.
            (*store).stack_top = slots;
            status = finish_tail_calls(store, slots, 0);
        }
        if status != Status::OK {
            stopped(store, status)
        }
    }
}

/// Ends or goes on with what a call out of machine code ended with, other than [`Status::OK`] and a tail call.
///
/// # Safety
/// As for [`throw`]; the store knows what for.
pub(crate) unsafe fn stopped(store: *mut VmStore, status: Status) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        match status {
            Status::TRAP => enter::stop(store, Stop::trap((*store).trap_code)),
            Status::THROW => throw(store, ptr::replace(&raw mut (*store).pending_exception, 0)),
            other => enter::leave(store, other),
        }
    }
}

/// Whether nothing waits for a trampoline out but the trampoline into its activation.
///
/// # Safety
/// As for [`leave_stopped`].
unsafe fn is_outermost(store: *mut VmStore, fp: *const usize) -> bool {
    // SAFETY: the caller's promise: the trampoline out was called by a frame, which starts with the frame pointer of its caller.
    unsafe {
        let caller = *fp as *const usize;
        *caller == (*store).activation.addr()
    }
}
