//! The interpreter as a [`Tier`]: code for foreign functions, and walks over the frames.

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

/// Whether this build's handlers may access guarded memory: a fault goes on in another handler as by a jump, so they must keep
/// nothing on the native stack. Only the builds whose handlers jump to one another are known not to (`execute/tests.rs`).
pub const MAY_FAULT: bool = cfg!(wasmr_tail);

/// The interpreter.
#[derive(Debug)]
pub struct InterpTier;

impl InterpTier {
    /// The interpreter, ready to run: memory faults are turned into traps from now on.
    pub fn new() -> InterpTier {
        self_test();
        // SAFETY: `landing` reads constant tables only, and the landing pad is a handler (see `execute/access.rs`).
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

/// Takes a walk over the frames of the run at hand; does nothing in machine code.
pub fn walk_segment(walk: &mut Walk<'_>) {
    let Some(Segment::Interpreted { fp, ip }) = walk.segment() else { return };
    let place = Place { fp, ip: ip.unwrap_or(external_instruction()) };
    // SAFETY: a walk goes from live frame to live frame, and is told here where the run before was left.
    unsafe {
        let outer = walk_run(place, walk.frames());
        walk.leave_interpreted(outer.fp, outer.ip);
    }
}

/// A frame, and the instruction at which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The frame; null if there is none.
    fp: Fp,
    /// The instruction; [`external_instruction`] if the interpreter made the frame for a callee that it does not execute.
    ip: Ip,
}

/// Adds the frames of one run: from `place` to the frame that was entered from outside. Gives the place at which the run
/// before it was left.
///
/// # Safety
/// There is a live frame at `place`.
unsafe fn walk_run(place: Place, frames: &mut FrameList) -> Place {
    let Place { mut fp, ip: mut at } = place;
    loop {
        // SAFETY: the headers lead from each live frame to its caller's.
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
