//! The frame of a call on the value stack: the only description of its layout, for every tier.
//!
//! ```text
//!              slots of the callee, by number from its frame pointer
//!  … caller's temporaries | -4-S … -5           | -4 … -1 | 0 …          | …
//!                         | arguments = results | header  | other locals | temporaries by height
//! ```
//! `S` is [`VmFunc::arg_slots`]. The caller builds the arguments where its own temporaries are, so that a call copies nothing.
//! The callee leaves the results in the same place.
//!
//! The interpreter makes such a frame for every function that it calls, also for external functions. Compiled code keeps its
//! values in registers and on the native stack. It uses the value stack for arguments and results of calls that leave it, and
//! for the frame that it takes over at a loop (on-stack replacement).
//!
//! # Header
//!
//! | slot | [`Fp`] | of an ordinary frame | of a frame that was entered from outside the interpreter |
//! |---|---|---|---|
//! | -1 | [`func`](Fp::func) | the function | the function |
//! | -2 | [`caller`](Fp::caller) | the caller's frame | [`VmStore::exit_fp`](crate::vm::VmStore::exit_fp) before the call; may be null |
//! | -3 | [`return_to`](Fp::return_to) | the caller's next instruction, or the instruction that restores the caller's instance | the instruction that ends the run |
//! | -4 | [`real_return`](Fp::real_return) | the caller's next instruction if -3 restores the instance, else unused | [`VmStore::exit_ip`](crate::vm::VmStore::exit_ip) before the call |
//!
//! The last column lets a [walk](crate::walk) continue across the host.
//!
//! # On-stack replacement at a loop
//!
//! OSR code (`jit/src/translate/control.rs`) continues a frame that the interpreter left at the loop's first instruction (Fink
//! and Qian 2003, see `docs/glossary.md`). [`FrameMap`] has the slots of its values. The code relies on these invariants, on
//! every path of control to that instruction:
//!
//! - Every local and every operand is in its slot, in slot form. So are constants, which the interpreter elsewhere keeps in its
//!   instructions only. The interpreter's accumulators are dead (`interp/src/translate/mod.rs`).
//! - All frames in use end at [`VmStore::stack_top`](crate::vm::VmStore::stack_top), which the interpreter sets to the end of
//!   the frame before it enters the code (`interp/src/profile.rs`).
//! - The code executes the function to its end and leaves the results in the argument area ([`Fp::args`]). From there the
//!   interpreter returns to the caller.
//! - [`VmInstance::loop_frame`](crate::vm::VmInstance::loop_frame) is null except while dual-entry code is entered at its loop.
//!   The code takes the frame and clears the field. If the prologue finds no stack left, the caller clears it
//!   (`jit/src/module.rs`).
//! - If several loops start at one instruction, the code is that of the outermost (`interp/src/loops.rs`).

use crate::vm::VmFunc;

/// Slots of the header.
pub const FRAME_HEADER: usize = 4;

const FUNC: usize = 1;
const CALLER: usize = 2;
const RETURN_TO: usize = 3;
const REAL_RETURN: usize = 4;
const _: () = assert!(FUNC < CALLER && CALLER < RETURN_TO && RETURN_TO < REAL_RETURN && REAL_RETURN == FRAME_HEADER);
const _: () = assert!(size_of::<*mut VmFunc>() == size_of::<u64>(), "slots hold pointers");

/// Slots above [`VmStore::stack_limit`](crate::vm::VmStore::stack_limit) that may be written: arguments, results and headers of
/// one call. The module stage bounds the first two to 1000 values each.
pub const STACK_SLACK: usize = 8192;
/// A caller writes arguments and header before the callee compares with the limit. Each value may be a `v128`.
const _: () = assert!(2 * 1000 + FRAME_HEADER < STACK_SLACK);

/// A frame pointer: the address of a frame's slot 0, or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Fp(*mut u64);

/// An instruction pointer of the interpreter: the address of an instruction or of another word of its code, or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Ip(*const u64);

/// Slots of a frame's values when control is at the start of a loop: see the module documentation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FrameMap {
    /// First slot of each local, parameters first.
    pub locals: Vec<i32>,
    /// Slot of the operand at height 0. Higher ones follow, a `v128` in two slots.
    pub operands: i32,
}

/// The interpreter's handlers inline these functions. Handlers have no frame on the native stack, so they must not contain
/// calls, least of all before an access that may fault: the fault handler continues at a landing pad with the stack of a handler's
/// start. In builds with debug assertions, `*`, `+`, and `add`, `sub` and `offset` of pointers contain checks, which are calls. If
/// this crate is optimised, its inlined functions keep them in a crate without debug assertions. These functions therefore use
/// `read`, `write` and wrapping arithmetic.
impl Fp {
    /// The null frame pointer.
    pub const NULL: Fp = Fp(std::ptr::null_mut());

    /// Returns the frame pointer with the given slot 0.
    #[inline(always)]
    pub const fn new(slot0: *mut u64) -> Fp {
        Fp(slot0)
    }

    /// Returns the address of slot 0.
    #[inline(always)]
    pub const fn as_ptr(self) -> *mut u64 {
        self.0
    }

