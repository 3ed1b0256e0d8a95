//! [`InterpTier`]: the interpreter as a [`Tier`]: code for external callees, the live part of the value stack, and stack walks.

use std::ptr::NonNull;

use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::tier::Tier;
use wasmr_runtime::vm::VmStore;
use wasmr_runtime::walk::{FrameList, Place, PlaceKind, Segment, Walk};

use crate::code::{code_block_of, identify};
use crate::execute::access;
use crate::execute::frame::{exit_instruction, external_instruction, restore_instruction};
use crate::execute::self_test::self_test;
use crate::machine_code;
use crate::translate;

/// True if the handlers of this build may access guard-paged memory. After a fault another handler continues, as if by a jump,
/// so a handler that faults must have nothing on the native stack. That is known only of handlers that tail-call one another
/// (`execute/tests.rs`).
pub const MAY_FAULT: bool = cfg!(wasmr_tail);

/// The interpreter, ready to run.
#[derive(Debug)]
pub struct InterpTier;

impl InterpTier {
    /// Makes the interpreter ready to run. From now on memory faults of its handlers become traps.
    pub fn new() -> InterpTier {
        self_test();
        // SAFETY: `landing` is async-signal-safe, as it only reads a constant table and the address range of baseline code. It
        // returns the address of a handler that may follow any instruction of the table (`execute/access.rs`).
        unsafe { wasmr_runtime::sys::install_fault_handler(landing) };
        InterpTier
    }
}

/// Returns the address to continue at after a fault at `pc`, if that is an access of a handler or of baseline code.
fn landing(pc: usize) -> Option<usize> {
    (access::is_site(pc) || machine_code::contains(pc)).then(access::landing_pad)
}

impl Default for InterpTier {
    fn default() -> InterpTier {
        InterpTier::new()
    }
}

impl Tier for InterpTier {
    fn external_code(&self) -> Ip {
        external_instruction()
    }

    fn stack_in_use(&self, store: &VmStore) -> *mut u64 {
        let exit = store.interpreter_exit();
        if exit.fp.is_null() {
            return store.stack_top;
        }
        // SAFETY: the exit is the innermost frame that was left, and it is live. All frames above it have ended or are below
        // `stack_top`.
        let block = unsafe { code_block_of(exit.fp.func()) };
        let slot0 = exit.fp.as_ptr();
        let end = block.map_or(slot0, |block| slot0.wrapping_add(block.frame_slots as usize));
        end.max(store.stack_top)
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        while let Some(Segment::Interpreted { .. }) = walk.segment() {
            walk_segment(walk);
        }
    }

    fn locate(&self, place: Place, frames: &mut FrameList) {
        locate(place, frames);
    }
}

/// Adds the frame of a place in an interpreted function to a list. Does nothing for other places.
pub fn locate(place: Place, frames: &mut FrameList) {
    let PlaceKind::Interpreted { func, ip } = place.kind() else { return };
    // SAFETY: the function of a place is alive, and `walk_run` visits functions that this crate executes.
    let (found, func_index) = unsafe { (identify(func.as_ptr()), func.as_ref().index) };
    let Some((code, index, guarded)) = found else { return };
    frames.add(code.module(), func_index, || {
        let position = code.get(index, guarded)?.position(ip)?;
        translate::locate(&code.source(index, guarded), position)
    });
}

/// Moves a walk over its current segment if that is a run of the interpreter. Does nothing otherwise.
pub fn walk_segment(walk: &mut Walk<'_>) {
    let Some(Segment::Interpreted { fp, ip }) = walk.segment() else { return };
    // SAFETY: the segment of a walk starts at a live frame. `walk_run` returns the exit that the entry of the run kept, as
    // `leave_interpreted` asks.
    unsafe {
        let (fp, ip) = walk_run(fp, ip.unwrap_or(external_instruction()), walk);
        walk.leave_interpreted(fp, ip);
    }
}

/// Visits the frames of one run, from the frame `fp` at the instruction `at` to the run's outermost frame. Returns the frame, or
/// null, and the instruction at which the interpreter was left before that run. An instruction is [`external_instruction`] if
/// the interpreter only made the frame, and another tier or the host executes the function.
///
/// # Safety
/// `fp` is a live frame.
unsafe fn walk_run(mut fp: Fp, mut at: Ip, walk: &mut Walk<'_>) -> (Fp, Ip) {
    loop {
        // SAFETY: `fp` is live, so its header is valid and its function alive. The caller of a live frame is live.
        unsafe {
            if at != external_instruction()
                && let Some(func) = NonNull::new(fp.func())
            {
                walk.visit(Place::interpreted(func, at));
            }
            let mut return_to = fp.return_to();
            let entered = return_to == exit_instruction();
            if entered || return_to == restore_instruction() {
                return_to = fp.real_return();
            }
            fp = fp.caller();
            if entered {
                return (fp, return_to);
            }
            at = return_to.call_before();
        }
    }
}
