//! The contract of *landings*: code at which a signal handler lets execution go on, in place of an instruction that faulted or
//! was interrupted.
//!
//! At a landing every register is what it was at the instruction, except for two:
//!
//! | x86-64 | [`landing_register!`](crate::landing_register) | holds |
//! |---|---|---|
//! | `r8` | `data` | after a fault: the data address, or the code address if the fault is not about data; else what it was |
//! | `r9` | `code` | the address of the instruction |
//!
//! Three places rely on it: the handlers of [`sys::fault`](super::install_fault_handler) and [`sys::preempt`](super::preempt),
//! which write the registers by this file; the landings of machine code (`jit/src/trap.rs`), which name them by the macro; and
//! the landing of the interpreter (`interp/src/execute/access.rs`). That one is a handler like any other, and in the calling
//! convention of handlers these two registers carry the fifth and the sixth argument: `acc` and `spare`.

/// The name of a register that a landing reads, for assembly text: see [`sys::landing`](crate::sys::landing).
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

/// Makes the interrupted code go on at `target` when the signal handler returns. `data` is the data address of a fault.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) fn go_on(registers: &mut [libc::greg_t], target: usize, data: Option<usize>) {
    if let Some(data) = data {
        registers[libc::REG_R8 as usize] = data as i64;
    }
    registers[libc::REG_R9 as usize] = registers[libc::REG_RIP as usize];
    registers[libc::REG_RIP as usize] = target as i64;
}
