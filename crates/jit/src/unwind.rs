//! Exceptions in machine code: the way from a throw to the landing pad of the innermost call that catches it.
//!
//! Unwinding has two steps, like the two phases of the Itanium C++ ABI
//! (<https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html>, section 1.3). This file searches the waiting calls for one whose
//! tags include the exception's, and discards no frame before it has found one. An exception that nothing catches therefore
//! still has its whole backtrace. The landing pad then selects the clause (`translate/exception.rs`): a call inside a
//! `try_table` lists the tags of all clauses around it in its function.
//!
//! An exception that no call of the activation catches ends the activation with [`Status::THROW`]. The tier that began the
//! activation then continues the search.
//!
//! # Cost
//! A frame on the way costs the look-up of its return address, whose answer each thread remembers ([`Site`]): programs throw
//! through few different calls. An exception gets an object only if the landing pad needs the reference.

use std::cell::Cell;
use std::ptr;

use wasmr_runtime::Stop;
use wasmr_runtime::builtins::exception::{
    exception_caught, exception_leaves, exception_object, exception_tag, load_payload,
};
use wasmr_runtime::exit::{drop_interpreted, note_native_exit};
use wasmr_runtime::vm::{NativeFrame, Status, VmInstance, VmStore, VmTag};

use crate::enter;
use crate::frames::Callers;
use crate::registry;
use crate::tables::{CallSite, LandingPad};

/// A landing pad, with the stack and frame pointers that its code expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ResumePoint {
    pc: usize,
    sp: usize,
    fp: usize,
    /// True if the landing pad needs the reference of the exception.
    with_reference: bool,
}

/// Answer to the question for the call that returns to an address.
#[derive(Clone, Copy)]
struct Site {
    return_to: usize,
    /// Number of removals from the registry before the answer was found. Code that is at the address after a further one may be
    /// other code.
    removals: u64,
    /// Start of the code.
    start: usize,
    /// The call site; null if the call has no landing pads.
    site: *const CallSite,
}

/// Number of answers that a thread remembers.
const SITES: usize = 64;

thread_local! {
    /// The latest answers, by a hash of the return address.
    static RECENT: [Cell<Site>; SITES] =
        const { [const { Cell::new(Site { return_to: 0, removals: 0, start: 0, site: ptr::null() }) }; SITES] };
}

/// Returns the code and the call site of a call that a live frame of this thread waits for.
fn site_of(return_to: usize) -> Site {
    // Calls are some bytes long, so the lowest bits differ little between neighbours.
    let place = (return_to >> 2 ^ return_to >> 8) % SITES;
    let removals = registry::removals();
    let known = RECENT.with(|recent| recent[place].get());
    if known.return_to == return_to && known.removals == removals {
        return known;
    }
    let registry = registry::read();
    let code = registry.find(return_to - 1);
    let site = code.and_then(|code| code.call_site(return_to)).map_or(ptr::null(), ptr::from_ref);
    let site = Site { return_to, removals, start: code.map_or(0, |code| code.start()), site };
    RECENT.with(|recent| recent[place].set(site));
    site
}

/// Throws an exception from the call with which machine code was left. If `exception` is 0, no exception could be allocated,
/// and no clause catches the throw.
///
/// # Safety
/// [`VmStore::native_exit_fp`] is a live frame in the innermost activation that compiled code called. No frame since that call,
/// the caller's included, holds anything to drop, and no Rust reference to the store is in use.
pub(crate) unsafe fn throw(store: *mut VmStore, mut exception: u64) -> ! {
    // SAFETY: the store has an activation, and `native_exit_fp` is a live frame in it, as `find_landing_pad` requires. The
    // resume point belongs to a live frame of that activation. No frame in between holds anything to drop, so `resume` and
    // `leave` may discard them.
    unsafe {
        if exception != 0 {
            match find_landing_pad(store, exception_tag(store, exception)) {
                Some(ResumePoint { pc, sp, fp, with_reference }) => {
                    if with_reference {
                        exception = exception_object(store, exception);
                    }
                    if exception != 0 {
                        load_payload(store, exception);
                        drop_interpreted(store);
                        exception_caught(store);
                        enter::resume(pc, sp, fp, exception)
                    }
                }
                None => exception_leaves(store),
            }
            drop_interpreted(store);
        }
        (*store).pending_exception = exception;
        enter::leave(store, Status::THROW)
    }
}

