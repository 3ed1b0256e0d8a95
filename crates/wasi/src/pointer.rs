//! [`Pointer`]: an address that the guest passed; [`MemoryFault`]: why it cannot be used.

use std::fmt;

/// An address that the guest passed, and the name of the argument for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The address.
    pub address: u32,
    /// The parameter in which it came.
    pub name: &'static str,
    /// The element of the list that the parameter points to, if the address stands there.
    pub index: Option<u32>,
}

impl Pointer {
    /// A pointer that is itself an argument.
    pub const fn new(name: &'static str, address: u32) -> Self {
        Pointer { address, name, index: None }
    }

    /// The address `bytes` further. The caller has checked that it lies in memory.
    pub(crate) fn offset(self, bytes: u32) -> Self {
        Pointer { address: self.address.wrapping_add(bytes), ..self }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// An access to guest memory that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFault {
    /// Not all bytes are in the memory.
    OutOfBounds {
        /// Where they begin.
        pointer: Pointer,
        /// How many there are.
        len: u64,
        /// The size of the memory in bytes.
        memory: u64,
    },
    /// An address is not a multiple of the alignment of what it points to.
    Misaligned {
        /// The address.
        pointer: Pointer,
        /// The alignment.
        align: u32,
    },
    /// The guest has no memory that calls can use.
    NoMemory,
}

impl fmt::Display for MemoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryFault::OutOfBounds { pointer, len, memory } => {
                let bytes = if *len == 1 { "byte" } else { "bytes" };
                write!(f, "{pointer} is {len} {bytes} at {:#x}, but the memory ends at {memory:#x}", pointer.address)
            }
            MemoryFault::Misaligned { pointer, align } => {
                write!(f, "{pointer} is {:#x}, which is not a multiple of {align}", pointer.address)
            }
            MemoryFault::NoMemory => f.write_str("the module does not export its memory as `memory`"),
        }
    }
}

impl std::error::Error for MemoryFault {}
