//! The boundary of machine code in machine words: into it, out of it early, and what becomes of a fault in it.
//!
//! Everything here is written for one processor and one calling convention; what it must agree with is `trampoline.rs` on one
//! side and [`VmActivation`](wasmr_runtime::vm::VmActivation) on the other.
//!
//! # The stack
//! Machine code has a stack of its own, [`VmStore::native_stack_top`](wasmr_runtime::vm::VmStore::native_stack_top). The first
//! trampoline into it switches to that; those inside it, from the host or the interpreter which then run there as well, go on
//! where they are.
//! ```text
//!   the host's frame:  … | return address | rbp | rbx r12 r13 r14 r15 | (free)
//!   machine code's:      (free) | address of the above | func | activation: prev, exit_fp, native_exit_fp, store   ← rbp
//!                        return address into `enter_loop` | activation's address (rbp) | frame of the trampoline (trampoline.rs)
//!                        …frames of compiled functions, each starting with a return address and the frame pointer before
//! ```
//! So the chain of frame pointers of an activation ends at the activation itself, and the return address beside its last link
//! is the only one that is not in compiled code.
//!
//! # Ends
//! Whoever cannot return calls [`leave`], which ends the innermost activation with a status as if it had returned that, or
//! [`resume`], which goes on at a handler in it. Both drop the frames in between: they belong to compiled functions, to
//! trampolines, and to the functions of this crate that call these two, which have nothing to drop by then.

use wasmr_runtime::Stop;
use wasmr_runtime::frame::Fp;
use wasmr_runtime::vm::{ArrayCall, Status, VmFunc, VmStore};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

pub(crate) use machine::{leave, resume};

/// [`VmFunc::entry`] of compiled functions: calls the trampoline in [`VmFunc::data`].
pub(crate) fn enter() -> ArrayCall {
    machine::enter
}

/// Goes on with an interpreter's frame at a loop's code, through the trampoline for that.
///
/// # Safety
/// `trampoline` is a loop trampoline for functions of the type of `func`, `code` is compiled from the loop at which `frame` is, a live
/// frame of `func`; the store is ready to run machine code.
pub(crate) unsafe fn enter_loop(
    store: *mut VmStore,
    func: *mut VmFunc,
    frame: Fp,
    trampoline: usize,
    code: usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe { machine::enter_loop(store, func, frame, code, trampoline) }
}

/// Ends the innermost activation for a reason that is not in the store yet.
///
/// # Safety
/// As for [`leave`], and no Rust reference to the store is in use. The caller has nothing to drop.
pub(crate) unsafe fn stop(store: *mut VmStore, stop: Stop) -> ! {
    // SAFETY: the caller's promise.
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
    /// [`enter_loop`] pushes an even number of words, so that the stack pointer stays a multiple of 16.
    const _: () = assert!((size_of::<VmActivation>() + ABOVE_ACTIVATION).is_multiple_of(16));

    /// The host's way into compiled code: an [`ArrayCall`](wasmr_runtime::vm::ArrayCall).
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn enter(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
        naked_asm!(
            "mov r8, [rsi + {data}]",
            "jmp {enter_loop}",
            data = const offset_of!(VmFunc, data),
            enter_loop = sym enter_loop,
        )
    }

    /// Calls `trampoline(store, func, frame, code)` as an activation; for [`enter`] what stands for a frame are the slots.
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
            // From here on the stack pointer is a multiple of 16 after each pair.
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

    /// Ends the innermost activation with a status.
    ///
    /// # Safety
    /// The store has an activation, and what runs since it began has nothing to drop.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn leave(store: *mut VmStore, status: Status) -> ! {
        naked_asm!(
            "mov rsp, [rdi + {activation}]",
            "mov rax, rsi",
            "pop rcx",
            "mov [rdi + {activation}], rcx",
            // What `exit_fp` was is told by how the call ended: after an early end it says where.
            "add rsp, 8",
            "pop rcx",
            "mov [rdi + {native_exit_fp}], rcx",
            // The store and the function.
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

    /// Goes on at a handler, with what it is to get in the register for that.
    ///
    /// # Safety
    /// `pc` is the handler of a call site of a live frame of the innermost activation, `fp` that frame, `sp` its stack pointer
    /// at the call; what runs since the call has nothing to drop.
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn resume(pc: usize, sp: usize, fp: usize, payload: u64) -> ! {
        naked_asm!("mov rax, rcx", "mov rsp, rsi", "mov rbp, rdx", "jmp rdi")
    }
}

/// Hosts for which no machine code is made: nothing here is ever called.
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
