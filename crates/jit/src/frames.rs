//! Walks the frames of one activation along the frame pointers, from the point at which machine code was left to its entry.
//!
//! Every frame begins with its caller's frame pointer and, above it, the return address into the caller: the layout of the
//! System V ABI for x86-64, section 3.2.2 (<https://gitlab.com/x86-psABIs/x86-64-ABI>). Cranelift keeps it because of the
//! setting `preserve_frame_pointers`, and the shims of [`libcalls`](crate::libcalls) and the code of [`enter`](crate::enter)
//! begin likewise. Trampolines have such frames, too; a backtrace leaves them out since the registry knows no function for
//! them.

use wasmr_runtime::vm::{NativeFrame, VmActivation};
use wasmr_runtime::walk::{FrameList, Place, PlaceKind, Segment, Walk};

use crate::{link, registry};

/// A frame that waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Address that the call returns to.
    pub return_to: usize,
    /// The frame's frame pointer.
    pub fp: usize,
}

/// Iterator over the callers of a frame, innermost first, up to the entry trampoline of the activation.
#[derive(Debug)]
pub(crate) struct Callers {
    fp: *const NativeFrame,
    activation: *const VmActivation,
}

impl Callers {
    /// Begins at the frame with frame pointer `fp`.
    ///
    /// # Safety
    /// `fp` is a live frame of machine code in the activation. The activation stays alive and does not run while the iterator is
    /// used.
    pub(crate) unsafe fn new(fp: *const NativeFrame, activation: *const VmActivation) -> Callers {
        Callers { fp, activation }
    }
}

impl Iterator for Callers {
    type Item = Caller;

    fn next(&mut self) -> Option<Caller> {
        // SAFETY: by the contract of `new`, `self.fp` is a live frame at the first call. Each frame begins with the frame pointer
        // of the next one and the return address; the loop ends before it would read the activation as a frame.
        let NativeFrame { caller, return_to } = unsafe { self.fp.read() };
        if caller.cast() == self.activation {
            return None;
        }
        self.fp = caller;
        Some(Caller { return_to, fp: caller.addr() })
    }
}

/// Returns the activation that a frame of machine code belongs to: the end of its chain of frame pointers.
///
/// # Safety
/// `fp` is a live frame that an entry or OSR trampoline called, directly or through further machine code.
pub(crate) unsafe fn activation_of(mut fp: *const NativeFrame) -> *mut VmActivation {
    loop {
        // SAFETY: the frame is live, so its first two words are its caller's frame pointer and its return address. The trampoline's
        // frame is the only one that returns to other than compiled code; its caller's frame pointer is the activation.
        let NativeFrame { caller, return_to } = unsafe { fp.read() };
        if !link::is_code(return_to) {
            return caller.cast_mut().cast();
        }
        fp = caller;
    }
}

/// Visits the frames of the walk's current segment, if that is an activation, and moves the walk on. Does nothing in a segment of
/// the interpreter.
pub fn walk_segment(walk: &mut Walk<'_>) {
    let Some(Segment::Native { fp, activation }) = walk.segment() else { return };
    // SAFETY: a walk is over a store that does not run meanwhile, and its segment names a live activation and the frame with
    // which that was left.
    for caller in unsafe { Callers::new(fp, activation) } {
        walk.visit(Place::native(caller.return_to));
    }
    walk.leave_native();
}

/// Adds the frames of a place in compiled code to a list: those of inlined functions too, and none for a trampoline. Does nothing
/// for other places.
pub fn locate(place: Place, frames: &mut FrameList) {
    let PlaceKind::Native { return_to } = place.kind() else { return };
    // An address inside the call instruction: the code after it may belong to another operator.
    let pc = return_to - 1;
    let registry = registry::read();
    let Some(code) = registry.find(pc) else { return };
    let (Some(module), Some(func_index)) = (code.module(), code.func_index()) else { return };
    let pcs = code.wasm_pcs(pc);
    if pcs.is_empty() {
        frames.add(module, func_index, || None);
    }
    for pc in pcs {
        frames.add(module, pc.func_index, || Some(pc.offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_end_at_the_activation() {
        // Frame pointers, from the innermost frame: 0 → 2 → 4 → 6, which is the activation.
        let mut words = [0usize; 8];
        let base = words.as_mut_ptr();
        let at = |n: usize| base.wrapping_add(n);
        // SAFETY: all indices are less than 8, so every access is inside the array.
        unsafe {
            for (frame, caller, return_to) in [(0, 2, 100), (2, 4, 200), (4, 6, 300)] {
                *at(frame) = at(caller).expose_provenance();
                *at(frame + 1) = return_to;
            }
            let callers: Vec<Caller> = Callers::new(at(0).cast(), at(6).cast()).collect();
            let caller = |return_to, frame: usize| Caller { return_to, fp: at(frame).addr() };
            assert_eq!(callers, [caller(100, 2), caller(200, 4)]);
        }
    }
}
