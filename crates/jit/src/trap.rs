//! What becomes of a fault in compiled code: the trap that the code there stands for.
//!
//! Comes in: the frame that the landing made for the faulting instruction, and the address of the fault. The run ends there, with
//! a backtrace that is taken while the frames are alive.
//!
//! # Why is the address looked at?
//! An instruction that may fault for the guest's reasons may do so for ours, if compiled code is wrong. Only what the guest can
//! cause is a trap: an access inside of a guarded memory's reservation, or one through null. All else kills the process.

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use wasmr_core::trap::TrapCode;
use wasmr_runtime::Stop;
use wasmr_runtime::sys;
use wasmr_runtime::vm::VmStore;

use crate::enter;
use crate::frames::activation_of;
use crate::{link, registry};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

/// What is read through a null pointer is at most this far from it.
const NULL_REACH: usize = 4096;

/// Turns faults in compiled code into traps from now on.
pub(crate) fn prepare() {
    // SAFETY: all read atomics; where they lead to expects to come from any instruction of compiled code.
    unsafe {
        sys::install_fault_handler(landing);
        sys::preempt::install_preemption(is_to_stop, stop_landing);
    }
}

/// Where to go on after a fault, if it was in compiled code.
fn landing(pc: usize) -> Option<usize> {
    link::is_code(pc).then_some(machine::fault_landing as *const () as usize)
}

/// Returns true if the guest of a store that a thread runs was asked to stop.
fn is_to_stop(store: *mut c_void) -> bool {
    // SAFETY: a store whose guest a thread runs is alive, and its flag with it.
    unsafe { (*(*store.cast::<VmStore>()).interrupt).load(Ordering::Relaxed) }
}

/// Where to go on when the guest is to be stopped, if it is in compiled code.
fn stop_landing(pc: usize) -> Option<usize> {
    link::is_code(pc).then_some(machine::stop_landing as *const () as usize)
}

/// Ends the run with the trap of the instruction that `frame` is as if called from; `address` is the data address of the fault,
/// or that of the instruction.
///
/// # Safety
/// Called by the landing, on the stack of machine code.
pub(crate) unsafe extern "C" fn trapped(frame: *const usize, address: usize) -> ! {
    // SAFETY: the landing made the frame, with the address behind the instruction's first byte.
    let pc = unsafe { *frame.add(1) } - 1;
    let code = registry::find(pc).and_then(|body| body.trap(pc));
    let Some(code) = code.filter(|&code| is_guests(code, pc, address)) else { fail(pc, address) };
    // SAFETY: compiled code is executed in activations only, whose store is alive; the registry's body was dropped.
    unsafe {
        let activation = activation_of(frame);
        let store = (*activation).store;
        (*store).native_exit_fp = frame;
        enter::stop(store, Stop::trap(code))
    }
}

/// Ends the run because the guest was asked to stop; `frame` is as if called from the instruction that was next.
///
/// # Safety
/// Called by the landing for that, on the stack of machine code.
pub(crate) unsafe extern "C" fn stopped(frame: *const usize) -> ! {
    let store = sys::preempt::running().cast::<VmStore>();
    // SAFETY: the signal was taken because this store runs and is alive; its innermost part is machine code, which is where the
    // signal came. No Rust frame is above the activation, and nothing is left to drop.
    unsafe {
        (*store).native_exit_fp = frame;
        // Frames of the interpreter that machine code called are gone.
        (*store).exit_fp = (*(*store).activation).exit_fp;
        enter::stop(store, Stop::trap(TrapCode::Interrupted))
    }
}

/// Whether the guest can be the reason of a fault at an instruction that may trap with `code`.
fn is_guests(code: TrapCode, pc: usize, address: usize) -> bool {
    // An instruction that traps by itself is one that the compiler put there for that.
    address == pc
        || match code {
            TrapCode::MemoryOutOfBounds => sys::is_guarded_address(address),
            _ => address < NULL_REACH,
        }
}

/// Compiled code did what it never may.
#[cold]
fn fail(pc: usize, address: usize) -> ! {
    eprintln!("wasmr: compiled code at {pc:#x} faulted at {address:#x}, which is no trap");
    std::process::abort()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86_64 {
    use std::arch::naked_asm;

    use wasmr_runtime::landing_register;

    /// Makes a frame as if the instruction had called, as return addresses are behind what they return from. Gives the frame as the
    /// first argument.
    macro_rules! call_frame {
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

    /// Landing after a fault: any instruction of compiled code may come before. For its registers see
    /// [`landing`](wasmr_runtime::sys::landing).
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn fault_landing() -> ! {
        naked_asm!(
            call_frame!(),
            concat!("mov rsi, ", landing_register!(data)),
            "and rsp, -16",
            "call {trapped}",
            "ud2",
            trapped = sym super::trapped,
        )
    }

    /// Landing after the signal that stops the guest: any instruction of compiled code may come before.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn stop_landing() -> ! {
        naked_asm!(
            // Where the instruction is one that makes or drops a frame, its caller's is left out.
            call_frame!(),
            "and rsp, -16",
            "call {stopped}",
            "ud2",
            stopped = sym super::stopped,
        )
    }
}

/// Hosts for which no machine code is made: nothing here is ever called.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use std::process::abort;

    pub(crate) unsafe extern "C" fn fault_landing() -> ! {
        abort()
    }

    /// # Safety
    /// Never called.
    pub(crate) unsafe extern "C" fn stop_landing() -> ! {
        abort()
    }
}
