//! What a store lets its guests take, and the error when they ask for more than the store or the host gives.
//!
//! Comes from the embedder (the CLI's `--max-…` options); asked by `memory`,
//! `table`, `store` and `instantiate`. Rule: nothing of the host is taken in proportion to a number that a guest chose
//! before that number was held against one of these.

use std::io;

use wasmr_core::count::Count;

use wasmr_core::limits;

/// Upper bounds of one store. They bound the sum over everything in the store, not each object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all linear memories together. `memory.grow` beyond it gives -1.
    pub max_memory_bytes: u64,
    /// Elements of all tables together. `table.grow` beyond it gives -1.
    pub max_table_elements: u64,
    /// Bytes of the guest's value stack, where the interpreter has its frames. Calls beyond it trap with "call stack exhausted".
    /// Machine code has a stack of half as many bytes again ([`native_stack_bytes`](crate::vm::native_stack_bytes)), on which
    /// calls get about as deep.
    pub max_stack_bytes: usize,
    /// Instances, ever, as a store keeps them until it is dropped.
    pub max_instances: usize,
    /// Bytes of exceptions and of entries for host references that are reachable at the same time.
    pub max_reference_bytes: usize,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            max_memory_bytes: limits::DEFAULT_MAX_MEMORY,
            max_table_elements: limits::DEFAULT_MAX_TABLE_ELEMENTS,
            max_stack_bytes: limits::DEFAULT_MAX_STACK,
            max_instances: limits::DEFAULT_MAX_INSTANCES,
            max_reference_bytes: limits::DEFAULT_MAX_REFERENCE_BYTES,
        }
    }
}

/// Which memories get a reservation in which faults stand in for checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryStrategy {
    /// Every 32-bit memory for which the system gives the address space; others are checked.
    #[default]
    Guarded,
    /// None: every access is checked. For hosts without address space to spare, and for tests of that path.
    Checked,
}

/// A store or the operating system refused to give a guest what its module declares. Fault: too little for this module.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// A memory's initial size.
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
    /// A table's initial size.
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
    /// Too many instances.
    #[error("another instance exceeds the limit: a store may have {}", Count(*.limit, "instance"))]
    InstanceLimit {
        /// [`StoreLimits::max_instances`].
        limit: usize,
    },
    /// Too many exceptions or host references are alive.
    #[error("exceptions and host references exceed the limit of {}", Count(*.limit, "byte"))]
    ReferenceLimit {
        /// [`StoreLimits::max_reference_bytes`].
        limit: usize,
    },
    /// The operating system has no more.
    #[error("the system provides no memory for {what}")]
    System {
        /// What it was for.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}
