//! Links: the distances in a function's code that are filled in when the code gets its address.

/// A 32-bit distance to fill in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) at: Position,
    pub(crate) to: Goal,
    /// Bytes from the end of the distance to the address from which it counts.
    pub(crate) beyond: i32,
}

/// A position in a part of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Main(u32),
    Side(u32),
    Constant(u32),
}

/// The destination of a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Position(Position),
    /// The code of the instruction at a code word.
    Word(u32),
    Address(u64),
}

/// Position of a label before its code is made.
pub(crate) const UNKNOWN: u32 = u32::MAX;