    /// Returns true if the frame pointer is null.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Returns the address of a slot by its number.
    ///
    /// # Safety
    /// The slot is inside the value stack.
    #[inline(always)]
    pub unsafe fn offset(self, slot: isize) -> *mut u64 {
        self.0.wrapping_offset(slot)
    }

    /// Returns the frame that starts `slots` above this one's slot 0.
    ///
    /// # Safety
    /// The slot at which the frame starts is inside the value stack.
    #[inline(always)]
    pub unsafe fn callee(self, slots: usize) -> Fp {
        Fp(self.0.wrapping_add(slots))
    }

    /// Returns the function of a frame.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub unsafe fn func(self) -> *mut VmFunc {
        // SAFETY: the caller promises a live frame, whose header is below slot 0.
        unsafe { self.0.wrapping_sub(FUNC).read() as usize as *mut VmFunc }
    }

    /// Returns the frame that waits for this one, null if none does.
    ///
    /// # Safety
    /// The frame is live, or its header has not been overwritten since it was.
    #[inline(always)]
    pub unsafe fn caller(self) -> Fp {
        // SAFETY: the caller promises a frame whose header is intact, below slot 0.
        unsafe { Fp(self.0.wrapping_sub(CALLER).read() as usize as *mut u64) }
    }

    /// Returns the instruction at which the function returns.
    ///
    /// # Safety
    /// As for [`caller`](Fp::caller).
    #[inline(always)]
    pub unsafe fn return_to(self) -> Ip {
        // SAFETY: the caller promises a frame whose header is intact, below slot 0.
        unsafe { Ip(self.0.wrapping_sub(RETURN_TO).read() as usize as *const u64) }
    }

    /// Returns the header's last word: the caller's next instruction, if [`return_to`](Fp::return_to) is not an instruction of
    /// the caller.
    ///
    /// # Safety
    /// As for [`caller`](Fp::caller).
    #[inline(always)]
    pub unsafe fn real_return(self) -> Ip {
        // SAFETY: the caller promises a frame whose header is intact, below slot 0.
        unsafe { Ip(self.0.wrapping_sub(REAL_RETURN).read() as usize as *const u64) }
    }

    /// Returns the first slot of the area for arguments and results; `arg_slots` is that of the frame's function.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub unsafe fn args(self, arg_slots: u32) -> *mut u64 {
        self.0.wrapping_sub(FRAME_HEADER.wrapping_add(arg_slots as usize))
    }

    /// Writes the header, except for its last word.
    ///
    /// # Safety
    /// The slots of the header are inside the value stack and have no other use.
    #[inline(always)]
    pub unsafe fn set_header(self, func: *mut VmFunc, caller: Fp, return_to: Ip) {
        // SAFETY: the caller promises slots of the value stack for the header that have no other use.
        unsafe {
            self.0.wrapping_sub(FUNC).write(func as u64);
            self.0.wrapping_sub(CALLER).write(caller.0 as u64);
            self.0.wrapping_sub(RETURN_TO).write(return_to.0 as u64);
        }
    }

    /// Writes the header's last word.
    ///
    /// # Safety
    /// As for [`set_header`](Fp::set_header).
    #[inline(always)]
    pub unsafe fn set_real_return(self, ip: Ip) {
        // SAFETY: the caller promises slots of the value stack for the header that have no other use.
        unsafe { self.0.wrapping_sub(REAL_RETURN).write(ip.0 as u64) }
    }
}

impl Ip {
    /// The null instruction pointer.
    pub const NULL: Ip = Ip(std::ptr::null());

    /// Returns the instruction pointer to that word.
    #[inline(always)]
    pub const fn new(word: *const u64) -> Ip {
        Ip(word)
    }

    /// Returns the address of the word.
    #[inline(always)]
    pub const fn as_ptr(self) -> *const u64 {
        self.0
    }

    /// Returns true if the instruction pointer is null.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Returns the instruction pointer `words` further.
    ///
    /// # Safety
    /// The result is in the same code or at its end.
    #[inline(always)]
    pub unsafe fn add(self, words: usize) -> Ip {
        Ip(self.0.wrapping_add(words))
    }

    /// Returns the instruction pointer `words` further, or back if negative.
    ///
    /// # Safety
    /// As for [`add`](Ip::add).
    #[inline(always)]
    pub unsafe fn offset(self, words: isize) -> Ip {
        Ip(self.0.wrapping_offset(words))
    }

    /// Returns the last word of the instruction before this one. If this is a return address, that instruction is the call.
    #[inline(always)]
    pub fn call_before(self) -> Ip {
        Ip(self.0.wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;

    #[test]
    fn a_header_gives_back_what_was_written() {
        let mut slots = [0u64; 8];
        let func = NonNull::dangling().as_ptr();
        let base = slots.as_mut_ptr();
        let fp = Fp::new(base.wrapping_add(6));
        let code = [0u64; 2];
        let (first, second) = (Ip::new(&raw const code[0]), Ip::new(&raw const code[1]));
        // SAFETY: the header and arguments are slots of this test's array.
        unsafe {
            fp.set_header(func, Fp::new(base), second);
            fp.set_real_return(first);
            assert_eq!((fp.func(), fp.caller()), (func, Fp::new(base)));
            assert_eq!((fp.return_to(), fp.real_return()), (second, first));
            assert_eq!(fp.args(2), base);
            assert_eq!(second.call_before(), first);
        }
    }
}
