//! Labels, and the branches to them that are waiting for their position.

use wasmr_module::BlockSig;

use super::Translator;
use super::stack::{Kind, Ty};

/// What opened a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// The function body: a branch to it returns.
    Function,
    /// `block`, and `if` from its `else` on.
    Block,
    /// `loop`, whose label is its start.
    Loop {
        /// First word of the loop.
        start: usize,
    },
    /// `if`, before its `else`.
    If {
        /// The branch to the `else` part.
        to_else: usize,
    },
    /// `try_table`.
    Try {
        /// Its region.
        region: usize,
    },
}

/// An open block.
#[derive(Clone, Copy, Debug)]
pub struct Label<'m> {
    /// What opened it.
    pub kind: LabelKind,
    /// Parameters and results; of the function label, neither.
    pub sig: BlockSig<'m>,
    /// Slots on the operand stack below its parameters.
    pub height: u32,
    /// Values on the operand stack below its parameters.
    pub depth: usize,
    /// How many of those, at least, are in their canonical slots wherever control is inside, constants too.
    pub stored: usize,
    /// Latest of the branches to its end, as a position in `Translator::fixups` plus one.
    pub fixups: u32,
    /// Where a `br_table` put the moves to this label, and which `br_table` that was.
    pub moves: Option<(usize, usize)>,
}

/// What is to be set once a label's position is known.
#[derive(Clone, Copy, Debug)]
pub enum FixupPlace {
    /// The upper half of word 1 of the branch cell at this word.
    Branch(usize),
    /// An entry of the `br_table` cell at this word.
    Table(usize, usize),
    /// A catch clause: region, clause.
    Catch(usize, usize),
}

/// A branch to a label whose position is not known.
#[derive(Clone, Copy, Debug)]
pub struct Fixup {
    place: FixupPlace,
    /// The next one for the same label, as a position plus one.
    next: u32,
}

impl<'m> Label<'m> {
    /// The label of a function body.
    pub fn function() -> Label<'m> {
        Label {
            kind: LabelKind::Function,
            sig: BlockSig::Empty,
            height: 0,
            depth: 0,
            stored: 0,
            fixups: 0,
            moves: None,
        }
    }

    /// The types that a branch to the label carries.
    pub fn branch_types(&self) -> &[wasmr_core::types::ValType] {
        match self.kind {
            LabelKind::Loop { .. } => self.sig.params(),
            _ => self.sig.results(),
        }
    }
}

impl<'m> Translator<'m> {
    /// Index of the label at relative depth `depth`.
    pub fn label_index(&self, depth: u32) -> usize {
        self.labels.len() - 1 - depth as usize
    }

    /// Makes `place` lead to a label, now or when its position is known.
    pub fn link(&mut self, label: usize, place: FixupPlace) {
        if let LabelKind::Loop { start } = self.labels[label].kind {
            self.set_target(place, start);
            return;
        }
        self.fixups.push(Fixup { place, next: self.labels[label].fixups });
        self.labels[label].fixups = self.fixups.len() as u32;
    }

    /// Makes all waiting branches to a label lead here.
    pub fn bind(&mut self, label: &Label<'_>) {
        let here = self.code.len();
        self.barrier = here;
        let mut next = label.fixups;
        while next != 0 {
            let fixup = self.fixups[next as usize - 1];
            self.set_target(fixup.place, here);
            next = fixup.next;
        }
    }

    /// Makes `place` lead here.
    pub fn set_target_here(&mut self, place: FixupPlace) {
        let here = self.code.len();
        self.barrier = here;
        self.set_target(place, here);
    }

    /// Makes `place` lead to the word `target`.
    pub fn set_target(&mut self, place: FixupPlace, target: usize) {
        match place {
            FixupPlace::Branch(cell) => {
                let distance = (target as i64 - cell as i64) as i32 as u32;
                let word1 = &mut self.code[cell + 1];
                *word1 = (*word1 & 0xffff_ffff) | (distance as u64) << 32;
            }
            FixupPlace::Table(cell, entry) => {
                let distance = (target as i64 - cell as i64) as i32 as u32;
                let shift = 32 * (entry as u32 % 2);
                let word = &mut self.code[cell + 3 + entry / 2];
                *word = (*word & !(0xffff_ffff << shift)) | (distance as u64) << shift;
            }
            FixupPlace::Catch(region, clause) => self.try_regions[region].catches[clause].target = target as u32,
        }
    }

    /// Drops operands down to `depth` values.
    pub fn truncate(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let value = self.stack.pop().expect("length checked");
            self.height = value.height;
            self.forget(value.kind, self.stack.len());
        }
        if self.pending.is_some_and(|pending| pending.index >= depth) {
            self.pending = None;
        }
    }

    /// The stack at the start or end of a block: what was below it, then temps of these types.
    pub fn reset_stack(&mut self, label: &Label<'_>, types: &[wasmr_core::types::ValType]) {
        self.truncate(label.depth);
        self.height = label.height;
        for &ty in types {
            self.push(Kind::Temp, Ty::of(ty));
        }
        self.clobber_all();
    }

    /// Whether the top values that a branch to the label carries are at the label's canonical slots once flushed.
    pub fn in_place(&self, label: usize) -> bool {
        let label = &self.labels[label];
        let count = label.branch_types().len();
        count == 0 || self.stack[self.stack.len() - count].height == label.height
    }
}
