//! How one handler reaches the next: the machine registers, the handlers' signature, cells, and the jump.
//!
//! # Cells
//! Translated code is a sequence of 8-byte words. An instruction, a *cell*, is a handler's address in word 0, and in word 1
//! narrow fields that its handler reads with loads of their own width:
//!
//! ```text
//! byte 8      10      12      14      16
//!      | d:i16 | a:i16 | b:i16 | x:i16 |      d: destination slot, a and b: operand slots
//!      | d:i16 | a:i16 |   imm:i32     |      imm: a constant, a memory offset, a branch distance in words
//! ```
//! Further words hold what does not fit. Slot numbers count 8-byte slots from the frame pointer and may be negative.
//!
//! # Registers
//! The machine's registers travel as arguments, which the calling convention keeps in processor registers. `acc` and `facc`
//! hold the latest integer or reference, and the latest float, result; the translator knows at each cell whether they
//! also stand in a slot.
//!
//! # Why `extern "sysv64"` and tail calls
//! A handler ends in a call to the next one in tail position. An optimised build turns that into a jump, so that each
//! handler has its own indirect jump and nothing is kept on the native stack. Rust does not promise this, so a test
//! disassembles every handler, [`self_test`](super::self_test::self_test) looks at it when an engine is made, and builds without the optimisation
//! (`not(wasmr_tail)`) return to a driver loop after each handler instead.
//!
//! # The handlers' contract
//! Every handler may assume, and the translator guarantees: `ip` points to a cell of its kind that the translator emitted
//! for a validated body; `fp` is a frame of the function of that cell, with as many slots as the function's `enter` cell
//! reserved, so that every slot number of the cell is inside; `inst` is the live instance of that function and `mem` its
//! `memory0_base`. All `unsafe` blocks of `execute/` rest on this.

#[cfg(wasmr_tail)]
use std::sync::atomic::{AtomicU64, Ordering};

use wasmr_core::trap::TrapCode;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance, VmStore};

/// The type of the float accumulator: its low lane is the value.
#[cfg(target_arch = "x86_64")]
pub type FloatAcc = std::arch::x86_64::__m128d;
/// The type of the float accumulator.
#[cfg(not(target_arch = "x86_64"))]
pub type FloatAcc = f64;

/// The machine registers.
#[derive(Clone, Copy)]
pub struct Machine {
    /// The cell being executed.
    pub ip: Ip,
    /// The frame: its first non-parameter local.
    pub fp: Fp,
    /// Base of memory 0 if guarded.
    pub mem: *mut u8,
    /// The instance.
    pub inst: *mut VmInstance,
    /// Integer and reference accumulator, in slot form.
    pub acc: u64,
    /// After a return: the frame that was left.
    pub spare: u64,
    /// Float accumulator.
    pub facc: FloatAcc,
}

