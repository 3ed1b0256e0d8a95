//! The native stack of a run of the interpreter: its start, its end, and the *pairs* that machine code puts there in between.
//!
//! Handlers jump to one another, so a run needs no native stack of its own. Machine code of the interpreter's functions uses it
//! to have its returns predicted. A call leaves a *pair*: the instruction that the call returns to, and the address of that
//! instruction's machine code, which the machine's `call` pushes. A return whose header names the instruction of the topmost
//! pair ends in the machine's `ret`; any other return jumps, as those of handlers do. [`paired_call`](crate::paired_call) has
//! the machine code of both.
//!
//! ```text
//!  high addresses   … frame of `entry::call`
//!                   return address into `entry::call`
//!                   VmStore::run_stack of the run before, no instruction's address
//!                   return address into `run`    ◀── VmStore::run_stack
//!                   return address: instruction  ┐ pair
//!                   machine code of it           ┘
//!  low addresses    …                            ◀── rsp at the start of every handler
//! ```
//!
//! # Invariants
//! - A pair is always right: its second word is machine code that removes the pair and continues at the instruction of the first.
//!   Code is not freed during a run. The frames on the value stack say where a return goes, the pairs only how.
//! - Pairs may therefore be missing, be left over from frames that are gone, or all be dropped, at any time. An exception, for
//!   example, leaves those of the frames that it ends.
//! - The word in the place of the instruction of a pair at the start of a run is no instruction's address. No return is to it.
//! - A pair has 16 bytes, so handlers find the stack aligned as the System V ABI asks.
//! - [`leave`] ends a run with the stack pointer of its start, wherever it is. So a trap in the middle of paired calls, a fault in
//!   baseline code included, needs nothing of its own.
//!
//! # How many pairs can there be?
//! Nothing is checked in the path of a call. Calls use up the budget, so there are at most
//! [`MAX_BUDGET`](crate::paired_call::MAX_BUDGET) of them between two budget interrupts of an instance. A budget interrupt and a
//! change of the instance drop all pairs if they take more than [`MOST`] bytes. A call out of the interpreter, after which
//! another run may follow, does so above [`MOST_OUTSIDE`].

#[cfg(wasmr_tail)]
use wasmr_runtime::frame::{Fp, Ip};
#[cfg(wasmr_tail)]
use wasmr_runtime::vm::VmInstance;

#[cfg(wasmr_tail)]
use super::dispatch::FloatAcc;

/// Most bytes of pairs after a budget interrupt and after a change of the instance.
#[cfg(wasmr_tail)]
const MOST: usize = 32 << 10;
/// Most bytes of pairs while the host or compiled code runs. Both may enter the interpreter again, and a thread has 8 KiB for
/// each such level (see [`MAX_NATIVE_DEPTH`](wasmr_core::limits::MAX_NATIVE_DEPTH)).
#[cfg(wasmr_tail)]
const MOST_OUTSIDE: usize = 2 << 10;

/// Declares naked handlers.
#[cfg(wasmr_tail)]
macro_rules! naked_handlers {
    ($($(#[$attr:meta])* fn $name:ident { $($code:tt)* })*) => {$(
        $(#[$attr])*
        ///
        /// # Safety
        /// The handlers' contract.
        #[unsafe(naked)]
        pub(crate) unsafe extern "sysv64" fn $name(
            ip: Ip,
            fp: Fp,
            mem: *mut u8,
            inst: *mut VmInstance,
            acc: u64,
            scratch: u64,
            facc: FloatAcc,
        ) -> usize {
            std::arch::naked_asm!(
                $($code)*
                store = const std::mem::offset_of!(VmInstance, store),
                run_stack = const std::mem::offset_of!(wasmr_runtime::vm::VmStore, run_stack),
            )
        }
    )*};
}

/// Code that drops all pairs if they take more than `{most}` bytes.
#[cfg(wasmr_tail)]
macro_rules! drop_above_most {
    () => {
        "mov rax, [rcx + {store}]
        mov rax, [rax + {run_stack}]
        lea r10, [rsp + {most}]
        cmp r10, rax
        cmovb rsp, rax"
    };
}

#[cfg(wasmr_tail)]
naked_handlers! {
    /// Executes a run: continues with the instruction at `ip` and returns the status with which [`leave`] ends the run.
    fn run {
        // Machine code changes these registers, which calls preserve.
        "push rbx",
        "push rbp",
        "mov rax, [rcx + {store}]",
        "push qword ptr [rax + {run_stack}]",
        "lea r10, [rsp - 8]",
        "mov [rax + {run_stack}], r10",
        "call [rdi]",
        // `leave` has put the store in `rcx`.
        "pop qword ptr [rcx + {run_stack}]",
        "pop rbp",
        "pop rbx",
        "ret",
    }

    /// Ends the run with the status in `acc`.
    fn leave {
        "mov rcx, [rcx + {store}]",
        "mov rsp, [rcx + {run_stack}]",
        "mov rax, r8",
        "ret",
    }

    /// Drops all pairs if they take more than [`MOST`] bytes, and continues with the instruction at `ip`.
    fn limit_pairs {
        drop_above_most!(),
        "jmp [rdi]",
        most = const MOST,
    }

    /// Drops all pairs if they take more than [`MOST_OUTSIDE`] bytes, and continues in [`external`](super::frame::external).
    fn external {
        drop_above_most!(),
        "jmp {external}",
        most = const MOST_OUTSIDE,
        external = sym super::frame::external,
    }
}

/// Builds without tail calls have neither machine code nor pairs.
#[cfg(not(wasmr_tail))]
mod without {
    use crate::execute::dispatch::handlers;

    handlers! {
        /// Ends the run with the status in `acc`.
        #[cold]
        #[inline(never)]
        fn leave[](m) {
            m.acc as usize
        }

        /// Continues with the instruction at `ip`.
        fn limit_pairs[](m) {
            m.dispatch()
        }
    }

    pub(crate) use crate::execute::frame::external;
}
#[cfg(not(wasmr_tail))]
pub(crate) use without::{external, leave, limit_pairs};
