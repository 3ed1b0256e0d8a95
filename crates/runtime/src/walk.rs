//! [`Walk`]: from the innermost frame of a store's guests outward, across tiers.
//!
//! Each tier knows how its own frames follow one another, and nothing of the others'. Frames come in *segments*: those of one
//! run of the interpreter, or of one trampoline into machine code ([`VmActivation`]). A walk says which segment is next; the tier
//! that it belongs to adds its frames and goes on to what is behind it. Whoever knows all tiers leads the walk.
//!
//! # Which segment is next?
//! Every trampoline into machine code keeps [`VmStore::exit_fp`] as it was: the interpreter's frame at which that waits. So if the
//! walk has come to the frame that the innermost trampoline kept, what ran last, seen from there, is machine code; else it is the
//! interpreter.
//!
//! # Invariants
//! A walk is made from a store that is not running while the walk lasts, and only `unsafe` functions move it elsewhere than to
//! what the store says: so tiers can walk without a contract of their own.

use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use wasmr_module::Module;

use crate::frame::{Fp, Ip};
use crate::vm::{NativeFrame, VmActivation, VmStore};

/// One frame of a guest's call stack.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The module.
    pub module: Arc<Module>,
    /// The function's index in it.
    pub func_index: u32,
    /// Offset in the module's bytes of the operator being executed, if known.
    pub offset: Option<usize>,
}

/// The frames of a backtrace, collected from the innermost on.
#[derive(Debug)]
pub struct FrameList {
    frames: Vec<Frame>,
    max: usize,
    total: usize,
}

impl FrameList {
    /// A list that keeps the first `max` frames and counts the others.
    pub fn new(max: usize) -> FrameList {
        FrameList { frames: Vec::new(), max, total: 0 }
    }

    /// Adds a frame; where it is, is asked only if it is kept.
    pub fn add(&mut self, module: &Arc<Module>, func_index: u32, offset: impl FnOnce() -> Option<usize>) {
        if self.frames.len() < self.max {
            self.frames.push(Frame { module: module.clone(), func_index, offset: offset() });
        }
        self.total += 1;
    }

    /// The frames that were kept, and how many there are in all.
    pub fn finish(self) -> (Vec<Frame>, usize) {
        (self.frames, self.total)
    }
}

/// A walk over the frames of a store.
#[derive(Debug)]
pub struct Walk<'a> {
    store: PhantomData<&'a VmStore>,
    fp: Fp,
    ip: Option<Ip>,
    activation: *const VmActivation,
    native_fp: *const NativeFrame,
    /// Where the walk ends, if not behind the last frame.
    last: *const VmActivation,
    frames: FrameList,
}

/// Frames of one tier that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A run of the interpreter.
    Interpreted {
        /// Its innermost frame.
        fp: Fp,
        /// The instruction at which that was left; `None` if it was made for a function that others execute.
        ip: Option<Ip>,
    },
    /// A trampoline into machine code.
    Native {
        /// The frame in which machine code was left: that of the code that left it, whose own frames, if it has any, are not the
        /// guest's.
        fp: *const NativeFrame,
        /// Where the segment ends.
        activation: *const VmActivation,
    },
}

