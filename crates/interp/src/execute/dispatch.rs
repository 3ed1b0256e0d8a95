//! The step from one handler to the next: machine registers, the handlers' signature, the layout of instructions, the jump.
//!
//! # Instructions
//! Translated code is a sequence of 8-byte *code words*. An instruction has the address of its handler in word 0. Word 1 has
//! narrow fields, which the handler reads with loads of their own width ([`instr`](crate::instr) lists the fields of each
//! instruction):
//!
//! ```text
//! byte 8      10      12      14      16
//!      | d:i16 | a:i16 | b:i16 | x:i16 |      d: destination slot, a and b: operand slots
//!      | d:i16 | a:i16 |   imm:i32     |      imm: a constant, a memory offset, a branch distance in words
//! ```
//! Further words have the fields that do not fit. Slot numbers count 8-byte slots from the frame pointer and may be negative.
//!
//! # Registers
//! The machine's registers travel as arguments, which the calling convention keeps in processor registers. `acc` and `facc`
//! hold the latest integer or reference, and the latest float or vector, result. The translator knows at each instruction whether a slot
//! has the same value. The scratch register has no meaning between instructions, but for two cases: after a return it is the
//! frame that was left, and in the landing pad of a fault it is the pc of the access.
//!
//! # Why `extern "sysv64"` and tail calls
//! A handler ends in a call to the next one in tail position. An optimised build turns that into a jump (*threaded code*, Bell
//! 1973; the technique with tail calls is Haberman's, 2021: see `docs/glossary.md`). So each handler has its own indirect jump,
//! and the native stack stays as it is. Rust does not promise this optimisation. Therefore a test disassembles every handler,
//! and [`self_test`](super::self_test::self_test) checks the running build when an engine is made. In builds without the
//! optimisation (`not(wasmr_tail)`), handlers return to a driver loop instead.
//!
//! # The handlers' contract
//! Every handler may assume, and the translator guarantees:
//!
//! - `ip` points to an instruction with this handler, which the translator emitted for a validated body;
//! - `fp` is a frame of that instruction's function, with as many slots as the function's `enter` reserved. So every slot
//!   number of the instruction is inside the frame;
//! - `inst` is the live instance of that function, and `mem` its `memory0_base`.
//!
//! All `unsafe` blocks of `execute/` rest on this.

#[cfg(wasmr_tail)]
use std::sync::atomic::{AtomicU64, Ordering};

use wasmr_core::trap::TrapCode;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance, VmStore};

/// Type of the float and vector accumulator. A float is in its low lane.
#[cfg(target_arch = "x86_64")]
pub(crate) type FloatAcc = std::arch::x86_64::__m128d;
/// Type of the float and vector accumulator. A float is in its low bytes.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type FloatAcc = wasmr_core::value::V128;

/// Machine registers.
#[derive(Clone, Copy)]
pub(crate) struct Machine {
    /// Instruction being executed.
    pub(crate) ip: Ip,
    /// Frame pointer: the first local that is no parameter.
    pub(crate) fp: Fp,
    /// Base of memory 0 if it is guard-paged.
    pub(crate) mem: *mut u8,
    /// Instance of the function.
    pub(crate) inst: *mut VmInstance,
    /// Integer and reference accumulator, in slot form.
    pub(crate) acc: u64,
    /// Scratch register. After a return: the frame that was left.
    pub(crate) scratch: u64,
    /// Float and vector accumulator.
    pub(crate) facc: FloatAcc,
}

/// Declares the handlers' calling convention once, for the type and the functions.
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
        /// Handler: executes the instruction at `ip`, then all that follow. Returns a [`Status`] word, or `CONTINUE` to the
        /// driver loop of a build without tail calls.
        pub(crate) type $name = unsafe extern $abi fn(
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
            scratch: u64,
            facc: $crate::execute::dispatch::FloatAcc,
        ) -> usize {
            #[allow(unused_mut, reason = "not every handler changes a register")]
            let mut $m = $crate::execute::dispatch::Machine { ip, fp, mem, inst, acc, scratch, facc };
            // SAFETY: `execute/dispatch.rs` states what every handler may assume; callers of a handler promise it.
            #[allow(unused_unsafe, reason = "a handler may do nothing unsafe")]
            unsafe {
                $body
            }
        }
    };
}
pub(crate) use with_abi_named;

with_abi! { type Handler }