/// Declares the handlers' ABI once for the type and the functions.
#[cfg(target_arch = "x86_64")]
macro_rules! with_abi {
    ($($before:tt)*) => { $crate::execute::dispatch::with_abi_named!{ "sysv64" $($before)* } };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! with_abi {
    ($($before:tt)*) => { $crate::execute::dispatch::with_abi_named!{ "C" $($before)* } };
}
pub(crate) use with_abi;

macro_rules! with_abi_named {
    ($abi:literal type $name:ident) => {
        /// A handler: executes the cell at `ip`, then all that follow. Returns a [`Status`] word, or
        /// [`CONTINUE`] to the driver loop of a build without tail calls.
        pub type $name = unsafe extern $abi fn(
            wasmr_runtime::frame::Ip,
            wasmr_runtime::frame::Fp,
            *mut u8,
            *mut wasmr_runtime::vm::VmInstance,
            u64,
            u64,
            $crate::execute::dispatch::FloatAcc,
        ) -> usize;
    };
    ($abi:literal $(#[$attr:meta])* fn $name:ident [$($generics:tt)*] ($m:ident) $body:block) => {
        $(#[$attr])*
        pub(crate) unsafe extern $abi fn $name<$($generics)*>(
            ip: wasmr_runtime::frame::Ip,
            fp: wasmr_runtime::frame::Fp,
            mem: *mut u8,
            inst: *mut wasmr_runtime::vm::VmInstance,
            acc: u64,
            spare: u64,
            facc: $crate::execute::dispatch::FloatAcc,
        ) -> usize {
            #[allow(unused_mut, reason = "not every handler changes a register")]
            let mut $m = $crate::execute::dispatch::Machine { ip, fp, mem, inst, acc, spare, facc };
            // SAFETY: the handlers' contract, execute/dispatch.rs.
            #[allow(unused_unsafe, reason = "a handler may do nothing unsafe")]
            unsafe {
                $body
            }
        }
    };
}
pub(crate) use with_abi_named;

with_abi! { type Handler }

/// Declares handlers: `fn name[generics](m) { … }`, where `m` is the [`Machine`].
macro_rules! handlers {
    ($($(#[$attr:meta])* fn $name:ident [$($generics:tt)*] ($m:ident) $body:block)*) => {
        $($crate::execute::dispatch::with_abi! { $(#[$attr])* fn $name [$($generics)*] ($m) $body })*
    };
}
pub(crate) use handlers;

/// Returned to the driver loop: the registers are in the store, go on.
pub const CONTINUE: usize = usize::MAX;

impl Machine {
    /// Word `n` of the cell.
    ///
    /// # Safety
    /// The handlers' contract; the cell has more than `n` words.
    #[inline(always)]
    pub unsafe fn word(&self, n: usize) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { *self.ip.as_ptr().add(n) }
    }

    /// Half a word of the cell, counted from word 0: 2 is the lower half of word 1.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn half(&self, n: usize) -> u32 {
        // SAFETY: the caller's promise; a word is aligned for u32.
        unsafe { *self.ip.as_ptr().cast::<u32>().add(n) }
    }

    /// Field of the cell at byte `8 + 2 * n`, a slot number.
    ///
    /// # Safety
    /// The handlers' contract; the cell has two words.
    #[inline(always)]
    pub unsafe fn narrow(&self, n: usize) -> isize {
        // SAFETY: the caller's promise; a word is aligned for i16.
        unsafe { *self.ip.as_ptr().cast::<i16>().add(4 + n) as isize }
    }

    /// The frame slot that field `d` names.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn d(&self) -> *mut u64 {
        // SAFETY: the caller's promise: the slot is in the frame.
        unsafe { self.fp.offset(self.narrow(0)) }
    }

    /// The frame slot that field `a` names.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn a(&self) -> *mut u64 {
        // SAFETY: the caller's promise: the slot is in the frame.
        unsafe { self.fp.offset(self.narrow(1)) }
    }

    /// The frame slot that field `b` names.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn b(&self) -> *mut u64 {
        // SAFETY: the caller's promise: the slot is in the frame.
        unsafe { self.fp.offset(self.narrow(2)) }
    }

    /// The frame slot that field `x` names.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn x(&self) -> *mut u64 {
        // SAFETY: the caller's promise: the slot is in the frame.
        unsafe { self.fp.offset(self.narrow(3)) }
    }

    /// Field `a` as a small constant instead of a slot.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn a_imm(&self) -> i16 {
        // SAFETY: the caller's promise.
        unsafe { self.narrow(1) as i16 }
    }

    /// The upper half of word 1.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn imm(&self) -> i32 {
        // SAFETY: the caller's promise; byte 12 of a cell is aligned for i32.
        unsafe { *self.ip.as_ptr().cast::<i32>().add(3) }
    }

    /// The lower half of word 1, for cells without slot fields there.
    ///
    /// # Safety
    /// The handlers' contract; the cell has the field.
    #[inline(always)]
    pub unsafe fn low(&self) -> u32 {
        // SAFETY: the caller's promise; byte 8 of a cell is aligned for u32.
        unsafe { *self.ip.as_ptr().cast::<u32>().add(2) }
    }

    /// Something in the instance's allocation, at a byte offset of `VmLayout`.
    ///
    /// # Safety
    /// The handlers' contract; at the offset there is a `T`.
    #[inline(always)]
    pub unsafe fn in_instance<T>(&self, offset: u32) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.inst.byte_add(offset as usize).cast() }
    }

    /// Goes on with the cell `len` words further.
    ///
    /// # Safety
    /// The handlers' contract holds for that cell.
    #[inline(always)]
    pub unsafe fn next(mut self, len: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            self.ip = self.ip.add(len);
            self.dispatch()
        }
    }

    /// Goes on with the cell at `ip`.
    ///
    /// # Safety
    /// The handlers' contract holds for that cell.
    #[cfg(wasmr_tail)]
    #[inline(always)]
    pub unsafe fn dispatch(self) -> usize {
        // SAFETY: the caller's promise; word 0 of a cell is its handler.
        unsafe {
            // Another thread may be exchanging it.
            let word = AtomicU64::from_ptr(self.ip.as_ptr().cast_mut()).load(Ordering::Relaxed);
            self.enter(std::mem::transmute::<u64, Handler>(word))
        }
    }

    /// Goes on with the cell at `ip`, by way of the driver loop.
    ///
    /// # Safety
    /// The handlers' contract holds for that cell.
    #[cfg(not(wasmr_tail))]
    #[inline(always)]
    pub unsafe fn dispatch(self) -> usize {
        // SAFETY: the driver loop set `registers` to a `Machine` that outlives every handler it calls.
        unsafe {
            let registers = (*(*self.inst).store).registers.cast::<Machine>();
            *registers = self;
        }
        CONTINUE
    }

    /// Continues in `handler` with these registers: a jump, in tail position.
    ///
    /// # Safety
    /// The contract of `handler`.
    #[inline(always)]
    pub unsafe fn enter(self, handler: Handler) -> usize {
        // SAFETY: the caller's promise.
        unsafe { handler(self.ip, self.fp, self.mem, self.inst, self.acc, self.spare, self.facc) }
    }

    /// Jumps `distance` words from the cell; one that is not forward (a cell may be a loop by itself) counts against the instance's budget.
    ///
    /// # Safety
    /// The handlers' contract holds for that cell.
    #[inline(always)]
    pub unsafe fn jump(mut self, distance: i32) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            self.ip = self.ip.offset(distance as isize);
            if distance <= 0 && self.spend() {
                return self.enter(budget_interrupt);
            }
            self.dispatch()
        }
    }

    /// Takes one from the budget; whether it is used up.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub unsafe fn spend(&self) -> bool {
        // SAFETY: the instance is alive.
        unsafe {
            let left = (*self.inst).budget - 1;
            (*self.inst).budget = left;
            left < 0
        }
    }

    /// Ends the run with a trap at this cell.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub unsafe fn trap(mut self, code: TrapCode) -> usize {
        self.acc = code as u64;
        // SAFETY: `raise` takes the code from `acc`.
        unsafe { self.enter(raise) }
    }

    /// Leaves the interpreter with this status.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub unsafe fn stop(mut self, status: Status) -> usize {
        self.acc = status.0 as u64;
        // SAFETY: `leave` takes the status from `acc`.
        unsafe { self.enter(leave) }
    }

    /// Notes in the store where the interpreter is being left.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub unsafe fn note_exit(&self) {
        // SAFETY: the instance and its store are alive.
        unsafe {
            let store = (*self.inst).store;
            (*store).exit_fp = self.fp;
            (*store).exit_ip = self.ip;
        }
    }

    /// Reloads `mem` after something that may have changed the instance.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub unsafe fn reload_memory(&mut self) {
        // SAFETY: the instance is alive.
        unsafe { self.mem = (*self.inst).memory0_base };
    }
}

