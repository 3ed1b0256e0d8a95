//! The end of a compilation: the code gets its address, or becomes the input of a [listing](crate::listing).

use super::function::Compiler;
use super::link::{Goal, Link, Position, UNKNOWN};
use crate::machine_code::code_memory::{Placeable, Placed};

/// Offsets of the parts in the finished code. The first part is at 0.
#[derive(Clone, Copy)]
struct Parts {
    side: u32,
    constants: u32,
}

impl Parts {
    fn offset(self, position: Position) -> u32 {
        match position {
            Position::Main(at) => at,
            Position::Side(at) => self.side + at,
            Position::Constant(at) => self.constants + at,
        }
    }
}

/// The code of a function with its origin.
#[derive(Debug)]
pub(crate) struct MappedCode {
    /// Machine instructions, then constants. Distances to addresses outside are 0.
    pub(crate) code: Vec<u8>,
    /// Bytes of the machine instructions.
    pub(crate) instruction_bytes: usize,
    /// Position of the constants.
    pub(crate) constants_at: usize,
    /// Start of the code of each instruction: (position, code word), in order.
    pub(crate) starts: Vec<(u32, u32)>,
    /// Start of the code of each instruction that handlers may enter: (code word, position).
    pub(crate) entries: Vec<(u32, u32)>,
    /// End of each machine instruction that has the address of an instruction: (position, code word).
    pub(crate) instructions: Vec<(u32, u32)>,
    /// End of each machine instruction with a distance to an address outside: (position, address).
    pub(crate) outside: Vec<(u32, u64)>,
}

impl Compiler<'_> {
    fn parts(&self) -> Parts {
        let side = self.asm.size() as u32;
        Parts { side, constants: side + self.side.size() as u32 }
    }

    /// Ends the code of a compiler with a code map. Returns `None` if there is none.
    pub(crate) fn into_mapped(mut self) -> Option<MappedCode> {
        let map = self.code_map.take()?;
        let instruction_bytes = self.asm.size() + self.side.size();
        if self.finish() == 0 {
            return None;
        }
        let parts = self.parts();
        let in_order = |positions: Vec<(Position, u32)>| {
            let mut found: Vec<(bool, u32, u32)> = positions
                .into_iter()
                .map(|(position, word)| (matches!(position, Position::Side(_)), parts.offset(position), word))
                .collect();
            // A piece without code comes before the one with code at the same position.
            found.sort_by_key(|&(is_aside, position, _)| (is_aside, position));
            found.into_iter().map(|(_, position, word)| (position, word)).collect::<Vec<_>>()
        };
        let mut outside = Vec::new();
        for link in &mut self.links {
            if let Goal::Address(address) = link.to {
                let end = parts.offset(link.at) + 4;
                outside.push((end, address));
                link.to = Goal::Address(end.into());
            }
        }
        let Placed { code, entries, .. } = self.place(0)?;
        let (starts, instructions) = (in_order(map.starts), in_order(map.instructions));
        let constants_at = parts.constants as usize;
        Some(MappedCode { code, instruction_bytes, constants_at, starts, entries, instructions, outside })
    }
}

/// Alignment of a function's constants in bytes.
const CONSTANT_ALIGN: usize = 16;

impl Placeable for Compiler<'_> {
    fn finish(&mut self) -> usize {
        self.side.pad();
        while !(self.asm.size() + self.side.size()).is_multiple_of(CONSTANT_ALIGN) {
            self.side.pad();
        }
        self.parts().constants as usize + self.constants.len()
    }

    fn place(self, base: u64) -> Option<Placed> {
        let parts = self.parts();
        let position = |position| parts.offset(position);
        let Compiler { asm, side, constants, links, entries, faults, labels, .. } = self;
        let mut code = asm.into_bytes();
        code.extend(side.into_bytes());
        code.extend(constants);
        for Link { at, to, beyond } in links {
            let at = position(at);
            let to = match to {
                Goal::Position(to) => base + u64::from(position(to)),
                Goal::Word(word) => {
                    let label = *labels.get(word as usize)?;
                    base + u64::from(Some(label).filter(|&label| label != UNKNOWN)?)
                }
                Goal::Address(address) => address,
            };
            let from = (base + u64::from(at) + 4).wrapping_add_signed(beyond.into());
            let distance = i32::try_from(to.wrapping_sub(from) as i64).ok()?;
            code[at as usize..at as usize + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let entries = entries.into_iter().map(|(word, at)| (word, position(at))).collect();
        Some(Placed { code, entries, owners: faults })
    }
}
