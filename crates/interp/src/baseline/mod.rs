//! The baseline compiler: machine code for functions that are executed often, made in one pass over their instructions.
//!
//! Called by [`copy_patch`](crate::copy_patch), whose code memory and trigger it shares, in place of copies of handlers. As
//! there, code changes only word 0 of instructions: it becomes the address of code that does the same.
//!
//! # Stages
//! - `rows`: handler → emitter, operand places. An instruction without an emitter is left to its handler.
//! - `function`: the code of one function; entries, exits, jumps. `registers`: operands and results in registers.
//! - `numeric`, `memory`, `variable`, `control`, `call`: the emitters, named by instruction category as in `execute/`.
//! - `state`: the knowledge of slots during the pass; `assemble`: the encoder; `features`: those of the processor.
//!
//! # State
//! Within a block a slot may be in a register, or be a known constant, and its memory be out of date. Everything is stored
//! before labels, branches, calls and exits to handlers. An operand that was on the operand stack is used once and then
//! forgotten, without a store.
//!
//! # Entries
//! Handlers enter code at function starts, labels, and after calls and after instructions that are left to a handler. There all
//! slots are in memory, and the accumulators in their registers, as the handlers' contract says. Any other instruction keeps its
//! handler. A frame that is at one continues with handlers up to the next entry.
//!
//! # Why are traps left to handlers?
//! Code checks the usual case. In any other it stores what is dirty and executes the instruction once more by its handler, which
//! traps or has a result. So no rule of a trap is written twice. A fault of an access to guard-paged memory stores nothing: the
//! frame's slots are not read any more.

mod assemble;
mod call;
mod control;
mod features;
mod function;
mod memory;
mod numeric;
mod registers;
mod rows;
mod state;
mod variable;

use crate::code_block::CodeBlock;
use crate::copy_patch::code_memory::Placeable;
use function::Compiler;
use rows::{Emitter, Row, Rows};

#[cfg(test)]
mod tests;

/// Makes the code of a function whose instructions are `words`, a copy of the block's. Returns `None` if an instruction has no
/// handler of the instruction set.
pub(crate) fn compile<'w>(block: &CodeBlock, words: &'w [u64]) -> Option<impl Placeable + use<'w>> {
    let catches = block.try_regions.iter().flat_map(|region| &region.catches);
    let landings: Vec<u32> = catches.map(|catch| catch.target).collect();
    compile_words(block.words.first().as_ptr().addr() as u64, words, &landings)
}

/// Makes the code of a function whose instructions are `words`, at address `first`. Exceptions land at the words `landings`.
fn compile_words<'w>(first: u64, words: &'w [u64], landings: &[u32]) -> Option<Compiler<'w>> {
    let mut known = Rows::lock();
    let mut rows: Vec<(u32, &'static Row)> = Vec::with_capacity(words.len() / 2);
    let mut is_label = vec![false; words.len() + 1];
    let (mut lowest, mut highest) = (0, 0);
    let mut start = 0;
    while let Some(here) = words.get(start..).filter(|here| !here.is_empty()) {
        let row = known.of(here[0]);
        rows.push((start as u32, row));
        let mut mark = |distance: u64| {
            if let Some(label) = is_label.get_mut(start.wrapping_add_signed(distance as i32 as isize)) {
                *label = true;
            }
        };
        if row.branches {
            mark(here.get(1)? >> 32);
        }
        if row.has_table {
            for entry in 0..=(here.get(1)? >> 32) as usize {
                mark(here.get(3 + entry / 2)? >> (32 * (entry % 2)));
            }
        }
        if row.emitter.is_some() {
            for slot in row.slots(here) {
                (lowest, highest) = (slot.min(lowest), slot.max(highest));
            }
        }
        start += row.length?.of(here);
    }
    for &landing in landings {
        *is_label.get_mut(landing as usize)? = true;
    }
    drop(known);
    // The first instruction has the number of slots of locals, after which the operand stack begins.
    let operand_slots = match rows.first()?.1.emitter {
        Some(Emitter::Enter) => (words.get(1)? >> 32) as u32 as i32,
        _ => return None,
    };
    let mut compiler = Compiler::new(first, words, rows.first()?.1, (lowest, highest + 1), operand_slots);
    for (index, &(word, row)) in rows.iter().enumerate() {
        let next = rows.get(index + 1).map_or(words.len() as u32, |next| next.0);
        compiler.add(word, next - word, row, is_label[word as usize]);
    }
    Some(compiler)
}