handlers! {
    /// Leaves the interpreter with the trap whose code is in `acc`.
    #[cold]
    #[inline(never)]
    fn raise[](m) {
        m.note_exit();
        if let Some(&code) = TrapCode::ALL.get(m.acc as usize) {
            (*(*m.inst).store).trap_code = code;
        }
        m.stop(Status::TRAP)
    }

    /// Leaves the interpreter with the status in `acc`. To return a constant instead would let the optimiser turn the jumps
    /// to such a handler into calls.
    #[cold]
    #[inline(never)]
    fn leave[](m) {
        m.acc as usize
    }

    /// The budget is spent: looks whether the guest was interrupted, then goes on at `ip`, or behind the function if another
    /// tier took it to its end.
    #[cold]
    #[inline(never)]
    fn budget_interrupt[](m) {
        if is_interrupted((*m.inst).store) {
            return m.trap(TrapCode::Interrupted);
        }
        let end = crate::profile::event(m.fp, m.ip);
        if end != crate::profile::GO_ON {
            m.acc = end as u64;
            return m.enter(super::frame::taken_over);
        }
        m.dispatch()
    }
}

/// Whether the guest was asked to stop.
///
/// # Safety
/// The store is alive.
pub unsafe fn is_interrupted(store: *mut VmStore) -> bool {
    // SAFETY: the flag lives as long as its store.
    unsafe {
        let interrupt = (*store).interrupt;
        !interrupt.is_null() && (*interrupt).load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Executes from `machine.ip` until a handler returns a status.
///
/// # Safety
/// The handlers' contract holds for the cell at `machine.ip`.
#[cfg(wasmr_tail)]
pub unsafe fn run(machine: Machine) -> Status {
    // SAFETY: the caller's promise.
    Status(unsafe { machine.dispatch() })
}

/// Executes from `machine.ip` until a handler returns a status: the driver loop over the handlers.
///
/// # Safety
/// The handlers' contract holds for the cell at `machine.ip`.
#[cfg(not(wasmr_tail))]
pub unsafe fn run(mut machine: Machine) -> Status {
    // SAFETY: the caller's promise; `store` outlives the run, and the previous registers are put back.
    unsafe {
        let store = (*machine.inst).store;
        let outer = std::mem::replace(&mut (*store).registers, (&raw mut machine).cast());
        let status = loop {
            let registers = &raw mut machine;
            let now = registers.read();
            let handler = std::mem::transmute::<u64, Handler>(*now.ip.as_ptr());
            let status = now.enter(handler);
            if status != CONTINUE {
                break status;
            }
        };
        (*store).registers = outer;
        Status(status)
    }
}

/// The word that a cell of `handler` starts with.
pub fn handler_word(handler: Handler) -> u64 {
    handler as usize as u64
}

const _: () = assert!(size_of::<*mut VmInstance>() == 8, "cells and slots hold pointers in 8 bytes");
