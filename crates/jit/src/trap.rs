//! Faults and stop signals in compiled code: landing pads, and the traps that they become.
//!
//! The signal handler continues the thread at a landing pad of this file. The landing pad makes a frame for the interrupted
//! instruction and calls [`trapped`] or [`stopped`], which end the run. They take the backtrace first, while the frames are
//! alive.
//!
//! # Why does the address of the fault matter?
//! An instruction whose fault stands for a trap also faults if the compiled code is wrong. Only faults that a guest can cause
//! are traps: an access inside the reservation of a guard-paged memory, or one through null. Any other fault aborts the
//! process.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use wasmr_core::trap::TrapCode;
use wasmr_runtime::Stop;
use wasmr_runtime::exit::{drop_interpreted, note_native_exit};
use wasmr_runtime::sys;
use wasmr_runtime::vm::{NativeFrame, VmStore};

use crate::enter;
use crate::frames::activation_of;
use crate::{link, registry};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

/// Bytes from null within which every field lies that compiled code reads through a pointer that may be null.
const NULL_REACH: usize = 4096;

/// Installs the signal handlers. From now on a fault in compiled code becomes a trap, and a stop signal in it ends the run.
pub(crate) fn prepare() {
    // SAFETY: a signal handler may call all three functions, as they only read atomics. Execution may continue at either
    // landing pad from any instruction of compiled code. The landing pads read only the stack pointer, the frame pointer and
    // the registers that the handler sets. They push a frame below the stack pointer, where compiled code keeps nothing (it has
    // no red zone).
    unsafe {
        sys::install_fault_handler(fault_landing_pad);
        sys::preempt::install_preemption(is_to_stop, stop_landing_pad);
    }
}

/// Returns the landing pad for a fault at `pc`, or `None` if that is not in compiled code.
fn fault_landing_pad(pc: usize) -> Option<usize> {
    link::is_code(pc).then_some(machine::fault_landing_pad as *const () as usize)
}

/// Returns true if the guest of a store that a thread runs was asked to stop.
fn is_to_stop(store: *mut c_void) -> bool {
    // SAFETY: `store` is the store whose guest this thread runs, so it is alive, and its interrupt flag with it.
    unsafe { (*(*store.cast::<VmStore>()).interrupt).load(Ordering::Relaxed) }
}

/// Returns the landing pad for a stop signal at `pc`, or `None` if that is not in compiled code.
fn stop_landing_pad(pc: usize) -> Option<usize> {
    link::is_code(pc).then_some(machine::stop_landing_pad as *const () as usize)
}

/// Ends the run with the trap of the faulting instruction. `frame` looks as if that instruction had made a call; `address` is
/// the data address of the fault, or the address of the instruction if it traps by itself (`ud2`).
///
/// # Safety
/// Called by the fault landing pad, on the native stack.
pub(crate) unsafe extern "C" fn trapped(frame: *const NativeFrame, address: usize) -> ! {
    // SAFETY: the landing pad made the frame. Its return address is one more than the address of the instruction.
    let pc = unsafe { (*frame).return_to } - 1;
    let code = registry::find(pc).and_then(|code| code.trap(pc));
    let Some(code) = code.filter(|&code| is_guests_fault(code, pc, address)) else { fail(pc, address) };
    // SAFETY: compiled code runs in activations only, so the frame's chain ends at one, and its store is alive. The only value
    // of this function to drop, the registered code, is dropped already.
    unsafe {
        let activation = activation_of(frame);
        let store = (*activation).store;
        note_native_exit(store, frame);
        enter::stop(store, Stop::trap(code))
    }
}

/// Ends the run because the guest was asked to stop. `frame` looks as if the instruction that was next had made a call.
///
/// # Safety
/// Called by the stop landing pad, on the native stack.
pub(crate) unsafe extern "C" fn stopped(frame: *const NativeFrame) -> ! {
    let store = sys::preempt::running().cast::<VmStore>();
    // SAFETY: the signal handler chose the landing pad because this store runs on the thread, so it is alive. The signal came
    // in compiled code, so the store's innermost activation is that code's, and no Rust frame with values to drop is in it.
    unsafe {
        note_native_exit(store, frame);
        // The frames of the interpreter that machine code called have returned.
        drop_interpreted(store);
        enter::stop(store, Stop::trap(TrapCode::Interrupted))
    }
}

/// Returns true if a guest can cause a fault at `address` by an instruction that may trap with `code`.
fn is_guests_fault(code: TrapCode, pc: usize, address: usize) -> bool {
    // The compiler emits instructions that trap by themselves for nothing but traps.
    address == pc
        || match code {
            // The guard at the base of a heap is part of a reservation.
            TrapCode::MemoryOutOfBounds | TrapCode::NullStructReference | TrapCode::NullArrayReference => {
                sys::is_guarded_address(address)
            }
            _ => address < NULL_REACH,
        }
}

/// Aborts the process because of a fault that only wrong compiled code can cause.
#[cold]
fn fail(pc: usize, address: usize) -> ! {
    eprintln!("wasmr: compiled code at {pc:#x} faulted at {address:#x}: a bug in wasmr, not a trap");
    std::process::abort()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86_64 {
    use std::arch::naked_asm;

    use wasmr_runtime::landing_register;

    /// Assembly that pushes a frame as if the interrupted instruction were a call, and passes the frame as the first argument.
    ///
    /// A stack walk looks for a frame's operator one byte before the return address, so the return address is one more than the
    /// instruction's.
    macro_rules! push_call_frame {
        () => {
            concat!(
                concat!("lea rax, [", landing_register!(code), " + 1]\n"),
                "push rax\n",
                "push rbp\n",
                "mov rbp, rsp\n",
                "mov rdi, rsp",
            )
        };
    }

    /// Landing pad for a fault, which any instruction of compiled code may have caused. Its registers are those of
    /// [`landing`](wasmr_runtime::sys::landing).
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn fault_landing_pad() -> ! {
        naked_asm!(
            push_call_frame!(),
            concat!("mov rsi, ", landing_register!(data)),
            "and rsp, -16",
            "call {trapped}",
            "ud2",
            trapped = sym super::trapped,
        )
    }

    /// Landing pad for the signal that stops the guest, which may come before any instruction of compiled code.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn stop_landing_pad() -> ! {
        naked_asm!(
            // In a prologue or epilogue, where the frame is incomplete, the backtrace misses the caller.
            push_call_frame!(),
            "and rsp, -16",
            "call {stopped}",
            "ud2",
            stopped = sym super::stopped,
        )
    }
}

/// Stand-ins on hosts without machine code, where nothing calls them.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use std::process::abort;

    use wasmr_runtime::vm::NativeFrame;

    // The functions that the landing pads of a supported host call, so that every host checks them.
    const _: unsafe extern "C" fn(*const NativeFrame, usize) -> ! = super::trapped;
    const _: unsafe extern "C" fn(*const NativeFrame) -> ! = super::stopped;

    pub(crate) unsafe extern "C" fn fault_landing_pad() -> ! {
        abort()
    }

    /// # Safety
    /// Never called.
    pub(crate) unsafe extern "C" fn stop_landing_pad() -> ! {
        abort()
    }
}
