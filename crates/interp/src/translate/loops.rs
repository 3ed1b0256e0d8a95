//! Where the loops of a function are, for a tier that takes over at one: as [`locate`](super::locate), found by translating the
//! function again when it is asked.

use wasmr_runtime::frame::FrameMap;

use super::{Source, Translator};

/// A loop: where it starts, in the module and in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Offset of the `loop` operator in the module.
    pub offset: usize,
    /// The word at which its code starts.
    pub word: u32,
}

/// A loop with those around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopInfo {
    /// The loops, outermost first; of several that start at the same word only the outermost. The last is the one asked for.
    pub nest: Vec<Loop>,
    /// Where a frame has the function's values at the start of any of them.
    pub frame: FrameMap,
}

/// The loops of a translation.
#[derive(Debug, Default)]
pub struct Loops {
    /// In order, each with the index of the innermost one around it.
    all: Vec<(Loop, Option<usize>)>,
    /// Those that are open.
    open: Vec<usize>,
}

/// The loop that starts at a word of the function's code, if one does.
pub fn loop_at(source: &Source<'_>, word: u32) -> Option<LoopInfo> {
    let mut translator = Translator::new(source);
    translator.loops = Some(Loops::default());
    translator.body(source.defined_index).ok()?;
    let loops = translator.loops?.all;
    let mut at = loops.iter().position(|(it, _)| it.word == word);
    at?;
    let mut nest: Vec<Loop> = Vec::new();
    while let Some(index) = at {
        let (it, around) = loops[index];
        // The same place, which a loop further out also stands for.
        if nest.last().is_some_and(|inner| inner.word == it.word) {
            nest.pop();
        }
        nest.push(it);
        at = around;
    }
    nest.reverse();
    let locals = translator.locals.iter().map(|local| local.slot).collect();
    Some(LoopInfo { nest, frame: FrameMap { locals, operands: translator.temp_base } })
}

impl Translator<'_> {
    /// Notes that the loop of the operator at hand starts at a word.
    pub fn note_loop(&mut self, start: usize) {
        if let Some(loops) = &mut self.loops {
            let it = Loop { offset: self.offset, word: start as u32 };
            loops.all.push((it, loops.open.last().copied()));
            loops.open.push(loops.all.len() - 1);
        }
    }

    /// Notes that the innermost loop ends.
    pub fn note_loop_end(&mut self) {
        if let Some(loops) = &mut self.loops {
            loops.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmr_core::registry::TypeRegistry;
    use wasmr_module::{Features, Module};
    use wasmr_runtime::vm::VmLayout;

    use super::*;
    use crate::translate::translate;

    /// The loops' words as a budget interrupt would meet them, found by asking for every word.
    fn infos(wat: &str) -> Vec<LoopInfo> {
        let bytes = wat::parse_str(wat).unwrap();
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.into(), "loops", &Features::default(), &types, 1).unwrap();
        let layout = VmLayout::for_module(&module);
        let source = Source { module: &module, layout: &layout, defined_index: 0, guarded: false, metered: false };
        let words = translate(&source).unwrap().cells.len();
        (0..words as u32).filter_map(|word| loop_at(&source, word)).collect()
    }

    #[test]
    fn a_nest_is_given_from_outside_to_inside() {
        let infos = infos(
            "(module (func (param i32 v128) (local i64)
                (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (loop (br_if 0 (local.get 0)) (drop (i64.const 1)))
                    (block (loop (br_if 0 (local.get 0)) (br_if 1 (local.get 0)) (br 2))))
                (loop (br 0))))",
        );
        assert_eq!(infos.iter().map(|info| info.nest.len()).collect::<Vec<_>>(), [1, 2, 2, 1]);
        assert_eq!(infos[0].nest[0], infos[1].nest[0]);
        assert_eq!(infos[0].nest[0], infos[2].nest[0]);
        for info in &infos {
            assert_eq!(info.frame.locals, [-7, -6, 0]);
            assert_eq!(info.frame.operands, 1);
            assert!(info.nest.is_sorted_by(|a, b| a.offset < b.offset && a.word < b.word));
        }
    }

    #[test]
    fn of_loops_that_start_together_the_outermost_is_meant() {
        let infos = infos("(module (func (param i32) (loop (block (loop (br_if 0 (local.get 0)) (br 2))))))");
        assert_eq!(infos.len(), 1);
        assert_eq!(infos[0].nest.len(), 1);
    }

    #[test]
    fn what_is_below_a_loop_is_in_its_slots() {
        // A constant below the inner loop is written between the two starts.
        let infos = infos("(module (func (loop (i32.const 7) (loop (br_if 0 (i32.const 1))) (br_if 0))))");
        assert_eq!(infos.len(), 2);
        assert_eq!(infos[1].nest.len(), 2);
    }
}