/// Returns the landing pad of the innermost waiting call that has one for the tag.
///
/// # Safety
/// The store has an activation, and [`VmStore::native_exit_fp`] is a live frame in it that compiled code called.
unsafe fn find_landing_pad(store: *mut VmStore, tag: *const VmTag) -> Option<ResumePoint> {
    // SAFETY: `native_exit_fp` is a live frame of the innermost activation, which waits for this call to return.
    let mut callers = unsafe { Callers::new((*store).native_exit_fp, (*store).activation) };
    callers.find_map(|caller| {
        let Site { start, site, .. } = site_of(caller.return_to);
        // SAFETY: the frame is live, so its code is registered, and the registry keeps its tables. The answer is about this code,
        // because none was removed since.
        let site = unsafe { site.as_ref() }?;
        let sp = caller.fp - site.frame_offset as usize;
        // SAFETY: the frame is live and waits for the call of `site`, so `sp` is its stack pointer.
        let LandingPad { landing, code } = unsafe { landing_pad_for(site, sp, tag) }?;
        let with_reference = landing.with_reference;
        Some(ResumePoint { pc: start + code as usize, sp, fp: caller.fp, with_reference })
    })
}

/// Returns a call's landing pad for the tag.
///
/// # Safety
/// A live frame with stack pointer `sp` waits for the call of `site`.
unsafe fn landing_pad_for(site: &CallSite, sp: usize, tag: *const VmTag) -> Option<LandingPad> {
    let names = |offset: u32| {
        let Some(instance_offset) = site.instance_offset else { return false };
        // SAFETY: compiled code keeps its instance in that word of the frame while it waits for the call. The instance is
        // alive, as its code runs, and the translator took `offset` from the layout of the module, so a tag's pointer is there.
        unsafe {
            let instance = *(sp as *const *const VmInstance).byte_add(instance_offset as usize);
            *instance.byte_add(offset as usize).cast::<*const VmTag>() == tag
        }
    };
    site.landing_pads.iter().find(|pad| pad.landing.tag.is_none_or(names)).copied()
}

/// Continues after the callee of an exit trampoline ended with a status other than [`Status::OK`]. After [`Status::TAIL`],
/// makes the tail call, and returns with the results in `slots` if that ends with `OK`. Otherwise ends the activation or
/// continues at a landing pad.
///
/// # Safety
/// Called by an exit trampoline through its libcall. `fp` is the trampoline's frame, and `slots` its area of arguments and results,
/// to which it has reset `stack_top`. No Rust reference to the store is in use.
pub(crate) unsafe fn leave_stopped(store: *mut VmStore, mut status: Status, slots: *mut u64, fp: *const NativeFrame) {
    use wasmr_runtime::vm::finish_tail_calls;

    // SAFETY: compiled code called the trampoline, so `fp` is a live frame of the innermost activation, as `stopped`, `is_outermost`
    // and `drop_interpreted` require. `slots` is the trampoline's area at the top of the value stack, where `finish_tail_calls`
    // reads the arguments. This function holds nothing to drop.
    unsafe {
        note_native_exit(store, fp);
        if status == Status::TAIL {
            drop_interpreted(store);
            if is_outermost(store, fp) {
                enter::leave(store, status);
            }
            // All callees of the chain have their arguments and results in the trampoline's area.
            (*store).stack_top = slots;
            status = finish_tail_calls(store, slots, 0);
        }
        if status != Status::OK {
            stopped(store, status)
        }
    }
}

/// Ends the activation, or continues at a landing pad, after a call out of machine code ended with a status other than
/// [`Status::OK`] and [`Status::TAIL`].
///
/// # Safety
/// As for [`throw`]. The store holds the trap code, exception or error of the status.
pub(crate) unsafe fn stopped(store: *mut VmStore, status: Status) -> ! {
    // SAFETY: the contract of `throw` includes those of `enter::stop` and `enter::leave`.
    unsafe {
        match status {
            Status::TRAP => enter::stop(store, Stop::trap((*store).trap_code)),
            Status::THROW => throw(store, ptr::replace(&raw mut (*store).pending_exception, 0)),
            other => enter::leave(store, other),
        }
    }
}

/// Returns true if the activation's entry trampoline itself waits for an exit trampoline, because all compiled functions made
/// tail calls. The activation can then end and leave the next tail call to its caller, so that the chain uses no stack.
///
/// # Safety
/// `fp` is the live frame of an exit trampoline in the innermost activation.
unsafe fn is_outermost(store: *mut VmStore, fp: *const NativeFrame) -> bool {
    // SAFETY: the first word of the trampoline's frame is the frame pointer of the frame that waits for it, which is live and
    // begins with the frame pointer of its own caller.
    unsafe { (*(*fp).caller).caller.addr() == (*store).activation.addr() }
}
