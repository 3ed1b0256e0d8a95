//! The contract of *landing pads*: the code at which a signal handler lets execution continue, in place of an
//! instruction that faulted or was interrupted.
//!
//! At a landing pad, every register has its value at the instruction, except for two:
//!
//! | x86-64 | [`landing_register!`](crate::landing_register) | holds |
//! |---|---|---|
//! | `r8` | `data` | after a fault: the data address, or the code address if the fault concerns no data; else its value at the instruction |
//! | `r9` | `code` | the address of the instruction |
//!
//! Three places rely on it:
//! - The signal handlers of [`sys::fault`](super::install_fault_handler) and [`sys::preempt`](super::preempt) write the
//!   registers through this file.
//! - The landing pads of compiled code (`jit/src/trap.rs`) name them by the macro.
//! - The landing pad of the interpreter (`interp/src/execute/access.rs`) is a handler like any other. In the calling
//!   convention of handlers, the two registers carry the fifth and the sixth argument: `acc` and `spare`.

/// Name of a register that a landing pad reads, for assembly text: see [`sys::landing`](crate::sys::landing).
#[cfg(target_arch = "x86_64")]
#[macro_export]
macro_rules! landing_register {
    (data) => {
        "r8"
    };
    (code) => {
        "r9"
    };
}

/// Makes the interrupted thread continue at `target` when the signal handler returns. `data` is the data address of a
/// fault.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) fn continue_at(registers: &mut [libc::greg_t], target: usize, data: Option<usize>) {
    if let Some(data) = data {
        registers[libc::REG_R8 as usize] = data as i64;
    }
    registers[libc::REG_R9 as usize] = registers[libc::REG_RIP as usize];
    registers[libc::REG_RIP as usize] = target as i64;
}
