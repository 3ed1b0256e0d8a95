//! Limits of this implementation, each with its reason. What a module may contain is limited by the decoder, not here.
//!
//! Two kinds: a `DEFAULT_…` is what an embedder may change; the others are fixed. What happens at a limit is the
//! business of whoever enforces it.

/// Bytes of a WebAssembly page. The specification's.
pub const PAGE_SIZE: u64 = 65_536;

/// Bytes of a module. The largest programs in use (a hardware synthesis tool, language runtimes with their libraries)
/// are below 64 MiB; a pipe that never ends must not fill the host's memory.
pub const DEFAULT_MAX_MODULE_SIZE: u64 = 256 << 20;

/// Bytes that all memories of a store may have together: what one 32-bit memory can address. Pages are only committed
/// when touched, so that allowing it costs nothing.
pub const DEFAULT_MAX_MEMORY: u64 = 4 << 30;

/// Elements that all tables of a store may have together. The decoder lets no table start larger, and a table costs 8
/// bytes of host memory an element from the start.
pub const DEFAULT_MAX_TABLE_ELEMENTS: u64 = 10_000_000;

/// Bytes of the stack that holds the locals and operands of interpreted functions: more than ten thousand
/// ordinary frames.
pub const DEFAULT_VALUE_STACK: usize = 1 << 20;

/// Calls that may be open at once in the interpreter. Functions without locals take no room on the value stack; their
/// return addresses do.
pub const DEFAULT_MAX_FRAMES: usize = 65_536;

/// Bytes of native stack that guest code may use, so that both tiers overflow at comparable depths.
pub const DEFAULT_NATIVE_STACK: usize = 1 << 20;

/// Bytes of native stack that stay free below guest code for the host functions it calls.
pub const HOST_STACK_RESERVE: usize = 256 << 10;

/// Bytes of arguments and environment of a program together. Half of what Linux gives a process by default; the
/// guest has to find room for all of it.
pub const MAX_ARGS_ENV: usize = 1 << 20;

/// Bytes of a path, Linux's `PATH_MAX`. Longer ones would fail in the host, after having been copied.
pub const MAX_PATH: usize = 4096;

/// Open descriptors of a guest, and one more than their largest number: the usual soft limit of a host process. The
/// descriptor table is dense, and `fd_renumber` lets the guest choose a number.
pub const DEFAULT_MAX_FDS: u32 = 1024;

/// Buffers of one vectored read or write, Linux's `IOV_MAX`. More would be split by the host anyhow.
pub const MAX_IOVECS: u32 = 1024;

/// Subscriptions of one `poll_oneoff`: several for each descriptor that can be open. The host allocates for each.
pub const MAX_SUBSCRIPTIONS: u32 = 4096;

/// Bytes that one host call moves; a longer read or write is short, as it may always be. Keeps a call interruptible.
pub const MAX_HOST_TRANSFER: usize = 128 << 20;

/// Bytes that a host call buffers at a time when it cannot work in the guest's memory directly.
pub const HOST_BUFFER: usize = 64 << 10;

/// Frames of a trap's backtrace, innermost first. Enough to find the place; a stack overflow has thousands.
pub const MAX_BACKTRACE_FRAMES: usize = 32;

/// Bytes of an error message. Names in it come from the module, which may make them as long as itself.
pub const MAX_ERROR_TEXT: usize = 16 << 10;
