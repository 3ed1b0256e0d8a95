//! The origin of a function's code, which only listings need.

use super::link::Position;

/// The origin of the code that is being made.
#[derive(Debug, Default)]
pub(crate) struct CodeMap {
    /// Start of the code of each instruction in both parts of the code, with the code word.
    pub(crate) starts: Vec<(Position, u32)>,
    /// End of each machine instruction that has the address of an instruction, with the code word.
    pub(crate) instructions: Vec<(Position, u32)>,
}

impl CodeMap {
    /// Notes that code was inserted at the start of the instruction at a code word.
    pub(crate) fn insert(&mut self, at: u32, word: u32, len: u32) {
        for (position, of) in &mut self.starts {
            if let Position::Main(position) = position
                && *of > word
            {
                *position += len;
            }
        }
        for (position, _) in &mut self.instructions {
            if let Position::Main(end) = position
                && *end > at
            {
                *end += len;
            }
        }
    }
}
