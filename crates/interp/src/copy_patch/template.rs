//! What is known of a handler: the steps by which its code is made for one cell.
//!
//! Made by [`analyse`](super::analyse) once a handler, followed by [`emit`](super::emit) for every cell of it. A step copies
//! bytes of the handler or puts in a [`Field`] of the cell, which the handler would load from there.

/// A constant of a cell, as a register would hold it after the handler's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Distance in bytes from the start of the cell.
    pub at: u16,
    /// How it is read.
    pub load: Load,
    /// Whether only the low 32 bits are kept.
    pub narrow: bool,
}

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
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
    /// Its value in the cell that `words` start with; `None` if it lies behind them.
    pub fn value(self, words: &[u64]) -> Option<u64> {
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

/// Bytes of [`Template::bytes`].
pub type Bytes = std::ops::Range<u16>;

/// A place among the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// So many bytes behind the start of the cell.
    Behind(i32),
    /// The start of the cell this field's value of words further on.
    Jump(Field),
}

/// An instruction but for the displacement of its memory operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// What is in front of the displacement.
    pub head: Bytes,
    /// Where in that the ModRM byte is, whose mode is 0.
    pub modrm_at: u8,
    /// Whether the encoding has no form without a displacement.
    pub needs_displacement: bool,
    /// What follows the displacement.
    pub tail: Bytes,
}

/// A step. Registers go by hardware number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An instruction as it stands in the handler.
    Copy(Bytes),
    /// The same, with the distance to an address `at` bytes into it.
    Near {
        /// The instruction.
        bytes: Bytes,
        /// Where in it the distance is.
        at: u8,
        /// The address.
        target: u64,
    },
    /// A field into a register.
    Load {
        /// The register.
        reg: u8,
        /// The field.
        field: Field,
    },
    /// An address among the cells into `rdi`.
    Ip(Spot),
    /// The handler of the cell that `rdi` points to into a register.
    Target {
        /// The register.
        reg: u8,
    },
    /// The sum of a register and a field into a register; flags stay.
    Sum {
        /// Where to.
        reg: u8,
        /// What the field is added to.
        base: u8,
        /// The field.
        field: Field,
    },
    /// An instruction with a multiple of a field added to its displacement.
    Displaced {
        /// The instruction.
        insn: Addressed,
        /// The field.
        field: Field,
        /// What it is multiplied with.
        scale: u8,
        /// What is added.
        displacement: i32,
    },
    /// An instruction that reads a constant of the cell from memory.
    Literal {
        /// The instruction; its displacement is from where it ends, and always there.
        insn: Addressed,
        /// Where in the cell the constant is.
        at: u16,
        /// Its bytes.
        size: u8,
    },
    /// An arithmetic instruction on a register whose other operand is the field.
    Arithmetic {
        /// Number of the operation.
        operation: u8,
        /// The register.
        reg: u8,
        /// Whether it is of 64 bits.
        wide: bool,
        /// The field. Fits 32 bits, or there is `literal`.
        field: Field,
        /// The same with the field in memory.
        literal: Option<Addressed>,
    },
    /// A shift or rotation of a register by the field.
    Shift {
        /// Number of the operation.
        operation: u8,
        /// The register.
        reg: u8,
        /// Whether it is of 64 bits.
        wide: bool,
        /// The field.
        field: Field,
    },
}

/// Where a block leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To another block.
    Block(u8),
    /// To an address in the handler: the rest is done there.
    Address(u64),
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A conditional jump: number of the condition, where to if it holds and if not.
    Branch(u8, Way, Way),
    /// The same, where the condition is about a comparison of a field, signed in 64 bits or if narrow in 32, with 0.
    Test(u8, Field, Way, Way),
    /// Goes on in a block.
    Goto(Way),
    /// Goes on with the cell behind this one.
    Next,
    /// Goes on with the cell this field's value of words further on.
    Jump(Field),
    /// The last step jumped.
    Done,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its steps.
    pub steps: Vec<Step>,
    /// What comes then.
    pub finish: Finish,
    /// Whether the next cell can be reached from it without a jump to another.
    pub falls: bool,
}

/// A handler, ready to be made for any of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The blocks, the first one first.
    pub blocks: Vec<Block>,
    /// The bytes that the steps copy.
    pub bytes: Vec<u8>,
    /// Words of a cell, if it goes on with the one behind.
    pub words: Option<usize>,
}
