//! A loop that carries values in registers, as data. `loops` explains it.

use super::assemble::Opcode;
use super::state::Holder;

/// A plain loop whose code is being made.
#[derive(Debug)]
pub(crate) struct PlainLoop {
    /// Code word of the first instruction.
    pub(crate) word: u32,
    /// Code word of the last instruction, a branch to the first one. There may be others before it.
    pub(crate) last: u32,
    /// Start of the code, where the loads go.
    pub(crate) start: u32,
    /// Number of links and of faults before the loop.
    pub(crate) before: (usize, usize),
    pub(crate) loads: Vec<HeadLoad>,
    /// Code words to which only jumps of the loop lead so far.
    pub(crate) jumps: Vec<u32>,
}

/// A load at the head of a loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLoad {
    pub(crate) slot: i32,
    pub(crate) holder: Holder,
    pub(crate) kind: LoadKind,
}

/// The part of a slot that a load reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// Into a general register; true for 64 bits.
    General(bool),
    /// A float, by this machine instruction.
    Float(Opcode),
    /// Two slots.
    V128,
}

impl LoadKind {
    /// Returns true if the load's target is a vector register.
    pub(crate) fn is_vector(self) -> bool {
        !matches!(self, LoadKind::General(_))
    }
}
