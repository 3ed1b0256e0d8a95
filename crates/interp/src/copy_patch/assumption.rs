//! The assumptions about the compiler's output, by the numbers of `docs/copy-and-patch.md`.
//!
//! `decode`, `analyse` and `walk` report each machine instruction that breaks one. A broken assumption costs speed, not
//! correctness: the page describes the effect on the handler.

use std::fmt;

/// An assumption about the machine code of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assumption {
    /// The handler is in the code of the program.
    InImage = 1,
    /// The handler is small and in one piece.
    OnePiece,
    /// Every instruction can be decoded.
    KnownInstructions,
    /// A block ends in a direct jump or a jump to a register.
    KnownJumps,
    /// The way to another handler keeps off the native stack.
    NoNativeStack,
    /// A handler reads no register that is not an argument.
    OnlyArguments,
    /// A handler jumps to a pointer that it found through its arguments.
    Dispatches,
    /// Operands relative to the instruction pointer use all of it.
    WholeRip,
    /// A loop comes back with the same `rdi`.
    SameIpInLoops,
    /// All ways to the next instruction have the same length.
    OneLength,
    /// `rdi` moves by constants and jump distances.
    KnownIp,
    /// The jump is to the handler of the instruction at `rdi`.
    NextHandler,
    /// Operand fields are read at a constant distance from `rdi`.
    FieldLoads,
    /// A field is used where an instruction can have a constant.
    FieldUses,
    /// The encoder knows the encoding of memory operands.
    KnownEncoding,
    /// The sign of a jump distance is tested in a register.
    SignTest,
}

impl Assumption {
    /// All assumptions, by number.
    #[cfg(test)]
    pub(crate) const ALL: [Assumption; 16] = [
        Assumption::InImage,
        Assumption::OnePiece,
        Assumption::KnownInstructions,
        Assumption::KnownJumps,
        Assumption::NoNativeStack,
        Assumption::OnlyArguments,
        Assumption::Dispatches,
        Assumption::WholeRip,
        Assumption::SameIpInLoops,
        Assumption::OneLength,
        Assumption::KnownIp,
        Assumption::NextHandler,
        Assumption::FieldLoads,
        Assumption::FieldUses,
        Assumption::KnownEncoding,
        Assumption::SignTest,
    ];

    /// Returns the number.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// Returns the assumption as a sentence without its full stop.
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Assumption::InImage => "The handler is in the code of the program",
            Assumption::OnePiece => "The handler is small and in one piece",
            Assumption::KnownInstructions => "Every instruction can be decoded",
            Assumption::KnownJumps => "A block ends in a direct jump or a jump to a register",
            Assumption::NoNativeStack => "The way to another handler keeps off the native stack",
            Assumption::OnlyArguments => "A handler reads no register that is not an argument",
            Assumption::Dispatches => "A handler jumps to a pointer that it found through its arguments",
            Assumption::WholeRip => "Operands relative to the instruction pointer use all of it",
            Assumption::SameIpInLoops => "A loop comes back with the same `rdi`",
            Assumption::OneLength => "All ways to the next instruction have the same length",
            Assumption::KnownIp => "`rdi` moves by constants and jump distances",
            Assumption::NextHandler => "The jump is to the handler of the instruction at `rdi`",
            Assumption::FieldLoads => "Operand fields are read at a constant distance from `rdi`",
            Assumption::FieldUses => "A field is used where an instruction can have a constant",
            Assumption::KnownEncoding => "The encoder knows the encoding of memory operands",
            Assumption::SignTest => "The sign of a jump distance is tested in a register",
        }
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "assumption {} of docs/copy-and-patch.md ({})", self.number(), self.statement())
    }
}

/// An assumption and the instruction that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) assumption: Assumption,
    /// Address of the instruction.
    pub(crate) at: u64,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} breaks {}", self.at, self.assumption)
    }
}
