//! Entry into machine code and early exit from it, in assembly.
//!
//! Everything here is for x86-64 and the System V ABI (<https://gitlab.com/x86-psABIs/x86-64-ABI>). It must agree with the
//! trampolines of `trampoline.rs`, which it calls, and with the layout of [`VmActivation`](wasmr_runtime::vm::VmActivation),
//! which it builds on the stack.
//!
//! # The native stack
//! Machine code of a store has its own stack, at [`VmStore::native_stack_top`](wasmr_runtime::vm::VmStore::native_stack_top).
//! The outermost entry switches to it. Host functions and the interpreter that machine code calls run on it as well, so an
//! entry from one of them stays on it. Addresses fall from left to right:
//! ```text
//!   the caller's stack:  … | return address | rbp | rbx r12 r13 r14 r15 | (free)
//!   the native stack:    address of the above | func | activation: store, native_exit_fp, exit_fp, prev   ← rbp
//!                        return address into `enter_loop` | activation's address (rbp) | frame of the trampoline (trampoline.rs)
//!                        …frames of compiled functions, each starting with a return address and the frame pointer before
//! ```
//! The chain of frame pointers of an activation thus ends at the activation itself, and the return address next to its last
//! link is the only one outside of compiled code.
//!
//! # Early ends
//! Code that cannot return calls [`leave`], which ends the innermost activation with a status, as if its entry had returned
//! that status; or [`resume`], which continues at a landing pad in the activation. Both discard the frames in between. These
//! belong to compiled functions, to trampolines, and to functions of this crate that hold nothing to drop when they call
//! `leave` or `resume`.

use wasmr_runtime::Stop;
use wasmr_runtime::frame::Fp;
use wasmr_runtime::vm::{ArrayCall, Status, VmFunc, VmStore};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

pub(crate) use machine::{leave, resume};

/// Returns the [`VmFunc::entry`] of compiled functions, which calls the entry trampoline in [`VmFunc::data`].
pub(crate) fn enter() -> ArrayCall {
    machine::enter
}

/// Continues an interpreter's frame in OSR code, through its OSR trampoline.
///
/// # Safety
/// `frame` is a live frame of `func` at a loop header, and `code` is OSR code for that loop. `trampoline` is an OSR trampoline
/// for functions of the type of `func`. The store is [prepared](crate::module::prepare) to run machine code.
pub(crate) unsafe fn enter_loop(
    store: *mut VmStore,
    func: *mut VmFunc,
    frame: Fp,
    trampoline: usize,
    code: usize,
) -> Status {
    // SAFETY: `machine::enter_loop` calls the trampoline with its arguments, which are as the caller promises.
    unsafe { machine::enter_loop(store, func, frame, code, trampoline) }
}

