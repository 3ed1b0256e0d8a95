//! Liveness of registers and flags in a handler's code.
//!
//! The answers are conservative: a register or flag is live unless all code up to the next write was seen.

use iced_x86::RflagsBits;

use super::decode::{ARGUMENTS, Block, Edge, End};
use crate::execute::is_continued_in;

/// Largest number of blocks that are searched in a row for an answer.
const DEPTH: usize = 8;

/// The blocks of a handler as a flow graph.
#[derive(Clone, Copy)]
pub(crate) struct Flow<'b> {
    /// The blocks, the entry first.
    pub(crate) blocks: &'b [Block],
}

impl Flow<'_> {
    /// Returns true if a register may be read before it is written after an edge.
    pub(crate) fn is_live(self, reg: usize, edge: Edge) -> bool {
        self.live(reg, edge, DEPTH)
    }

    /// Returns true if a register may be read before it is written from instruction `insn` of a block on.
    pub(crate) fn is_live_from(self, reg: usize, block: usize, insn: usize) -> bool {
        self.live_from(reg, block, insn, DEPTH)
    }

    /// Returns true if any of `flags` may be read before it is written from instruction `insn` of a block on.
    pub(crate) fn are_flags_live_from(self, flags: u32, block: usize, insn: usize) -> bool {
        self.flags_from(flags, block, insn, DEPTH)
    }

    fn live(self, reg: usize, edge: Edge, depth: usize) -> bool {
        match edge {
            Edge::Block(block) if depth > 0 => self.live_from(reg, block, 0, depth - 1),
            Edge::Address(at) if is_continued_in(at) => ARGUMENTS.has(reg),
            _ => true,
        }
    }

    fn live_from(self, reg: usize, block: usize, insn: usize, depth: usize) -> bool {
        let block = &self.blocks[block];
        for insn in &block.insns[insn..] {
            if insn.reads.has(reg) || insn.uses_native_stack() {
                return true;
            }
            if insn.writes.has(reg) {
                return false;
            }
        }
        match block.end {
            End::Branch(_, a, b) => self.live(reg, a, depth) || self.live(reg, b, depth),
            End::Goto(a) => self.live(reg, a, depth),
            End::Register(_) => ARGUMENTS.has(reg),
            End::Unknown(_) => true,
        }
    }

    fn flags_from(self, mut flags: u32, block: usize, insn: usize, depth: usize) -> bool {
        let block = &self.blocks[block];
        for insn in &block.insns[insn..] {
            if insn.op.rflags_read() & flags != 0 {
                return true;
            }
            flags &= !insn.op.rflags_modified();
        }
        let at_edge = |edge| match edge {
            Edge::Block(block) if depth > 0 => self.flags_from(flags, block, 0, depth - 1),
            // As for a jump to a register: flags mean nothing at the entry of a function.
            Edge::Address(at) if is_continued_in(at) => false,
            _ => true,
        };
        match block.end {
            End::Branch(condition, a, b) => flags_of(condition) & flags != 0 || at_edge(a) || at_edge(b),
            End::Goto(a) => at_edge(a),
            // The ABI gives no flag of this group a meaning at the entry of a function.
            End::Register(_) => false,
            End::Unknown(_) => true,
        }
    }
}

/// Returns the flags that a condition reads.
fn flags_of(condition: u8) -> u32 {
    match condition >> 1 {
        0 => RflagsBits::OF,
        1 => RflagsBits::CF,
        2 => RflagsBits::ZF,
        3 => RflagsBits::CF | RflagsBits::ZF,
        4 => RflagsBits::SF,
        5 => RflagsBits::PF,
        6 => RflagsBits::SF | RflagsBits::OF,
        _ => RflagsBits::ZF | RflagsBits::SF | RflagsBits::OF,
    }
}
