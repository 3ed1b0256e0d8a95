//! The baseline compiler: machine code for functions that are executed often, made in one pass over their instructions.
//!
//! Called by [`copy_patch`](crate::copy_patch), whose code memory and trigger it shares, in place of copies of handlers. As
//! there, code changes only word 0 of instructions: it becomes the address of code that does the same.
//!
//! # Stages
//! - `rows`: handler → emitter, operand places. An instruction without an emitter is left to its handler.
//! - `function`: the code of one function; entries, exits, jumps. `registers`: operands and results in registers.
//! - `numeric`, `conversion`, `memory`, `variable`, `control`, `call`, `heap`, `vector`, `vector_memory`: the emitters, named by
//!   instruction category as in `execute/`. `vector_rows` and `sse`: the machine instructions of vector operators.
//!   `heap_rows`, `access`: the emitters of others.
//! - `loops`: values that inner loops carry in registers.
//! - `state`: the knowledge of slots during the pass; `assemble`: the encoder; `features`: those of the processor.
//!
//! # State
//! Within a block a slot may be in a register, or be a known constant, and its memory be out of date. Everything is stored
//! before labels, branches, calls and exits to handlers. What is in memory stays in its register behind a branch that is not taken,
//! and over the back edge of an inner loop without further labels. An operand that was on the operand stack is used once and then
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

mod access;
mod assemble;
mod call;
mod control;
mod conversion;
mod features;
mod function;
mod heap;
mod heap_rows;
mod loops;
mod memory;
mod numeric;
mod plain_loop;
mod registers;
mod rows;
mod sse;
mod state;
mod variable;
mod vector;
mod vector_memory;
mod vector_rows;

use crate::code_block::CodeBlock;
use crate::copy_patch::code_memory::Placeable;
use crate::paired_call::CallStubs;
use function::Compiler;
use rows::{Emitter, Row, Rows};

#[cfg(test)]
mod tests;

/// Makes the code of a function whose instructions are `words`, a copy of the block's. Returns `None` if an instruction has no
/// handler of the instruction set. Calls and returns are [paired](crate::paired_call) if there are call stubs.
pub(crate) fn compile<'w>(
    block: &CodeBlock,
    words: &'w [u64],
    stubs: Option<CallStubs>,
) -> Option<impl Placeable + use<'w>> {
    let catches = block.try_regions.iter().flat_map(|region| &region.catches);
    let landings: Vec<u32> = catches.map(|catch| catch.target).collect();
    compile_words(block.words.first().as_ptr().addr() as u64, words, &landings, stubs)
}

/// Makes the code of a function whose instructions are `words`, at address `first`. Exceptions land at the words `landings`.
fn compile_words<'w>(first: u64, words: &'w [u64], landings: &[u32], stubs: Option<CallStubs>) -> Option<Compiler<'w>> {
    let mut known = Rows::lock();
    let mut rows: Vec<(u32, &'static Row)> = Vec::with_capacity(words.len() / 2);
    let mut is_label = vec![false; words.len() + 1];
    // Number of the branch, and its destination.
    let mut back_edges: Vec<(usize, u32)> = Vec::new();
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
            if (here[1] as i64) < 0 {
                back_edges.push((rows.len() - 1, start.wrapping_add_signed((here[1] as i64 >> 32) as isize) as u32));
            }
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
    let mut compiler = Compiler::new(first, words, rows.first()?.1, (lowest, highest + 2), operand_slots);
    compiler.stubs = stubs;
    let loops = plain_loops(&rows, &back_edges, &is_label);
    let mut loops = loops.into_iter().peekable();
    for (index, &(word, row)) in rows.iter().enumerate() {
        let next = rows.get(index + 1).map_or(words.len() as u32, |next| next.0);
        let is_loop = loops.next_if_eq(&word).is_some();
        compiler.add(word, next - word, row, is_label[word as usize], is_loop);
    }
    compiler.end_loop();
    Some(compiler)
}

/// Returns the first code words of plain loops, in order.
fn plain_loops(rows: &[(u32, &'static Row)], back_edges: &[(usize, u32)], is_label: &[bool]) -> Vec<u32> {
    let continues = |row: &Row| {
        use Emitter::{Br, BrTable, Call, CallIndirect, Return, ReturnConstant, ReturnPlain};
        !matches!(
            row.emitter,
            None | Some(Br | BrTable | Call | CallIndirect | Return { .. } | ReturnConstant { .. } | ReturnPlain)
        )
    };
    let mut loops: Vec<u32> = Vec::new();
    for &(branch, first) in back_edges {
        let body = rows[..branch].iter().rev();
        let mut body = body.take_while(|(word, row)| continues(row) && (*word == first || !is_label[*word as usize]));
        let last = rows[branch].0;
        if last == first || !is_label[last as usize] && body.any(|(word, _)| *word == first) {
            loops.push(first);
        }
    }
    loops.sort_unstable();
    loops.dedup();
    loops
}