impl<'a> Walk<'a> {
    /// A walk from where the store's guest was left, which collects the first `max` frames and counts the others.
    pub fn new(store: &'a VmStore, max: usize) -> Walk<'a> {
        let exit = store.interpreter_exit();
        Walk {
            store: PhantomData,
            fp: exit.fp,
            ip: instruction(exit.ip),
            activation: store.activation,
            native_fp: store.native_exit_fp,
            last: ptr::null(),
            frames: FrameList::new(max),
        }
    }

    /// A walk like that, which ends behind the innermost trampoline into machine code.
    pub fn within_activation(store: &'a VmStore, max: usize) -> Walk<'a> {
        Walk { last: store.activation, ..Walk::new(store, max) }
    }

    /// The segment at hand; `None` at the end.
    pub fn segment(&self) -> Option<Segment> {
        // SAFETY: an activation that is linked is in a live frame, and the store does not run meanwhile.
        let activation = unsafe { self.activation.as_ref() };
        if activation.is_some_and(|activation| activation.exit_fp == self.fp) {
            return Some(Segment::Native { fp: self.native_fp, activation: self.activation });
        }
        (!self.fp.is_null()).then_some(Segment::Interpreted { fp: self.fp, ip: self.ip })
    }

    /// Where the tier of the segment at hand puts its frames.
    pub fn frames(&mut self) -> &mut FrameList {
        &mut self.frames
    }

    /// Goes on behind a run of the interpreter.
    ///
    /// # Safety
    /// The segment at hand is a run that was entered when [`VmStore::exit_fp`] and [`VmStore::exit_ip`] were these.
    pub unsafe fn leave_interpreted(&mut self, fp: Fp, ip: Ip) {
        (self.fp, self.ip) = (fp, instruction(ip));
    }

    /// Goes on behind a trampoline into machine code; does nothing in the interpreter.
    pub fn leave_native(&mut self) {
        if let Some(Segment::Native { activation, .. }) = self.segment() {
            let is_last = activation == self.last;
            // SAFETY: as in `segment`.
            let activation = unsafe { &*activation };
            self.activation = activation.prev;
            self.native_fp = activation.native_exit_fp;
            // The interpreter calls machine code through a frame that it makes for the callee.
            self.ip = None;
            if is_last {
                (self.activation, self.fp) = (ptr::null(), Fp::NULL);
            }
        }
    }

    /// The frames that were kept, and how many there are in all.
    pub fn finish(self) -> (Vec<Frame>, usize) {
        self.frames.finish()
    }
}

/// An instruction, if it is one: whoever leaves for good the frames above one that others execute leaves none.
fn instruction(ip: Ip) -> Option<Ip> {
    (!ip.is_null()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;

    /// Interpreter (frame 1) → machine code → interpreter (frames 3, 2) → host → machine code → machine code.
    #[test]
    fn segments_come_in_the_order_of_calls() {
        let mut words = [0u64; 4];
        let base = words.as_mut_ptr();
        let at = |n: usize| Fp::new(base.wrapping_add(n));
        let native = |n: usize| (0x1000 * n) as *const NativeFrame;
        let (mut outer, mut middle, mut inner);
        // SAFETY: pointers and numbers, and a code whose first value is 0.
        let mut vm: VmStore = unsafe { MaybeUninit::zeroed().assume_init() };
        let link = |prev: *mut VmActivation, exit_fp, native_exit_fp| VmActivation {
            prev,
            exit_fp,
            native_exit_fp,
            store: ptr::null_mut(),
        };
        outer = link(ptr::null_mut(), at(1), native(0));
        middle = link(&raw mut outer, at(3), native(1));
        inner = link(&raw mut middle, at(3), native(2));
        vm.activation = &raw mut inner;
        vm.exit_fp = at(3);
        vm.native_exit_fp = native(3);

        let mut walk = Walk::new(&vm, 0);
        for (expected, activation) in [(3, &raw const inner), (2, &raw const middle)] {
            assert_eq!(walk.segment(), Some(Segment::Native { fp: native(expected), activation }));
            walk.leave_native();
        }
        assert_eq!(walk.segment(), Some(Segment::Interpreted { fp: at(3), ip: None }));
        // SAFETY: the words are as this test says.
        unsafe { walk.leave_interpreted(at(1), Ip::NULL) };
        assert_eq!(walk.segment(), Some(Segment::Native { fp: native(1), activation: &raw const outer }));
        walk.leave_native();
        assert_eq!(walk.segment(), Some(Segment::Interpreted { fp: at(1), ip: None }));
        // SAFETY: as above.
        unsafe { walk.leave_interpreted(Fp::NULL, Ip::NULL) };
        assert_eq!(walk.segment(), None);

        let mut walk = Walk::within_activation(&vm, 0);
        assert_eq!(walk.segment(), Some(Segment::Native { fp: native(3), activation: &raw const inner }));
        walk.leave_native();
        assert_eq!(walk.segment(), None);
    }
}
