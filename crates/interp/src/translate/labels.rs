//! Labels, and the branches to labels whose code word is not known yet.

use wasmr_module::BlockSig;

use super::Translator;
use super::stack::{Kind, Ty};

/// Operator that opened a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelKind {
    /// The function body: a branch to it returns.
    Function,
    /// `block`, and `if` from its `else` on.
    Block,
    /// `loop`, whose label is its start.
    Loop {
        /// First code word of the loop.
        start: usize,
    },
    /// `if`, before its `else`.
    If {
        /// Branch to the `else` part.
        to_else: usize,
    },
    /// `try_table`.
    Try {
        /// Index of the region.
        region: usize,
    },
    /// Legacy `try`.
    LegacyTry {
        /// Index of the region.
        region: usize,
        /// Number of clauses whose body has begun.
        begun: usize,
    },
}

/// An open block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label<'m> {
    /// Operator that opened the block.
    pub(crate) kind: LabelKind,
    /// Parameters and results; none for the function label.
    pub(crate) sig: BlockSig<'m>,
    /// Slots on the operand stack below the parameters.
    pub(crate) height: u32,
    /// Values on the operand stack below the parameters.
    pub(crate) depth: usize,
    /// Number of values at the bottom of the operand stack that are in their canonical slots throughout the block, constants
    /// too.
    pub(crate) stored: usize,
    /// Index of the innermost region in force directly inside the block.
    pub(crate) region: Option<usize>,
    /// Latest branch to the block's end: its index in `Translator::fixups` plus one, or 0.
    pub(crate) fixups: u32,
    /// The `br_table` that emitted moves to this label last, and the word of these moves.
    pub(crate) moves: Option<(usize, usize)>,
}

/// Place to fill in when the code word of a label is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FixupPlace {
    /// Field `to` of the branch at this word.
    Branch(usize),
    /// Entry of the `br_table` at this word.
    Table(usize, usize),
    /// Catch clause: region, clause.
    Catch(usize, usize),
}

/// Branch to a label whose code word is not known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixup {
    place: FixupPlace,
    /// Next branch to the same label: its index plus one, or 0.
    next: u32,
}

impl<'m> Label<'m> {
    /// Returns the label of a function body.
    pub(crate) fn function() -> Label<'m> {
        Label {
            kind: LabelKind::Function,
            sig: BlockSig::Empty,
            height: 0,
            depth: 0,
            stored: 0,
            region: None,
            fixups: 0,
            moves: None,
        }
    }

    /// Returns the types of the values that a branch to the label carries.
    pub(crate) fn branch_types(&self) -> &[wasmr_core::types::ValType] {
        match self.kind {
            LabelKind::Loop { .. } => self.sig.params(),
            _ => self.sig.results(),
        }
    }
}

impl<'m> Translator<'m> {
    /// Returns the index of the label at relative depth `depth`.
    pub(crate) fn label_index(&self, depth: u32) -> usize {
        self.labels.len() - 1 - depth as usize
    }

    /// Makes `place` lead to a label, now or when the label's code word is known.
    pub(crate) fn link(&mut self, label: usize, place: FixupPlace) {
        if let LabelKind::Loop { start } = self.labels[label].kind {
            self.set_target(place, start);
            return;
        }
        self.fixups.push(Fixup { place, next: self.labels[label].fixups });
        self.labels[label].fixups = self.fixups.len() as u32;
    }

    /// Makes all branches to a label that are not linked yet lead here.
    pub(crate) fn bind(&mut self, label: &Label<'_>) {
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
    pub(crate) fn set_target_here(&mut self, place: FixupPlace) {
        let here = self.code.len();
        self.barrier = here;
        self.set_target(place, here);
    }

    /// Makes `place` lead to the word `target`.
    pub(crate) fn set_target(&mut self, place: FixupPlace, target: usize) {
        match place {
            FixupPlace::Branch(instruction) => {
                let distance = (target as i64 - instruction as i64) as i32 as u32;
                let word1 = &mut self.code[instruction + 1];
                *word1 = (*word1 & 0xffff_ffff) | (distance as u64) << 32;
            }
            FixupPlace::Table(instruction, entry) => {
                let distance = (target as i64 - instruction as i64) as i32 as u32;
                let shift = 32 * (entry as u32 % 2);
                let word = &mut self.code[instruction + 3 + entry / 2];
                *word = (*word & !(0xffff_ffff << shift)) | (distance as u64) << shift;
            }
            FixupPlace::Catch(region, clause) => self.try_regions[region].catches[clause].target = target as u32,
        }
    }

    /// Drops operands down to `depth` values.
    pub(crate) fn truncate(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let value = self.stack.pop().expect("length checked");
            self.height = value.height;
            self.forget(value.kind, self.stack.len());
        }
        if self.pending.is_some_and(|pending| pending.index >= depth) {
            self.pending = None;
        }
    }

    /// Sets the symbolic stack to that at the start or end of a block: the values below the block, then temps of these types.
    pub(crate) fn reset_stack(&mut self, label: &Label<'_>, types: &[wasmr_core::types::ValType]) {
        self.reset_stack_to(label, types.iter().map(|&ty| Ty::of(ty)));
    }

    /// Does the same as [`reset_stack`](Self::reset_stack).
    pub(crate) fn reset_stack_to(&mut self, label: &Label<'_>, types: impl IntoIterator<Item = Ty>) {
        self.pending = None;
        self.truncate(label.depth);
        self.height = label.height;
        for ty in types {
            self.push(Kind::Temp, ty);
        }
        self.clobber_all();
    }

    /// Returns true if the values that a branch to the label carries will be in the label's canonical slots once they are
    /// flushed.
    pub(crate) fn in_place(&self, label: usize) -> bool {
        let label = &self.labels[label];
        let count = label.branch_types().len();
        count == 0 || self.stack[self.stack.len() - count].height == label.height
    }
}
