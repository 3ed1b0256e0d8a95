//! [`InterpTier`]: the interpreter as a [`Tier`]: code for external callees, the live part of the value stack, and stack walks.

use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::tier::Tier;
use wasmr_runtime::vm::VmStore;
use wasmr_runtime::walk::{FrameList, Segment, Walk};

use crate::code::{code_block_of, identify};
use crate::copy_patch;
use crate::execute::access;
use crate::execute::frame::{exit_instruction, external_instruction, restore_instruction};
use crate::execute::self_test::self_test;
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
        // SAFETY: `landing` is async-signal-safe, as it only reads a constant table and the address range of copied code. It
        // returns the address of a handler that may follow any instruction of the table (`execute/access.rs`).
        unsafe { wasmr_runtime::sys::install_fault_handler(landing) };
        InterpTier
    }
}

/// Returns the address to continue at after a fault at `pc`, if that is an access of a handler or a copy of one.
fn landing(pc: usize) -> Option<usize> {
    (access::is_site(pc) || copy_patch::contains(pc)).then(access::landing_pad)
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
}

/// Moves a walk over its current segment if that is a run of the interpreter. Does nothing otherwise.
pub fn walk_segment(walk: &mut Walk<'_>) {
    let Some(Segment::Interpreted { fp, ip }) = walk.segment() else { return };
    let place = Place { fp, ip: ip.unwrap_or(external_instruction()) };
    // SAFETY: the segment of a walk starts at a live frame. `walk_run` returns the exit that the entry of the run kept, as
    // `leave_interpreted` asks.
    unsafe {
        let outer = walk_run(place, walk.frames());
        walk.leave_interpreted(outer.fp, outer.ip);
    }
}

/// A frame and its current instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Frame; null if there is none.
    fp: Fp,
    /// The instruction; [`external_instruction`] if the interpreter only made the frame, and another tier or the host executes
    /// the function.
    ip: Ip,
}

/// Adds the frames of one run to `frames`, from `place` to the run's outermost frame. Returns the place at which the
/// interpreter was left before that run.
///
/// # Safety
/// There is a live frame at `place`.
unsafe fn walk_run(place: Place, frames: &mut FrameList) -> Place {
    let Place { mut fp, ip: mut at } = place;
    loop {
        // SAFETY: `fp` is live, so its header is valid and its function alive. The caller of a live frame is live.
        unsafe {
            let func = fp.func();
            if at != external_instruction()
                && let Some((code, index, guarded)) = identify(func)
            {
                frames.add(code.module(), (*func).index, || {
                    let position = code.get(index, guarded)?.position(at)?;
                    translate::locate(&code.source(index, guarded), position)
                });
            }
            let mut return_to = fp.return_to();
            let entered = return_to == exit_instruction();
            if entered || return_to == restore_instruction() {
                return_to = fp.real_return();
            }
            fp = fp.caller();
            if entered {
                return Place { fp, ip: return_to };
            }
            at = return_to.call_before();
        }
    }
}
