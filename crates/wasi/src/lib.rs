//! Stage 5: takes a guest's memory and the arguments of a host call, gives WASI Preview 1.
//!
//! All 46 functions of `wasi_snapshot_preview1`, and those of the older `wasi_unstable`, over `cap-primitives` for paths and
//! plain synchronous system calls for the rest. Linux.
//!
//! | file | its one job |
//! |---|---|
//! | `table` | the list of calls: names, parameters, functions |
//! | `ctx` | what a guest may reach, denied unless granted |
//! | `inherit` | what a guest takes over from this process, if the embedder says so |
//! | `stdio` | where the standard streams lead |
//! | `memory` | checked access to guest memory, in place |
//! | `pointer` | an address that the guest passed, and why it cannot be used |
//! | `abi` | structures, byte by byte; `layout`: their sizes and alignments |
//! | `errno` | the error numbers and the one mapping from host errors |
//! | [`rights`] | what a descriptor may be used for |
//! | `exit` | how a call ends the guest |
//! | `wait` | the one place where a call sleeps, and how it is woken |
//! | `fd_table` | numbers to objects, with rights |
//! | `sandbox` | paths to files, never outside their directory |
//! | `namespace` | absolute paths to granted directories; `names`: directories that exist only in their names |
//! | `fifo` | the wait for the other side of a FIFO |
//! | `listing` | directory entries with stable cookies |
//! | `random` | random bytes: a generator seeded by the host, or the embedder's source |
//! | `calls` | one short function a call, by family |
//! | `link` | the calls as host functions of the runtime |
//!
//! A call's walk: the linker finds a [`Call`] by module and name, checks its signature, and calls `func` with the context,
//! the memory and the raw arguments → the call decodes them, uses what the context holds, writes results to memory → an
//! error number for the guest, or an [`Exit`].
//!
//! # What holds for every call
//!
//! - Whatever the guest passes, the host neither panics nor allocates by a number that the guest chose: lengths are checked
//!   against the memory or a limit first.
//! - Nothing is reached that the builder did not grant: no path outside a granted directory, no variable, no socket.
//! - A call that waits does so in `poll(2)`, and the store's [`InterruptHandle`](wasmr_runtime::InterruptHandle) ends it.
//!
//! # Signals
//!
//! A write to a pipe that nobody reads is `PIPE`. That relies on `SIGPIPE` being ignored, as Rust programs do from the start;
//! an embedder in another language has to ignore it too. Sockets are written so that they never raise it.
//!
//! A file that grows beyond the process's `RLIMIT_FSIZE` is `FBIG` if `SIGXFSZ` is ignored; its default action ends the
//! process. This library leaves the signals of its embedder alone. The command `wasmr` ignores it.

#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

#[cfg(not(target_os = "linux"))]
compile_error!("wasmr-wasi is written and tested for Linux only");

mod abi;
mod calls;
mod ctx;
mod errno;
mod exit;
mod fd_table;
mod fifo;
mod inherit;
mod layout;
mod link;
mod listing;
mod memory;
mod names;
mod namespace;
mod pointer;
mod random;
pub mod rights;
mod sandbox;
mod stdio;
mod table;
mod wait;

pub use ctx::{BuildError, WasiCtx, WasiCtxBuilder};
pub use errno::Errno;
pub use exit::Exit;
pub use layout::Layout;
pub use link::{MissingMemory, add_imports_to_linker, add_to_linker};
pub use memory::GuestMemory;
pub use pointer::{MemoryFault, Pointer};
pub use stdio::{OutputBuffer, Stdin, Stdout};
pub use table::{Call, CallFn, MODULES, Param, Slot, find};
