//! Stage 5: takes a guest's memory and the arguments of a host call, and implements WASI Preview 1.
//!
//! The crate implements all 46 functions of [`wasi_snapshot_preview1`] and the 45 of the older `wasi_unstable`. Paths go
//! through `cap-primitives`, everything else is plain synchronous system calls. It runs on Linux only.
//!
//! | file | its one job |
//! |---|---|
//! | `table` | the list of calls: names, parameters, implementing functions |
//! | `ctx` | the grants of a guest, none by default, and their builder |
//! | `network` | grants of the network, and refusals; `address_rule`: addresses and ports of a grant; `ctx_network`: both in the context and its builder |
//! | `resolver` | lookups of host names beside the guest |
//! | `inherit` | grants taken over from this process, only on the embedder's request |
//! | `stdio` | sources and destinations of the standard streams |
//! | `memory` | checked access to guest memory, in place |
//! | `pointer` | an address that the guest passed, and the reasons why it cannot be used |
//! | `abi` | structures, byte by byte; `layout`: their sizes and alignments |
//! | `errno` | the error numbers and the one mapping from host errors |
//! | [`rights`] | the operations that a descriptor permits |
//! | `exit` | the outcomes of a call: success, error number, end of the guest |
//! | `wait` | the one place where a call sleeps, and the interruption of that sleep |
//! | `time` | times in nanoseconds |
//! | `interest` | the wait for the first of several conditions |
//! | `fd_table` | descriptor numbers to host objects with rights |
//! | `sandbox` | paths to files, never outside their directory |
//! | `namespace` | absolute paths to granted directories |
//! | `virtual_dir` | directories that exist only in the guest paths of the grants |
//! | `fifo` | the wait for the other end of a FIFO |
//! | `listing` | directory entries with stable cookies |
//! | `random` | random bytes: a generator seeded by the host, or the embedder's source |
//! | `host` | operations on descriptors and paths, whatever version of WASI asks |
//! | `calls` | one short function a call of Preview 1, by family: decodes its arguments |
//! | [`p2`] | the host of WASI 0.2, for components |
//! | `shared` | one context for all threads of a guest |
//! | `transfer` | bytes of regular files, moved while other threads make calls |
//! | `threads` | `wasi.thread-spawn`, and the end of a guest with threads |
//! | `link` | the calls as host functions of the runtime |
//!
//! A call proceeds in four steps. The linker finds a [`Call`] by module and name and checks the import's type. The host
//! function calls `func` with the context, the memory and the raw arguments. The call decodes its arguments, uses the objects
//! that the context holds, and writes results to memory. It returns an error number to the guest, or an [`Exit`].
//!
//! # Invariants of every call
//!
//! - No argument makes the host panic or allocate by a number that the guest chose. Lengths are first checked against the
//!   memory or a limit.
//! - A call reaches only objects that the builder granted: no path outside a granted directory, no variable, no socket.
//! - A call that waits does so in `poll(2)`, and the store's [`InterruptHandle`](wasmr_runtime::InterruptHandle) ends the
//!   wait.
//!
//! # Signals
//!
//! A write to a pipe without readers fails with `PIPE`. This requires that the process ignores `SIGPIPE`, as Rust programs do
//! from the start. An embedder in another language must ignore it too. Writes to sockets never raise it.
//!
//! A write that would extend a file beyond the process's `RLIMIT_FSIZE` fails with `FBIG` if the process ignores `SIGXFSZ`.
//! The default action of that signal ends the process ([POSIX write]). This library does not change its embedder's signal
//! handling; the command `wasmr` ignores the signal.
//!
//! [`wasi_snapshot_preview1`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
//! [POSIX write]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html

#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

#[cfg(not(target_os = "linux"))]
compile_error!("wasmr-wasi is written and tested for Linux only");

mod abi;
#[cfg(feature = "component")]
mod address_rule;
mod calls;
mod ctx;
#[cfg(feature = "component")]
mod ctx_network;
mod errno;
mod exit;
mod fd_table;
mod fifo;
mod host;
mod inherit;
#[cfg(feature = "component")]
mod interest;
mod layout;
mod link;
mod listing;
mod memory;
mod namespace;
#[cfg(feature = "component")]
mod network;
#[cfg(feature = "component")]
pub mod p2;
mod pointer;
mod random;
#[cfg(feature = "component")]
mod resolver;
pub mod rights;
mod sandbox;
mod shared;
mod stdio;
mod table;
mod threads;
mod time;
mod transfer;
mod virtual_dir;
mod wait;

#[cfg(feature = "component")]
pub use address_rule::{AddressRule, AddressRuleError};
pub use ctx::{BuildError, WasiCtx, WasiCtxBuilder};
pub use errno::Errno;
pub use exit::Exit;
pub use layout::Layout;
pub use link::{MissingMemory, add_imports_to_linker, add_imports_to_linker_with, add_to_linker, add_to_linker_with};
pub use memory::GuestMemory;
#[cfg(feature = "component")]
pub use network::{Protocol, Refusal};
pub use pointer::{MemoryFault, Pointer};
pub use shared::{SharedWasiCtx, WasiAccess};
pub use stdio::{OutputBuffer, Stdin, Stdout};
pub use table::{Call, CallFn, MODULES, Param, ParamType, find};
pub use threads::{ThreadCounts, ThreadData, ThreadEnd, WasiThreads, add_threads_to_linker, imports_threads};
