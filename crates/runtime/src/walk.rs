//! [`Walk`]: a stack walk from the innermost frame of a store's guests outward, across tiers.
//!
//! Each tier knows how its own frames follow one another, and nothing of other tiers' frames. Frames come in *segments*: those
//! of one run of the interpreter, or of one activation of compiled code ([`VmActivation`]). A walk tells which segment is next.
//! The tier of the segment visits its frames and moves the walk to the segment after it. The [`Tier`] of the
//! store, which knows all tiers, drives the walk.
//!
//! # Why two steps?
//! A visit yields the [`Place`] at which a frame was left, which is two words and needs no look-up. A backtrace locates
//! each place at once (`Locator`). An exception that leaves frames keeps their places instead, because most exceptions are
//! caught and need no backtrace.
//!
//! # Which segment is next?
//! Every entry into compiled code saves [`VmStore::exit_fp`], the interpreter's frame that waits for it. So if the walk has
//! reached the frame that the innermost activation saved, the next segment is compiled code. Otherwise it is the interpreter.
//!
//! # Invariants
//! The store does not run while a walk lasts, and only `unsafe` functions move the walk to frames that the store did not
//! record. So the walks of the tiers need no `unsafe` contract of their own.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use wasmr_module::Module;

use crate::frame::{Fp, Ip};
use crate::tier::Tier;
use crate::vm::{NativeFrame, VmActivation, VmFunc, VmStore};

/// The place at which a frame was left, in its tier's terms. It still tells the frame once that is gone, as long as the store
/// lives. Only this crate keeps places: a tier gets them for as long as it locates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(PlaceKind);

/// The kinds of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// An interpreted function, and its instruction.
    Interpreted {
        /// The function.
        func: NonNull<VmFunc>,
        /// The instruction.
        ip: Ip,
    },
    /// A call in compiled code.
    Native {
        /// Address that the call returns to.
        return_to: usize,
    },
}

impl Place {
    /// Returns the place of an interpreted function at an instruction.
    ///
    /// # Safety
    /// The function is that of a live frame, so that it and its instruction live as long as their store.
    #[inline]
    pub unsafe fn interpreted(func: NonNull<VmFunc>, ip: Ip) -> Place {
        Place(PlaceKind::Interpreted { func, ip })
    }

    /// Returns the place of a call in compiled code that returns to an address.
    #[inline]
    pub fn native(return_to: usize) -> Place {
        Place(PlaceKind::Native { return_to })
    }

    /// Returns the kind. The function of an interpreted place is alive.
    pub fn kind(self) -> PlaceKind {
        self.0
    }
}

/// One frame of a guest's call stack.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The module.
    pub module: Arc<Module>,
    /// Index of the function in the module.
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
    /// Returns a list that keeps the first `max` frames and counts the others.
    pub(crate) fn new(max: usize) -> FrameList {
        FrameList { frames: Vec::new(), max, total: 0 }
    }

    /// Adds a frame. Calls `offset` only if the frame is kept.
    pub fn add(&mut self, module: &Arc<Module>, func_index: u32, offset: impl FnOnce() -> Option<usize>) {
        if self.frames.len() < self.max {
            self.frames.push(Frame { module: module.clone(), func_index, offset: offset() });
        }
        self.total += 1;
    }

    /// Returns the kept frames and the number of all frames.
    pub(crate) fn finish(self) -> (Vec<Frame>, usize) {
        (self.frames, self.total)
    }
}

/// Adds the frames of places to a list.
pub(crate) struct Locator<'a> {
    tier: &'a dyn Tier,
    frames: &'a mut FrameList,
    /// The latest place and the number of its frames, as deep recursion leaves the same place again and again.
    latest: Option<(Place, usize)>,
}

impl<'a> Locator<'a> {
    /// Returns a locator for places of this tier.
    pub(crate) fn new(tier: &'a dyn Tier, frames: &'a mut FrameList) -> Locator<'a> {
        Locator { tier, frames, latest: None }
    }

    /// Adds the frames of a place: several if functions were inlined, none if it is in a trampoline.
    ///
    /// # Safety
    /// The store of the place is alive.
    pub(crate) unsafe fn add(&mut self, place: Place) {
        if let Some((latest, count)) = self.latest
            && latest == place
            && self.frames.frames.len() == self.frames.max
        {
            self.frames.total += count;
            return;
        }
        let before = self.frames.total;
        self.tier.locate(place, self.frames);
        self.latest = Some((place, self.frames.total - before));
    }
}

/// The use that a walk makes of its places.
pub(crate) enum Visitor<'a> {
    /// Keeps them.
    Keep(&'a mut Vec<Place>),
    /// Locates them for a backtrace.
    Locate(Locator<'a>),
}

/// A walk over the frames of a store.
pub struct Walk<'a> {
    store: PhantomData<&'a VmStore>,
    fp: Fp,
    ip: Option<Ip>,
    activation: *const VmActivation,
    native_fp: *const NativeFrame,
    /// Last activation of the walk; null if the walk continues to the last frame.
    last: *const VmActivation,
    visitor: Visitor<'a>,
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Walk").field(&self.segment()).finish()
    }
}

