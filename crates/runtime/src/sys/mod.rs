//! The operating system, as the runtime needs it: address space, pages of stacks and of code, hardware faults, and the signal
//! that stops machine code.
//!
//! The only place of `mmap`, `mprotect`, `sigaction` and of `cfg(target_os)` in this crate.
//!
//! - [`Mapping`]: pages owned by the runtime, unmapped on drop.
//! - [`Reservation`]: address space behind a guarded memory, known to [`is_guarded_address`] as long as it lives.
//! - [`StackPages`]: where a stack is. These and the reservations are kept for the next store when one is dropped.
//! - [`CodeMapping`]: pages mapped once for writing machine code and once for executing it. [`CodeAllocator`] divides one among
//!   [`CodeRegion`]s.
//! - [`for_each_word`]: what is on a stack, for the collector.
//! - [`lower_priority`]: the background priority of compiler threads.
//! - [`mod@preempt`]: stops machine code from another thread.
//! - [`landing`]: the registers with which code goes on after a fault or such a signal.
//! - [`install_fault_handler`]: turns a fault at a known code address into a jump; every other fault stays what it was.
//!
//! # Why a fault is judged twice
//! The handler itself asks only whether the *code* address is one of ours. Whether the *data* address belongs to a
//! linear memory is asked by the code that it lands in, in ordinary context, with [`is_guarded_address`]; if it does
//! not, that code must not call it a trap.

#[cfg(not(unix))]
compile_error!(
    "wasmr needs a Unix host: the Windows versions of memory reservations and fault handling do not exist yet"
);

mod code_allocator;
mod code_mapping;
mod fault;
mod fork;
pub mod landing;
#[cfg(miri)]
mod miri;
mod pool;
pub mod preempt;
mod reservation;
mod stack;
mod stack_pages;
#[cfg(not(miri))]
mod unix;
#[cfg(miri)]
use miri as unix;

pub use code_allocator::{CodeAllocator, CodeRegion};
pub use code_mapping::{CodeMapping, Image};
pub use fault::{FAULTS_BECOME_TRAPS, install_fault_handler, prepare_thread};
pub use fork::generation;
pub use reservation::{Reservation, is_guarded_address};
pub use stack::for_each_word;
pub use stack_pages::StackPages;
pub use unix::{Mapping, lower_priority, page_size};
