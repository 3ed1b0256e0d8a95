//! Resource limits of a store, and the error when a guest asks for more than the store or the host gives.
//!
//! The embedder sets the limits (the command by its `--max-…` options). `memory`, `table`, `store` and `instantiate` check
//! them. Rule: the host allocates nothing in proportion to a number that a guest chose before that number was compared with one
//! of these.

use std::io;

use wasmr_core::count::Count;

use wasmr_core::limits;

/// Upper bounds of one store. Each bounds the sum over all objects of the store, not each object. The bounds on memories, tables and
/// heaps hold for all stores of a guest with threads together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all linear memories together. `memory.grow` beyond it returns -1.
    pub max_memory_bytes: u64,
    /// Elements of all tables together. `table.grow` beyond it returns -1.
    pub max_table_elements: u64,
    /// Bytes of the guest's value stack, which has the interpreter's frames. Calls beyond it trap with "call stack exhausted".
    /// The native stack, for compiled code, has half as many bytes again
    /// ([`native_stack_bytes`](crate::vm::native_stack_bytes)), so that calls get about as deep.
    pub max_stack_bytes: usize,
    /// Number of instances ever created, because a store keeps each of them until it is dropped itself.
    pub max_instances: usize,
    /// Bytes of the heap of structs, arrays, exceptions and values of the host. An allocation beyond it traps with
    /// "garbage-collected heap is full".
    pub max_gc_heap_bytes: usize,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            max_memory_bytes: limits::DEFAULT_MAX_MEMORY,
            max_table_elements: limits::DEFAULT_MAX_TABLE_ELEMENTS,
            max_stack_bytes: limits::DEFAULT_MAX_STACK,
            max_instances: limits::DEFAULT_MAX_INSTANCES,
            max_gc_heap_bytes: limits::DEFAULT_MAX_GC_HEAP,
        }
    }
}

/// The choice between guard-paged and checked memories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryStrategy {
    /// Every 32-bit memory is guard-paged if the system gives the address space. Others are checked.
    #[default]
    Guarded,
    /// Every memory is checked. For hosts without address space to spare, and for tests of that path.
    Checked,
}

/// The error of an object that the store's limits or the operating system refuse. Fault: the limits or the host are too small
/// for the object.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// A memory's initial size is over the limit.
    #[error(
        "a memory of {} exceeds the limit: all memories of a store may have {} ({used} in use)",
        Count(*.asked, "byte"),
        Count(*.limit, "byte")
    )]
    MemoryLimit {
        /// Bytes asked for.
        asked: u128,
        /// [`StoreLimits::max_memory_bytes`].
        limit: u64,
        /// Bytes that the store's memories already have.
        used: u64,
    },
    /// A table's initial size is over the limit.
    #[error(
        "a table of {} exceeds the limit: all tables of a store may have {} ({used} in use)",
        Count(*.asked, "element"),
        Count(*.limit, "element")
    )]
    TableLimit {
        /// Elements asked for.
        asked: u64,
        /// [`StoreLimits::max_table_elements`].
        limit: u64,
        /// Elements that the store's tables already have.
        used: u64,
    },
    /// The store has as many instances as it may have.
    #[error("another instance exceeds the limit: a store may have {}", Count(*.limit, "instance"))]
    InstanceLimit {
        /// [`StoreLimits::max_instances`].
        limit: usize,
    },
    /// Too many structs, arrays, exceptions and values of the host are alive.
    #[error("the garbage-collected heap exceeds the limit of {}", Count(*.limit, "byte"))]
    HeapLimit {
        /// [`StoreLimits::max_gc_heap_bytes`].
        limit: usize,
    },
    /// The memory is shared but the function makes memories of one store, or the reverse. Fault: the embedder's.
    #[error(
        "{}",
        if *.shared { "a shared memory is made by `SharedMemory::new`" } else { "`SharedMemory::new` makes only shared memories" }
    )]
    Sharing {
        /// True if the type is that of a shared memory.
        shared: bool,
    },
    /// The operating system refuses memory.
    #[error("the system provides no memory for {what}")]
    System {
        /// Purpose of the memory.
        what: &'static str,
        /// Reason of the operating system.
        #[source]
        source: io::Error,
    },
}