/// Consecutive frames of one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A run of the interpreter.
    Interpreted {
        /// Innermost frame of the run.
        fp: Fp,
        /// The instruction at which that frame was left; `None` if the frame is that of an external function.
        ip: Option<Ip>,
    },
    /// An activation of compiled code.
    Native {
        /// The frame with which machine code was left, of an exit trampoline, of a libcall's shim or of a landing pad. It is
        /// not a guest frame itself; its callers are.
        fp: *const NativeFrame,
        /// Activation at which the segment ends.
        activation: *const VmActivation,
    },
}

impl<'a> Walk<'a> {
    /// Returns a walk from the place where the store's guest was left. The visitor gets the places of all frames, innermost
    /// first.
    pub(crate) fn new(store: &'a VmStore, visitor: Visitor<'a>) -> Walk<'a> {
        let exit = store.interpreter_exit();
        Walk {
            store: PhantomData,
            fp: exit.fp,
            ip: instruction(exit.ip),
            activation: store.activation,
            native_fp: store.native_exit_fp,
            last: ptr::null(),
            visitor,
        }
    }

    /// Returns a walk as [`new`](Walk::new) does, which ends with the innermost activation.
    pub(crate) fn within_activation(store: &'a VmStore, visitor: Visitor<'a>) -> Walk<'a> {
        Walk { last: store.activation, ..Walk::new(store, visitor) }
    }

    /// Returns the current segment; `None` at the end.
    #[inline]
    pub fn segment(&self) -> Option<Segment> {
        // SAFETY: a linked activation is in a live frame of the native stack, and the store does not run during the walk.
        let activation = unsafe { self.activation.as_ref() };
        if activation.is_some_and(|activation| activation.exit_fp == self.fp) {
            return Some(Segment::Native { fp: self.native_fp, activation: self.activation });
        }
        (!self.fp.is_null()).then_some(Segment::Interpreted { fp: self.fp, ip: self.ip })
    }

    /// Visits a frame of the current segment.
    #[inline]
    pub fn visit(&mut self, place: Place) {
        match &mut self.visitor {
            Visitor::Keep(places) => places.push(place),
            // SAFETY: the store lives as long as the walk.
            Visitor::Locate(locator) => unsafe { locator.add(place) },
        }
    }

    /// Moves to the segment after a run of the interpreter.
    ///
    /// # Safety
    /// The current segment is a run that was entered when [`VmStore::exit_fp`] and [`VmStore::exit_ip`] were these.
    pub unsafe fn leave_interpreted(&mut self, fp: Fp, ip: Ip) {
        (self.fp, self.ip) = (fp, instruction(ip));
    }

    /// Moves to the segment after an activation. Does nothing in a run of the interpreter.
    pub fn leave_native(&mut self) {
        if let Some(Segment::Native { activation, .. }) = self.segment() {
            let is_last = activation == self.last;
            // SAFETY: a linked activation is in a live frame of the native stack, and the store does not run during the walk.
            let activation = unsafe { &*activation };
            self.activation = activation.prev;
            self.native_fp = activation.native_exit_fp;
            // The interpreter calls compiled code through a frame that it makes for the callee.
            self.ip = None;
            if is_last {
                (self.activation, self.fp) = (ptr::null(), Fp::NULL);
            }
        }
    }
}

/// Returns the instruction, or `None` if it is null. It is null if the frames above one of an external function were left for
/// good.
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
        // SAFETY: all fields are pointers, numbers, and a trap code whose first variant is 0, so that zero is valid.
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

        let mut places = Vec::new();
        let mut walk = Walk::new(&vm, Visitor::Keep(&mut places));
        for (expected, activation) in [(3, &raw const inner), (2, &raw const middle)] {
            assert_eq!(walk.segment(), Some(Segment::Native { fp: native(expected), activation }));
            walk.leave_native();
        }
        assert_eq!(walk.segment(), Some(Segment::Interpreted { fp: at(3), ip: None }));
        // SAFETY: the run at frame 3 was entered with these values of `exit_fp` and `exit_ip`, as set up above.
        unsafe { walk.leave_interpreted(at(1), Ip::NULL) };
        assert_eq!(walk.segment(), Some(Segment::Native { fp: native(1), activation: &raw const outer }));
        walk.leave_native();
        assert_eq!(walk.segment(), Some(Segment::Interpreted { fp: at(1), ip: None }));
        // SAFETY: the run at frame 1 is the outermost: it was entered with null values.
        unsafe { walk.leave_interpreted(Fp::NULL, Ip::NULL) };
        assert_eq!(walk.segment(), None);

        let mut walk = Walk::within_activation(&vm, Visitor::Keep(&mut places));
        assert_eq!(walk.segment(), Some(Segment::Native { fp: native(3), activation: &raw const inner }));
        walk.leave_native();
        assert_eq!(walk.segment(), None);
    }
}
