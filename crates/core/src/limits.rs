//! Limits of this implementation, each with its reason. What a module may contain is limited by the decoder, not here.
//!
//! Two kinds: a `DEFAULT_…` is what an embedder or an option of the command line may change; the others are fixed. What
//! happens at a limit is the business of whoever enforces it.

/// Bytes of a WebAssembly page. The specification's.
pub const PAGE_SIZE: u64 = 65_536;

/// Bytes of a module. The largest programs in use (a hardware synthesis tool, language runtimes with their libraries)
/// are below 64 MiB; a pipe that never ends must not fill the host's memory.
pub const DEFAULT_MAX_MODULE_SIZE: u64 = 256 << 20;

/// Bytes of a module's type section. Each byte may take 50 bytes of memory and half a microsecond until the types are
/// interned, more than any other part of a module; the sections of programs in use are below 1 MiB.
pub const MAX_TYPE_SECTION: u64 = 8 << 20;

/// Bytes that all memories of a store may have together: what one 32-bit memory can address. Pages are only committed
/// when touched, so that allowing it costs nothing.
pub const DEFAULT_MAX_MEMORY: u64 = 4 << 30;

/// Elements that all tables of a store may have together. The decoder lets no table start larger, and a table costs 8
/// bytes of host memory an element from the start.
pub const DEFAULT_MAX_TABLE_ELEMENTS: u64 = 10_000_000;

/// Bytes of the stack for the guest's calls, as frames of the interpreter are counted: what a native program gets from its shell.
/// CPython and Go programs recurse as deeply as natively. It is committed as it is touched.
pub const DEFAULT_MAX_STACK: usize = 8 << 20;

/// Instances that a store makes, ever, as it keeps them until it is dropped.
pub const DEFAULT_MAX_INSTANCES: usize = 10_000;

/// Bytes of exceptions and of entries for host references that are reachable at the same time.
pub const DEFAULT_MAX_REFERENCE_BYTES: usize = 256 << 20;

/// Open descriptors of a guest, and one more than their largest number: the usual soft limit of a host process. The
/// descriptor table is dense, and `fd_renumber` lets the guest choose a number.
pub const DEFAULT_MAX_FDS: u32 = 1024;

/// Calls host → guest → host → … that may be active at once. Each costs native stack; this leaves a thread of 2 MiB (Rust's
/// default) 8 KiB for each, frames of host functions included.
pub const MAX_NATIVE_DEPTH: u32 = 250;

/// Bytes of arguments and environment of a program together. Half of what Linux gives a process by default; the
/// guest has to find room for all of it.
pub const MAX_ARGS_ENV: usize = 1 << 20;

/// Bytes of a path, Linux's `PATH_MAX` without the terminator. Longer ones would fail in the host, after having been
/// copied.
pub const MAX_PATH: u32 = 4095;

/// Buffers of one vectored read or write, Linux's `IOV_MAX`. More would be split by the host anyhow.
pub const MAX_IOVECS: u32 = 1024;

/// Subscriptions of one `poll_oneoff`: several for each descriptor that can be open. The host allocates for each.
pub const MAX_SUBSCRIPTIONS: u32 = 4096;

/// Bytes that one host call moves; a longer read or write is short, as it may always be. Keeps a call interruptible.
pub const MAX_HOST_TRANSFER: usize = 128 << 20;

/// Bytes that a host call produces at a time between two looks at whether the guest was interrupted.
pub const HOST_CHUNK: usize = 64 << 10;

/// Frames of a trap's backtrace, innermost first. Enough to find the place; a stack overflow has thousands.
pub const MAX_BACKTRACE_FRAMES: usize = 32;