/// Ends the innermost activation with `stop`, which the store does not know yet.
///
/// # Safety
/// The store has an activation, and no Rust reference to the store is in use. All frames since the activation began, the
/// caller's included, hold nothing to drop.
pub(crate) unsafe fn stop(store: *mut VmStore, stop: Stop) -> ! {
    // SAFETY: no reference to the store is in use, which `end_run` needs. It has consumed `stop` when `leave` discards the
    // frames.
    unsafe {
        let status = wasmr_runtime::end_run(store, stop);
        leave(store, status)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86_64 {
    use std::arch::naked_asm;
    use std::mem::offset_of;

    use wasmr_runtime::frame::Fp;
    use wasmr_runtime::vm::{Status, VmActivation, VmFunc, VmStore};

    /// Bytes of the two words above an activation: the function, and the address of the registers saved at the entry.
    const ABOVE_ACTIVATION: usize = 16;
    /// The stack pointer is a multiple of 16 at a call (System V ABI, section 3.2.2), so [`enter_loop`] pushes an even number
    /// of words.
    const _: () = assert!((size_of::<VmActivation>() + ABOVE_ACTIVATION).is_multiple_of(16));

    /// Calls a compiled function with arguments in slots: an [`ArrayCall`](wasmr_runtime::vm::ArrayCall).
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn enter(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
        naked_asm!(
            "mov r8, [rsi + {data}]",
            "jmp {enter_loop}",
            data = const offset_of!(VmFunc, data),
            enter_loop = sym enter_loop,
        )
    }

    /// Begins an activation and calls `trampoline(store, func, frame, code)` in it. [`enter`] passes the slots as `frame`.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn enter_loop(
        store: *mut VmStore,
        func: *mut VmFunc,
        frame: Fp,
        code: usize,
        trampoline: usize,
    ) -> Status {
        naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            // Makes the stack pointer a multiple of 16.
            "sub rsp, 8",
            "mov rax, rsp",
            "mov r9, [rdi + {activation}]",
            "test r9, r9",
            "jnz 2f",
            "mov rsp, [rdi + {native_stack_top}]",
            "2:",
            "push rax",
            "push rsi",
            "push rdi",
            "push qword ptr [rdi + {native_exit_fp}]",
            "push qword ptr [rdi + {exit_fp}]",
            "push r9",
            "mov [rdi + {activation}], rsp",
            "mov rbp, rsp",
            "call r8",
            "mov rdi, [rsp + {of_store}]",
            "xor esi, esi",
            "jmp {leave}",
            activation = const offset_of!(VmStore, activation),
            native_stack_top = const offset_of!(VmStore, native_stack_top),
            native_exit_fp = const offset_of!(VmStore, native_exit_fp),
            exit_fp = const offset_of!(VmStore, exit_fp),
            of_store = const offset_of!(VmActivation, store),
            leave = sym leave,
        )
    }

    /// Ends the innermost activation with a status: restores the registers that its entry saved, and returns from there.
    ///
    /// # Safety
    /// The store has an activation, and no frame since it began holds anything to drop.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn leave(store: *mut VmStore, status: Status) -> ! {
        naked_asm!(
            "mov rsp, [rdi + {activation}]",
            "mov rax, rsi",
            "pop rcx",
            "mov [rdi + {activation}], rcx",
            // Skips the activation's `exit_fp`: after an early end, the one in the store says where the run ended.
            "add rsp, 8",
            "pop rcx",
            "mov [rdi + {native_exit_fp}], rcx",
            // Skips the store and the function.
            "add rsp, 16",
            "pop rsp",
            "add rsp, 8",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
            activation = const offset_of!(VmStore, activation),
            native_exit_fp = const offset_of!(VmStore, native_exit_fp),
        )
    }

    /// Continues at a landing pad, with `payload` in `rax`, where Cranelift expects the first payload of an exception
    /// (`CallConv::exception_payload_types`).
    ///
    /// # Safety
    /// `pc` is a landing pad of a call that a live frame of the innermost activation waits for. `fp` is the frame pointer of
    /// that frame, and `sp` its stack pointer at the call. No frame since the call holds anything to drop.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn resume(pc: usize, sp: usize, fp: usize, payload: u64) -> ! {
        naked_asm!("mov rax, rcx", "mov rsp, rsi", "mov rbp, rdx", "jmp rdi")
    }
}

/// Stand-ins on hosts without machine code, where nothing calls them.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use std::process::abort;

    use wasmr_runtime::frame::Fp;
    use wasmr_runtime::vm::{Status, VmFunc, VmStore};

    pub(super) unsafe extern "C" fn enter(_store: *mut VmStore, _func: *mut VmFunc, _slots: *mut u64) -> Status {
        abort()
    }

    pub(super) unsafe extern "C" fn enter_loop(
        _store: *mut VmStore,
        _func: *mut VmFunc,
        _frame: Fp,
        _code: usize,
        _trampoline: usize,
    ) -> Status {
        abort()
    }

    /// # Safety
    /// Never called.
    pub(crate) unsafe extern "C" fn leave(_store: *mut VmStore, _status: Status) -> ! {
        abort()
    }

    /// # Safety
    /// Never called.
    pub(crate) unsafe extern "C" fn resume(_pc: usize, _sp: usize, _fp: usize, _payload: u64) -> ! {
        abort()
    }
}
