//! [`LoopTable`]: the loops of a translated function, by code word and by offset in the module.
//!
//! The translator notes the loops while it translates the function. A budget interrupt looks up the loop at whose header it
//! came ([`LoopTable::at_word`]). A loop takes 8 bytes, a function without loops none.
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
}

/// The loops of a function, in the order of their operators, so sorted by word and by offset.
#[derive(Debug, Default)]
pub(crate) struct LoopTable(Box<[Loop]>);

impl LoopTable {
    /// Returns the offset of the loop that starts at a code word, if one does.
    pub(crate) fn at_word(&self, word: u32) -> Option<usize> {
        let index = self.0.binary_search_by_key(&word, |it| it.word).ok()?;
        Some(self.0[index].offset as usize)
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
}

impl LoopTableBuilder {
    /// Adds the loop of the operator at `offset`, whose code starts at `word`.
    pub(crate) fn add(&mut self, offset: usize, word: usize) {
        let word = word as u32;
        if self.loops.last().is_none_or(|last| last.word != word) {
            self.loops.push(Loop { word, offset: offset as u32 });
        }
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

    /// Returns the offsets of the loops at which a budget interrupt can come.
    fn found(code: &ModuleCode) -> Vec<usize> {
        let block = code.get(0, false).unwrap();
        let words = 0..block.words.len() as u32;
        words.filter_map(|word| block.loops.at_word(word)).collect()
    }

    #[test]
    fn every_loop_is_found_in_order() {
        let code = translated(
            "(module (func (param i32 v128) (local i64)
                (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (loop (br_if 0 (local.get 0)) (drop (i64.const 1)))
                    (block (loop (br_if 0 (local.get 0)) (br_if 1 (local.get 0)) (br 2))))
                (loop (br 0))))",
        );
        let found = found(&code);
        assert!(found.len() == 4 && found.is_sorted());
        assert!(found.into_iter().eq(code.get(0, false).unwrap().loops.offsets()));
        assert_eq!(code.frame_map(0), Some(FrameMap { locals: vec![-7, -6, 0], operands: 1 }));
    }

    #[test]
    fn the_outermost_of_loops_that_start_together_stands_for_all() {
        let code = translated(
            "(module (func (param i32)
                (loop (block (loop (br_if 0 (local.get 0)) (loop (br_if 0 (local.get 0))) (br 2))))))",
        );
        assert_eq!(found(&code).len(), 2);
    }

    #[test]
    fn an_empty_loop_stands_for_the_one_that_follows_it() {
        assert_eq!(found(&translated("(module (func (loop) (loop (br 0))))")).len(), 1);
    }

    #[test]
    fn a_constant_below_a_loop_is_stored_before_its_header() {
        let code = translated("(module (func (loop (i32.const 7) (loop (br_if 0 (i32.const 1))) (br_if 0))))");
        assert_eq!(found(&code).len(), 2);
    }

    #[test]
    fn a_function_without_loops_has_an_empty_table() {
        let code = translated("(module (func (param i32) (block (br_if 0 (local.get 0)))))");
        assert_eq!(code.get(0, false).unwrap().loops.offsets().count(), 0);
    }
}
