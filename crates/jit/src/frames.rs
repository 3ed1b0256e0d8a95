//! The frames of one activation: following frame pointers from where machine code was left to where it was entered.
//!
//! Every frame starts with the frame pointer of its caller, and above it the address in the caller to which it returns; code is
//! compiled that way, and the functions that leave it ([`libcalls`](crate::libcalls), [`enter`](crate::enter)) begin likewise.
//! Trampolines have frames as well; nobody knows their addresses, which is how they are left out.

use std::sync::Arc;

use wasmr_module::Module;
use wasmr_runtime::vm::VmActivation;
use wasmr_runtime::walk::{Segment, Walk};

use crate::link;
use crate::positions::Place;
use crate::registry::bodies;

/// A frame, and where it is in its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Where the call that it waits for returns to.
    pub return_to: usize,
    /// Its frame pointer.
    pub fp: usize,
}

/// The callers of a frame, innermost first, up to the trampoline into the activation.
#[derive(Debug)]
pub(crate) struct Callers {
    fp: *const usize,
    activation: *const usize,
}

impl Callers {
    /// # Safety
    /// `fp` is a frame of the innermost part of the activation, which is alive as long as this is used.
    pub(crate) unsafe fn new(fp: *const usize, activation: *const VmActivation) -> Callers {
        Callers { fp, activation: activation.cast() }
    }
}

impl Iterator for Callers {
    type Item = Caller;

    fn next(&mut self) -> Option<Caller> {
        // SAFETY: a frame starts with the caller's frame pointer and the return address, by the contract of `new`; the chain
        // ends at the activation.
        let (caller, return_to) = unsafe { (*self.fp as *const usize, *self.fp.add(1)) };
        if caller == self.activation {
            return None;
        }
        self.fp = caller;
        Some(Caller { return_to, fp: caller.addr() })
    }
}

/// The activation that a frame of machine code belongs to, by what its chain of callers ends with.
///
/// # Safety
/// `fp` is a frame that was called, however indirectly, by a trampoline.
pub(crate) unsafe fn activation_of(mut fp: *const usize) -> *mut VmActivation {
    loop {
        // SAFETY: as in `Callers`; the one that returns to other code was called with the activation as frame pointer.
        let (caller, return_to) = unsafe { (*fp as *const usize, *fp.add(1)) };
        if !link::is_code(return_to) {
            return caller.cast_mut().cast();
        }
        fp = caller;
    }
}

/// Takes a walk over the frames of the activation at hand; does nothing in the interpreter.
pub fn walk_segment(walk: &mut Walk<'_>) {
    let Some(Segment::Native { fp, activation }) = walk.segment() else { return };
    let bodies = bodies();
    // What deep recursion asks again and again.
    let mut known: Option<(usize, &Arc<Module>, u32, Vec<Place>)> = None;
    // SAFETY: a walk is over a store that does not run meanwhile, and says where its machine code was left.
    for caller in unsafe { Callers::new(fp, activation) } {
        // Inside the call: behind it may be code of another operator.
        let pc = caller.return_to - 1;
        if known.as_ref().is_none_or(|(of, ..)| *of != pc) {
            let Some(body) = bodies.find(pc) else { continue };
            let (Some(module), Some(func_index)) = (body.module(), body.func_index()) else { continue };
            known = Some((pc, module, func_index, body.places(pc)));
        }
        let Some((_, module, func_index, places)) = &known else { continue };
        if places.is_empty() {
            walk.frames().add(module, *func_index, || None);
        }
        for place in places {
            walk.frames().add(module, place.func_index, || Some(place.offset));
        }
    }
    walk.leave_native();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_end_at_the_activation() {
        // From the innermost frame at 0: 0 → 2 → 4 → the activation at 6.
        let mut words = [0usize; 8];
        let base = words.as_mut_ptr();
        let at = |n: usize| base.wrapping_add(n);
        // SAFETY: inside the array.
        unsafe {
            for (frame, caller, return_to) in [(0, 2, 100), (2, 4, 200), (4, 6, 300)] {
                *at(frame) = at(caller).expose_provenance();
                *at(frame + 1) = return_to;
            }
            let callers: Vec<Caller> = Callers::new(at(0), at(6).cast()).collect();
            let caller = |return_to, frame: usize| Caller { return_to, fp: at(frame).addr() };
            assert_eq!(callers, [caller(100, 2), caller(200, 4)]);
        }
    }
}
