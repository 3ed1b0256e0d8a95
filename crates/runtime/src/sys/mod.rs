//! The operating system: address space, pages of stacks and of code, hardware faults, and the signal that stops
//! compiled code.
//!
//! No other folder of this crate names `mmap`, `mprotect`, `sigaction` or `cfg(target_os)`.
//!
//! - [`Mapping`]: pages owned by the runtime, unmapped on drop.
//! - [`Reservation`]: address space of a guard-paged memory, known to [`is_guarded_address`] while it lives.
//! - [`StackPages`]: the pages of a stack. Dropped stacks and reservations are kept for the next store.
//! - [`CodeMapping`]: pages mapped once for writing machine code and once for executing it. [`CodeAllocator`] divides one among
//!   [`CodeRegion`]s.
//! - [`build_id()`]: identifies the build of the program.
//! - [`for_each_word`]: reads a stack word by word, for the collector.
//! - [`lower_priority`]: the background priority of compiler threads; [`thread_cpu_time`]: the processor time of a thread.
//! - [`spawn_elsewhere`]: starts a compiler thread beside the caller, not behind it.
//! - [`mod@preempt`]: stops compiled code from another thread.
//! - [`landing`]: the registers at a landing pad, the code that continues after a fault or such a signal.
//! - [`install_fault_handler`]: turns a fault at a known code address into a jump. Every other fault keeps its effect.
//!
//! # Why a fault is judged twice
//! The signal handler checks only the *code* address. The landing pad, in ordinary context, checks with
//! [`is_guarded_address`] that the *data* address belongs to a linear memory. If it does not, the landing pad must not
//! call the fault a trap.

#[cfg(not(unix))]
compile_error!(
    "wasmr needs a Unix host: the Windows versions of memory reservations and fault handling do not exist yet"
);

mod build_id;
mod code_allocator;
mod code_mapping;
mod fault;
mod fork;
pub mod landing;
#[cfg(miri)]
mod miri;
mod placement;
mod pool;
pub mod preempt;
mod reservation;
mod stack;
mod stack_pages;
#[cfg(not(miri))]
mod unix;
#[cfg(miri)]
use miri as unix;

pub use build_id::build_id;
pub use code_allocator::{CodeAllocator, CodeRegion};
pub use code_mapping::{CodeMapping, ProgramImage};
pub use fault::{FAULTS_BECOME_TRAPS, install_fault_handler, prepare_thread};
pub use fork::generation;
pub use placement::spawn_elsewhere;
pub use reservation::{Reservation, is_guarded_address, leave_memories_out_of_forks};
pub use stack::for_each_word;
pub use stack_pages::StackPages;
pub use unix::{Mapping, lower_priority, page_size, thread_cpu_time};