/// Declares handlers: `fn name[generics](m) { … }`, with the [`Machine`] as `m`.
macro_rules! handlers {
    ($($(#[$attr:meta])* fn $name:ident [$($generics:tt)*] ($m:ident) $body:block)*) => {
        $($crate::execute::dispatch::with_abi! { $(#[$attr])* fn $name [$($generics)*] ($m) $body })*
    };
}
pub(crate) use handlers;

/// Result of a handler for the driver loop: the registers are in the store, and execution continues.
#[cfg(not(wasmr_tail))]
pub(crate) const CONTINUE: usize = usize::MAX;

impl Machine {
    /// Returns word `n` of the instruction.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has more than `n` words.
    #[inline(always)]
    pub(crate) unsafe fn word(&self, n: usize) -> u64 {
        // SAFETY: the caller promises that the word is part of the instruction at `ip`.
        unsafe { *self.ip.as_ptr().add(n) }
    }

    /// Returns half a word of the instruction, counted from word 0: 2 is the lower half of word 1.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn half(&self, n: usize) -> u32 {
        // SAFETY: the caller promises that the field is part of the instruction; a word is aligned for u32.
        unsafe { *self.ip.as_ptr().cast::<u32>().add(n) }
    }

    /// Returns the field at byte `8 + 2 * n` of the instruction, a slot number.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has two words.
    #[inline(always)]
    pub(crate) unsafe fn narrow(&self, n: usize) -> isize {
        // SAFETY: the caller promises that the instruction has word 1, which is aligned for i16.
        unsafe { *self.ip.as_ptr().cast::<i16>().add(4 + n) as isize }
    }

    /// Returns the slot that field `d` names.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn d(&self) -> *mut u64 {
        // SAFETY: by the handlers' contract, each slot that the instruction names is in the frame.
        unsafe { self.fp.offset(self.narrow(0)) }
    }

    /// Returns the slot that field `a` names.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn a(&self) -> *mut u64 {
        // SAFETY: by the handlers' contract, each slot that the instruction names is in the frame.
        unsafe { self.fp.offset(self.narrow(1)) }
    }

    /// Returns the slot that field `b` names.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn b(&self) -> *mut u64 {
        // SAFETY: by the handlers' contract, each slot that the instruction names is in the frame.
        unsafe { self.fp.offset(self.narrow(2)) }
    }

    /// Returns the slot that field `x` names.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn x(&self) -> *mut u64 {
        // SAFETY: by the handlers' contract, each slot that the instruction names is in the frame.
        unsafe { self.fp.offset(self.narrow(3)) }
    }

    /// Returns field `a` as a small constant.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn a_imm(&self) -> i16 {
        // SAFETY: the caller promises that the instruction has the field.
        unsafe { self.narrow(1) as i16 }
    }

    /// Returns the upper half of word 1.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn imm(&self) -> i32 {
        // SAFETY: the caller promises that the instruction has the field; byte 12 is aligned for i32.
        unsafe { *self.ip.as_ptr().cast::<i32>().add(3) }
    }

    /// Returns the lower half of word 1, for instructions without slots there.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has the field.
    #[inline(always)]
    pub(crate) unsafe fn low(&self) -> u32 {
        // SAFETY: the caller promises that the instruction has the field; byte 8 is aligned for u32.
        unsafe { *self.ip.as_ptr().cast::<u32>().add(2) }
    }

    /// Returns the address of an object in the instance's allocation, at a byte offset of `VmLayout`.
    ///
    /// # Safety
    /// The handlers' contract; at the offset there is a `T`.
    #[inline(always)]
    pub(crate) unsafe fn in_instance<T>(&self, offset: u32) -> *mut T {
        // SAFETY: the caller promises that the instance's allocation has a `T` at the offset.
        unsafe { self.inst.byte_add(offset as usize).cast() }
    }

    /// Continues with the instruction `len` words further.
    ///
    /// # Safety
    /// The handlers' contract holds for that instruction.
    #[inline(always)]
    pub(crate) unsafe fn next(mut self, len: usize) -> usize {
        // SAFETY: the caller promises the contract for the next instruction, which is in the same code.
        unsafe {
            self.ip = self.ip.add(len);
            self.dispatch()
        }
    }

    /// Continues with the instruction at `ip`.
    ///
    /// # Safety
    /// The handlers' contract holds for that instruction.
    #[cfg(wasmr_tail)]
    #[inline(always)]
    pub(crate) unsafe fn dispatch(self) -> usize {
        // SAFETY: the caller promises the contract for the instruction at `ip`, whose word 0 is its handler.
        unsafe {
            // Another thread may exchange the handler word.
            let word = AtomicU64::from_ptr(self.ip.as_ptr().cast_mut()).load(Ordering::Relaxed);
            self.enter(std::mem::transmute::<u64, Handler>(word))
        }
    }

    /// Continues with the instruction at `ip`, through the driver loop.
    ///
    /// # Safety
    /// The handlers' contract holds for that instruction.
    #[cfg(not(wasmr_tail))]
    #[inline(always)]
    pub(crate) unsafe fn dispatch(self) -> usize {
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
    pub(crate) unsafe fn enter(self, handler: Handler) -> usize {
        // SAFETY: the caller promises what `handler` asks for.
        unsafe { handler(self.ip, self.fp, self.mem, self.inst, self.acc, self.scratch, self.facc) }
    }

    /// Jumps `distance` words from the instruction. A jump that is not forward takes one from the instance's budget; an
    /// instruction may be a loop by itself.
    ///
    /// # Safety
    /// The handlers' contract holds for that instruction.
    #[inline(always)]
    pub(crate) unsafe fn jump(mut self, distance: i32) -> usize {
        // SAFETY: the caller promises the contract for the target, which is in the same code.
        unsafe {
            self.ip = self.ip.offset(distance as isize);
            if distance <= 0 && self.spend() {
                return self.enter(budget_interrupt);
            }
            self.dispatch()
        }
    }

    /// Takes one from the budget. Returns true if the budget is used up.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub(crate) unsafe fn spend(&self) -> bool {
        // SAFETY: by the handlers' contract the instance is alive.
        unsafe {
            let left = (*self.inst).budget - 1;
            (*self.inst).budget = left;
            left < 0
        }
    }

    /// Ends the run with a trap at this instruction.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub(crate) unsafe fn trap(mut self, code: TrapCode) -> usize {
        self.acc = code as u64;
        // SAFETY: `raise` takes the code from `acc`.
        unsafe { self.enter(raise) }
    }

    /// Leaves the interpreter with this status.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub(crate) unsafe fn stop(mut self, status: Status) -> usize {
        self.acc = status.0 as u64;
        // SAFETY: `leave` takes the status from `acc`.
        unsafe { self.enter(super::pairs::leave) }
    }

    /// Notes in the store the frame and instruction at which the interpreter is left.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub(crate) unsafe fn note_exit(&self) {
        // SAFETY: by the handlers' contract the instance is alive, and so is its store.
        unsafe { InterpreterExit { fp: self.fp, ip: self.ip }.note((*self.inst).store) }
    }

    /// Reloads `mem` after a call that may have moved memory 0 or changed the instance.
    ///
    /// # Safety
    /// The handlers' contract.
    #[inline(always)]
    pub(crate) unsafe fn reload_memory(&mut self) {
        // SAFETY: by the handlers' contract the instance is alive.
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

    /// The work when the budget is used up: polls the interrupt flag, then continues at `ip`. If another tier ran the function
    /// to its end, execution continues in its caller.
    #[cold]
    #[inline(never)]
    fn budget_interrupt[](m) {
        if is_interrupted((*m.inst).store) {
            return m.trap(TrapCode::Interrupted);
        }
        let end = super::hooks::budget_interrupt(m.fp, m.ip);
        if end != super::hooks::GO_ON {
            m.acc = end as u64;
            return m.enter(super::frame::taken_over);
        }
        m.enter(super::pairs::limit_pairs)
    }
}

