//! [`LoopTable`]: the loops of a translated function, by code word and by offset in the module.
//!
//! The translator notes the loops while it translates the function. A budget interrupt looks up the loop at whose header it
//! came ([`LoopTable::at_word`]); the engine looks up the loops around that one ([`LoopTable::nest`]). A loop takes 12 bytes, a
//! function without loops none.
//!
//! Several loops may start at one code word, if nothing between their headers emits code. The frame is then the same at all of
//! them, so the table has only the outermost, which stands for all.

/// A loop of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loop {
    /// First code word.
    word: u32,
    /// Offset of the `loop` operator in the module; the limit on a module's size keeps it in range.
    offset: u32,
    /// Index of the innermost loop around this one; [`NONE`] if there is none.
    parent: u32,
}

/// No loop.
const NONE: u32 = u32::MAX;

/// The loops of a function, in the order of their operators, so sorted by word and by offset.
#[derive(Debug, Default)]
pub(crate) struct LoopTable(Box<[Loop]>);

impl LoopTable {
    /// Returns the offset of the loop that starts at a code word, if one does.
    pub(crate) fn at_word(&self, word: u32) -> Option<usize> {
        let index = self.0.binary_search_by_key(&word, |it| it.word).ok()?;
        Some(self.0[index].offset as usize)
    }

    /// Returns the offsets of the loops around the loop at `offset`, outermost first, and that loop last. Empty if the table
    /// has no such loop.
    pub(crate) fn nest(&self, offset: usize) -> Vec<usize> {
        let found = self.0.binary_search_by_key(&offset, |it| it.offset as usize).ok();
        let outward = std::iter::successors(found, |&index| {
            let parent = self.0[index].parent;
            (parent != NONE).then_some(parent as usize)
        });
        let mut nest: Vec<usize> = outward.map(|index| self.0[index].offset as usize).collect();
        nest.reverse();
        nest
    }

    /// Returns the offsets of all loops, in order.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|it| it.offset as usize)
    }
}

/// Builder of a [`LoopTable`], in one pass over the operators.
#[derive(Debug, Default)]
pub(crate) struct LoopTableBuilder {
    loops: Vec<Loop>,
    /// Indices of the open loops.
    open: Vec<u32>,
}

impl LoopTableBuilder {
    /// Opens the loop of the operator at `offset`, whose code starts at `word`.
    pub(crate) fn open(&mut self, offset: usize, word: usize) {
        let word = word as u32;
        if self.loops.last().is_none_or(|last| last.word != word) {
            let parent = self.open.last().copied().unwrap_or(NONE);
            self.loops.push(Loop { word, offset: offset as u32, parent });
        }
        self.open.push(self.loops.len() as u32 - 1);
    }

    /// Closes the innermost open loop.
    pub(crate) fn close(&mut self) {
        self.open.pop();
    }

    /// Returns the table.
    pub(crate) fn finish(self) -> LoopTable {
        LoopTable(self.loops.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmr_runtime::frame::FrameMap;

    use crate::ModuleCode;
    use crate::test_program::module;

    /// Returns the code of a module whose function 0 is translated.
    fn translated(wat: &str) -> Arc<ModuleCode> {
        let code = ModuleCode::new(module(wat));
        code.get_or_translate(0, false).unwrap();
        code
    }

    /// Returns the nest of each loop at which a budget interrupt can come.
    fn nests(code: &ModuleCode) -> Vec<Vec<usize>> {
        let block = code.get(0, false).unwrap();
        let words = 0..block.words.len() as u32;
        words.filter_map(|word| block.loops.at_word(word)).map(|offset| block.loops.nest(offset)).collect()
    }

    #[test]
    fn a_nest_is_listed_from_outside_to_inside() {
        let code = translated(
            "(module (func (param i32 v128) (local i64)
                (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (loop (br_if 0 (local.get 0)) (drop (i64.const 1)))
                    (block (loop (br_if 0 (local.get 0)) (br_if 1 (local.get 0)) (br 2))))
                (loop (br 0))))",
        );
        let nests = nests(&code);
        assert_eq!(nests.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 2, 1]);
        assert_eq!([nests[1][0], nests[2][0]], [nests[0][0]; 2]);
        assert!(nests.iter().all(|nest| nest.is_sorted()));
        assert!(nests.iter().filter_map(|nest| nest.last()).copied().eq(code.get(0, false).unwrap().loops.offsets()));
        assert_eq!(code.frame_map(0), Some(FrameMap { locals: vec![-7, -6, 0], operands: 1 }));
    }

    #[test]
    fn the_outermost_of_loops_that_start_together_stands_for_all() {
        let code = translated(
            "(module (func (param i32)
                (loop (block (loop (br_if 0 (local.get 0)) (loop (br_if 0 (local.get 0))) (br 2))))))",
        );
        let nests = nests(&code);
        assert_eq!(nests.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(nests[1][0], nests[0][0]);
    }

    #[test]
    fn an_empty_loop_stands_for_the_one_that_follows_it() {
        let nests = nests(&translated("(module (func (loop) (loop (br 0))))"));
        assert_eq!(nests.len(), 1);
        assert_eq!(nests[0].len(), 1);
    }

    #[test]
    fn a_constant_below_a_loop_is_stored_before_its_header() {
        let nests = nests(&translated("(module (func (loop (i32.const 7) (loop (br_if 0 (i32.const 1))) (br_if 0))))"));
        assert_eq!(nests.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_function_without_loops_has_an_empty_table() {
        let code = translated("(module (func (param i32) (block (br_if 0 (local.get 0)))))");
        let block = code.get(0, false).unwrap();
        assert_eq!(block.loops.offsets().count(), 0);
        assert!(block.loops.nest(1).is_empty());
    }
}
