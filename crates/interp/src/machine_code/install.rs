//! Makes the code of one function, places it, and stores its addresses in the handler words of its instructions.

use std::sync::{Mutex, PoisonError};

use super::code_memory::{self, ModuleRegion, Unplaced};
use super::outcome::Outcome;
use crate::baseline;
use crate::code_block::CodeBlock;
use crate::paired_call::CallStubs;

/// Compiles the function with this index into its module's region. Pairs its calls if `stubs` returns the module's call stubs.
pub(crate) fn compile(
    block: &CodeBlock,
    index: u32,
    region: &Mutex<ModuleRegion>,
    stubs: impl FnOnce(&mut ModuleRegion) -> Option<CallStubs>,
) -> Outcome {
    if !code_memory::is_available() {
        return Outcome::NotNow;
    }
    let stubs = stubs(&mut region.lock().unwrap_or_else(PoisonError::into_inner));
    let own = block.layout.defined_func(index);
    let words = block.words.to_vec();
    let Some(function) = baseline::compile(block, &words, own, stubs) else { return Outcome::Never };
    let first = block.words.first().as_ptr().addr();
    let placed = region.lock().unwrap_or_else(PoisonError::into_inner).place(first, function);
    match placed {
        Ok((base, entries)) => {
            for (word, position) in entries {
                block.words.set_handler(word as usize, base + u64::from(position));
            }
            Outcome::Done
        }
        Err(Unplaced::NoRoom) => {
            code_memory::pause();
            Outcome::NotNow
        }
        Err(Unplaced::NoCode) => Outcome::Never,
    }
}
