//! What may still be read: liveness of registers and flags in a handler's code.
//!
//! Answers are careful: what is not known is read.

use iced_x86::RflagsBits;

use super::decode::{ARGUMENTS, Block, Edge, End};

/// How many blocks are looked through for an answer.
const DEPTH: usize = 8;

/// The code of a handler.
#[derive(Clone, Copy)]
pub struct Flow<'b> {
    /// Its blocks.
    pub blocks: &'b [Block],
}

impl Flow<'_> {
    /// Whether the value of a register may matter where an edge leads.
    pub fn is_live(self, reg: usize, edge: Edge) -> bool {
        self.live(reg, edge, DEPTH)
    }

    /// Whether the value of a register may matter from an instruction of a block on.
    pub fn is_live_from(self, reg: usize, block: usize, insn: usize) -> bool {
        self.live_from(reg, block, insn, DEPTH)
    }

    /// Whether any of some flags may matter from an instruction of a block on.
    pub fn are_flags_live_from(self, flags: u32, block: usize, insn: usize) -> bool {
        self.flags_from(flags, block, insn, DEPTH)
    }

    fn live(self, reg: usize, edge: Edge, depth: usize) -> bool {
        match edge {
            Edge::Block(block) if depth > 0 => self.live_from(reg, block, 0, depth - 1),
            _ => true,
        }
    }

    fn live_from(self, reg: usize, block: usize, insn: usize, depth: usize) -> bool {
        let block = &self.blocks[block];
        for insn in &block.insns[insn..] {
            if insn.reads.has(reg) || insn.ties() {
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
            End::Unknown => true,
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
            _ => true,
        };
        match block.end {
            End::Branch(condition, a, b) => flags_of(condition) & flags != 0 || at_edge(a) || at_edge(b),
            End::Goto(a) => at_edge(a),
            // No function expects flags of its caller.
            End::Register(_) => false,
            End::Unknown => true,
        }
    }
}

/// The flags that a condition is about, by its number.
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
