//! Loads, as data: the machine instruction of a load and the form of its address.

use super::assemble::Opcode;
use crate::instr::{Family, LoadDisplaced, LoadIndexed, VectorLoadDisplaced, VectorLoadIndexed};

/// The machine instruction of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) opcode: Opcode,
    /// True for a 64-bit register.
    pub(crate) wide: bool,
    pub(crate) is_float: bool,
    /// Bytes in memory.
    pub(crate) bytes: u8,
}

/// Operands of a load from guard-paged memory, besides its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// The address.
    Plain,
    /// Two, whose sum is the address.
    Indexed,
    /// One and a constant, whose sum is the address.
    Displaced,
}

impl Address {
    /// Returns the operands of the instruction at an index in a row of loads. Loads of vectors have the same families.
    pub(crate) fn of(index: usize) -> Address {
        match index {
            _ if index >= LoadDisplaced::BASE => Address::Displaced,
            _ if index >= LoadIndexed::BASE => Address::Indexed,
            _ => Address::Plain,
        }
    }
}

const _: () = assert!(
    VectorLoadIndexed::BASE == LoadIndexed::BASE && VectorLoadDisplaced::BASE == LoadDisplaced::BASE,
    "`Address::of` serves both shapes"
);