/// Returns true if the guest was asked to stop.
///
/// # Safety
/// The store is alive.
pub(crate) unsafe fn is_interrupted(store: *mut VmStore) -> bool {
    // SAFETY: the flag lives as long as its store.
    unsafe {
        let interrupt = (*store).interrupt;
        !interrupt.is_null() && (*interrupt).load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Executes from `machine.ip` until a handler ends the run with a status.
///
/// # Safety
/// The handlers' contract holds for the instruction at `machine.ip`.
#[cfg(wasmr_tail)]
pub(crate) unsafe fn run(machine: Machine) -> Status {
    let Machine { ip, fp, mem, inst, acc, scratch, facc } = machine;
    // SAFETY: the caller promises the contract for the first instruction; each handler keeps it for the next.
    Status(unsafe { super::pairs::run(ip, fp, mem, inst, acc, scratch, facc) })
}

/// Executes from `machine.ip` until a handler returns a status: the driver loop over the handlers.
///
/// # Safety
/// The handlers' contract holds for the instruction at `machine.ip`.
#[cfg(not(wasmr_tail))]
pub(crate) unsafe fn run(mut machine: Machine) -> Status {
    // SAFETY: the caller promises the contract for the first instruction; each handler keeps it for the next. `store` outlives
    // the run, and the previous registers are put back.
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

/// Returns the word that instructions with this handler start with.
pub(crate) fn handler_word(handler: Handler) -> u64 {
    handler as usize as u64
}

const _: () = assert!(size_of::<*mut VmInstance>() == 8, "code words and slots hold pointers in 8 bytes");
