//! The template of a handler: the steps that make its code for one instruction.
//!
//! `analyse` makes a template once per handler; `emit` expands it for each instruction that has
//! the handler. A step copies bytes of the handler or fills in a [`Field`] that the handler would load from the instruction.

use super::assumption::Broken;

/// A constant of an instruction, as a register holds it after the handler's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Distance in bytes from the start of the instruction.
    pub(crate) at: u16,
    /// Size and extension.
    pub(crate) load: Load,
    /// True if the handler keeps only the low 32 bits.
    pub(crate) narrow: bool,
}

/// Size and extension of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Sign-extended from 8 bits.
    I8,
    /// Zero-extended from 8 bits.
    U8,
    /// Sign-extended from 16 bits.
    I16,
    /// Zero-extended from 16 bits.
    U16,
    /// Sign-extended from 32 bits.
    I32,
    /// Zero-extended from 32 bits.
    U32,
    /// All 64 bits.
    U64,
}

impl Load {
    fn size(self) -> usize {
        match self {
            Load::I8 | Load::U8 => 1,
            Load::I16 | Load::U16 => 2,
            Load::I32 | Load::U32 => 4,
            Load::U64 => 8,
        }
    }
}

impl Field {
    /// Returns the value in the instruction that `words` start with; `None` if the field ends after them.
    pub(crate) fn value(self, words: &[u64]) -> Option<u64> {
        let at = usize::from(self.at);
        let bits = 8 * (at % 8);
        if at % 8 + self.load.size() > 8 {
            return None;
        }
        let word = *words.get(at / 8)? >> bits;
        let value = match self.load {
            Load::I8 => word as i8 as u64,
            Load::U8 => word as u8 as u64,
            Load::I16 => word as i16 as u64,
            Load::U16 => word as u16 as u64,
            Load::I32 => word as i32 as u64,
            Load::U32 => word as u32 as u64,
            Load::U64 => word,
        };
        Some(if self.narrow { value as u32 as u64 } else { value })
    }
}

/// A range of [`Template::bytes`].
pub(crate) type Bytes = std::ops::Range<u16>;

/// The bytes that steps copy, while a template is made.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<u8>);

impl Pool {
    /// Appends bytes. Returns their range.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Bytes {
        let start = self.0.len() as u16;
        self.0.extend_from_slice(bytes);
        start..self.0.len() as u16
    }

    /// Returns all bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A value of `rdi`, relative to the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Bytes after the start of the instruction.
    After(i32),
    /// The target of a jump: the field's value is its distance in code words.
    Jump(Field),
}

/// A machine instruction without the displacement of its memory operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addressed {
    /// Bytes before the displacement.
    pub(crate) head: Bytes,
    /// Position of the ModRM byte in `head`. Its mode bits are 0.
    pub(crate) modrm_at: u8,
    /// True if the encoding has no form without a displacement.
    pub(crate) needs_displacement: bool,
    /// Bytes after the displacement.
    pub(crate) tail: Bytes,
}

/// A step of a template. Registers go by hardware number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A machine instruction, copied unchanged.
    Copy(Bytes),
    /// A machine instruction with a 32-bit distance from its end to an address.
    Near {
        bytes: Bytes,
        /// Position of the distance in `bytes`.
        at: u8,
        /// The address.
        target: u64,
    },
    /// A move of a field to a register.
    Load { reg: u8, field: Field },
    /// A move of an address in the function's instructions to `rdi`.
    Ip(Spot),
    /// A load of the handler of the instruction at `rdi`.
    Target {
        /// The register to load.
        reg: u8,
    },
    /// The sum of a register and a field. Flags stay.
    Sum {
        /// Destination.
        reg: u8,
        /// Register to which the field is added.
        base: u8,
        field: Field,
    },
    /// A machine instruction with a multiple of a field added to its displacement.
    Displaced {
        insn: Addressed,
        field: Field,
        /// Factor of the field.
        scale: u8,
        /// Displacement in the handler.
        displacement: i32,
    },
    /// A machine instruction that reads a constant of the instruction from memory.
    Literal {
        /// The machine instruction, whose memory operand is relative to its end.
        insn: Addressed,
        /// Position of the constant in the instruction, in bytes.
        at: u16,
        /// Bytes of the constant.
        size: u8,
    },
    /// An arithmetic operation on a register and a field.
    Arithmetic {
        /// Number of the operation.
        operation: u8,
        reg: u8,
        /// True for 64 bits, false for 32.
        wide: bool,
        /// The field. Its value fits 32 bits unless there is a `literal`.
        field: Field,
        /// The same operation with the field in memory.
        literal: Option<Addressed>,
    },
    /// A shift or rotation of a register by a field.
    Shift {
        /// Number of the operation.
        operation: u8,
        reg: u8,
        /// True for 64 bits, false for 32.
        wide: bool,
        field: Field,
    },
}

/// The destination of an edge between blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Another block of the template.
    Block(u8),
    /// An address in the handler, at which the handler's own code executes the rest.
    Address(u64),
}

/// The end of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// A conditional jump: number of the condition, the way if it holds, the way if not.
    Branch(u8, Way, Way),
    /// A conditional jump on the comparison of a field with 0: signed, of 32 bits if the field is narrow, else of 64. Its
    /// outcome is known when the template is expanded.
    Test(u8, Field, Way, Way),
    /// A jump.
    Goto(Way),
    /// Continues with the instruction after this one.
    Next,
    /// Continues with the instruction at a distance in code words, which the field holds.
    Jump(Field),
    /// Continues with the instruction at `rdi`, which only the handler knows.
    Dispatch,
    /// Nothing: the last step jumped.
    Done,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The steps, in order.
    pub(crate) steps: Vec<Step>,
    pub(crate) finish: Finish,
    /// True if a path without jumps leads from here to the next instruction.
    pub(crate) falls: bool,
}

/// The template of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The blocks, the entry first.
    pub(crate) blocks: Vec<Block>,
    /// The bytes that steps copy.
    pub(crate) bytes: Vec<u8>,
    /// Code words of the instruction, if it continues with the one after it.
    pub(crate) words: Option<usize>,
    /// The assumptions that the handler breaks although it can be copied: the machine instructions at fault are copied
    /// unchanged.
    pub(crate) deviations: Vec<Broken>,
}
