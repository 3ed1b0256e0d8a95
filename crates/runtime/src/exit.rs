//! Exits: the frames at which the guest was left, from which stack walks, throws and the collector start.
//!
//! A store has two exits, one for each stack: [`InterpreterExit`] in [`VmStore::exit_fp`] and [`VmStore::exit_ip`], and the
//! [`NativeFrame`] in [`VmStore::native_exit_fp`]. The rules:
//!
//! 1. The interpreter notes its exit before it calls out, and before it ends a run by a trap or a throw. `ip` is the
//!    instruction at which it leaves, or the external instruction if another tier executes the function of the frame.
//! 2. An entry into the interpreter saves the exit in the header of the run's outermost frame. It restores the exit if the run
//!    ends with results or a tail call. After any other end the exit stays: the backtrace starts there.
//! 3. An exit trampoline and a libcall of compiled code note the native exit. An activation saves both exits when it begins.
//!    When it ends, it restores the native exit and leaves the interpreter's, for the same reason as in 2.
//! 4. A caught exception drops the frames above the one that catches it. In the interpreter the exit becomes the frame that
//!    catches; the unwinder of compiled code calls [`drop_interpreted`]. A stop signal in compiled code, and a tail call out of
//!    compiled code, drop frames in the same way.
//! 5. A call by the host restores the interpreter's exit, however it ends (`call_slots` in `func.rs`). No exit ever names a
//!    frame of a call that has ended.

use crate::frame::{Fp, Ip};
use crate::vm::{NativeFrame, VmStore};

/// A frame of the interpreter and the instruction at which it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterpreterExit {
    /// The frame; null if the interpreter was never left.
    pub fp: Fp,
    /// The instruction; null if the frames above this one were dropped by compiled code.
    pub ip: Ip,
}

impl InterpreterExit {
    /// Returns the exit of a store.
    ///
    /// # Safety
    /// The store is alive, and this thread runs it.
    #[inline(always)]
    pub unsafe fn of(store: *const VmStore) -> InterpreterExit {
        // SAFETY: the store is alive, as the caller promises, and no other thread writes its fields.
        unsafe { InterpreterExit { fp: (*store).exit_fp, ip: (*store).exit_ip } }
    }

    /// Makes this the exit of a store.
    ///
    /// # Safety
    /// As for [`of`](InterpreterExit::of), and the rules of this file hold afterwards.
    #[inline(always)]
    pub unsafe fn note(self, store: *mut VmStore) {
        // SAFETY: the store is alive, as the caller promises, and no other thread reads its fields.
        unsafe {
            (*store).exit_fp = self.fp;
            (*store).exit_ip = self.ip;
        }
    }
}

impl VmStore {
    /// Returns the interpreter's exit. The shared borrow of the store keeps the guest from running.
    pub fn interpreter_exit(&self) -> InterpreterExit {
        InterpreterExit { fp: self.exit_fp, ip: self.exit_ip }
    }
}

/// Drops the interpreter's frames that the innermost activation called: the exit is again the one with which the activation began.
///
/// # Safety
/// The store is alive and has an activation, and this thread runs it. No walk needs these frames any more.
pub unsafe fn drop_interpreted(store: *mut VmStore) {
    // SAFETY: the store and its innermost activation are alive, as the caller promises.
    unsafe { InterpreterExit { fp: (*(*store).activation).exit_fp, ip: Ip::NULL }.note(store) }
}

/// Notes the native exit: `frame` is the frame with which compiled code was left.
///
/// # Safety
/// The store is alive, and this thread runs it. `frame` belongs to its innermost activation.
pub unsafe fn note_native_exit(store: *mut VmStore, frame: *const NativeFrame) {
    // SAFETY: the store is alive, as the caller promises.
    unsafe { (*store).native_exit_fp = frame }
}
