//! [`Pointer`]: an address that the guest passed. [`MemoryFault`]: the reasons why one cannot be used.

use std::fmt;

/// An address that the guest passed, with the parameter's name for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The address.
    pub address: u32,
    /// Name of the parameter that holds or leads to the address.
    pub name: &'static str,
    /// Index in the list that the parameter points to, if the address is an element of that list.
    pub index: Option<u32>,
}

impl Pointer {
    /// Returns a pointer that is itself an argument.
    pub const fn new(name: &'static str, address: u32) -> Self {
        Pointer { address, name, index: None }
    }

    /// Returns the address `bytes` further. The caller must have checked that it lies in memory.
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

/// An invalid access to guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFault {
    /// The range is not wholly in the memory.
    OutOfBounds {
        /// Start of the range.
        pointer: Pointer,
        /// Length of the range in bytes.
        len: u64,
        /// Size of the memory in bytes.
        memory: u64,
    },
    /// The address is not a multiple of its type's alignment.
    Misaligned {
        /// The address, with its parameter.
        pointer: Pointer,
        /// Required alignment in bytes.
        align: u32,
    },
    /// The calling module exports no memory named `memory`.
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
