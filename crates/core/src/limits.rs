//! Limits of this implementation, each with its reason. The decoder (`wasmparser`) has its own limits on the contents of
//! modules.
//!
//! An embedder or a command-line option may change a limit named `DEFAULT_…`; the other limits are fixed. The code that
//! enforces a limit documents the consequence of reaching it.

/// Bytes of a WebAssembly [page](https://webassembly.github.io/spec/core/exec/runtime.html#page-size).
pub const PAGE_SIZE: u64 = 65_536;

/// Bytes of a module. The largest programs in use (a hardware synthesis tool, language runtimes with their libraries)
/// are below 64 MiB. The limit keeps an endless pipe from filling the host's memory.
pub const DEFAULT_MAX_MODULE_SIZE: u64 = 256 << 20;

/// Bytes of a module's type section. Interning types may take 50 bytes of memory and half a microsecond for each of these
/// bytes, more than any other part of a module. The type sections of programs in use are below 1 MiB.
pub const MAX_TYPE_SECTION: u64 = 8 << 20;

/// Bytes of the names of a module's imports together. A compact import section writes the name of a module once for up to a million
/// imports, each of which then has it. The names in programs in use take less than 1 MiB.
pub const MAX_IMPORT_NAMES: usize = 8 << 20;

/// Fields of a struct type, as [in the JS API](https://webassembly.github.io/spec/js-api/#limits). The decoder has the same limit.
pub const MAX_STRUCT_FIELDS: u32 = 10_000;

/// Supertypes of a type, one above the other, as in the JS API. The decoder has the same limit.
pub const MAX_SUPERTYPES: u32 = 63;

/// Bytes of all memories of a store together: the address space of one 32-bit memory. The operating system commits
/// pages when they are touched, so a high limit costs nothing.
pub const DEFAULT_MAX_MEMORY: u64 = 4 << 30;

/// Elements of all tables of a store together. The decoder refuses a table with a larger initial size. Each element
/// costs 8 bytes of host memory from instantiation on.
pub const DEFAULT_MAX_TABLE_ELEMENTS: u64 = 10_000_000;

/// Bytes of the stack for the guest's calls, measured in frames of the interpreter: the usual stack size of a native program.
/// With it CPython and Go programs recurse as deeply as natively. The operating system commits pages when they are touched.
pub const DEFAULT_MAX_STACK: usize = 8 << 20;

/// Instances that a store creates in its lifetime. A store keeps every instance until it is dropped.
pub const DEFAULT_MAX_INSTANCES: usize = 10_000;

/// Bytes of the heap of collected objects: the reach of a compressed reference. The operating system commits pages when they are
/// touched, so a high limit costs nothing.
pub const DEFAULT_MAX_GC_HEAP: usize = 4 << 30;

/// Open descriptors of a guest, and one more than the largest descriptor number: the usual soft limit of a host process.
/// The descriptor table is dense, and the guest can choose a number with `fd_renumber`.
pub const DEFAULT_MAX_FDS: u32 = 1024;

/// Threads that a guest has at once, beside its main one. Each takes two stacks ([`DEFAULT_MAX_STACK`]) and an instance of the
/// program, which the host pays for.
pub const DEFAULT_MAX_THREADS: u32 = 256;

/// Nested calls host → guest → host → … that may be active at once. Each costs native stack. With this limit a thread of
/// 2 MiB (Rust's default) has 8 KiB for each, frames of host functions included.
pub const MAX_NATIVE_DEPTH: u32 = 250;

/// Bytes of arguments and environment of a program together: half of the default limit of a Linux process
/// ([`execve`](https://man7.org/linux/man-pages/man2/execve.2.html)). The guest must allocate memory for all of them.
pub const MAX_ARGS_ENV: usize = 1 << 20;

/// Bytes of a path: Linux's `PATH_MAX` without the terminator. A longer path would be copied first, and then fail in the host.
pub const MAX_PATH: u32 = 4095;

/// Buffers of one vectored read or write: Linux's `IOV_MAX`. The host would refuse longer lists anyway.
pub const MAX_IOVECS: u32 = 1024;

/// Subscriptions of one `poll_oneoff`: several for each descriptor that can be open. The host allocates memory for each.
pub const MAX_SUBSCRIPTIONS: u32 = 4096;

/// Bytes that one host call moves, so that the call stays interruptible. A longer request becomes a short read or write, which
/// POSIX always allows.
pub const MAX_HOST_TRANSFER: usize = 128 << 20;

/// Bytes that one host call moves from or to a memory that threads share. The host copies them.
pub const MAX_SHARED_TRANSFER: usize = 4 << 20;

/// Bytes that a host call produces between two polls of the interrupt flag.
pub const HOST_CHUNK: usize = 64 << 10;

/// Frames of a trap's backtrace, innermost first. These suffice to find the faulty place; a stack overflow has thousands.
pub const MAX_BACKTRACE_FRAMES: usize = 32;
