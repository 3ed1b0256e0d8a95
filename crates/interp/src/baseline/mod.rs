//! The baseline compiler: machine code for functions that are executed often, made in one pass over their instructions.
//!
//! Called by [`machine_code`](crate::machine_code), which decides when, and places the code. Code changes only word 0 of
//! instructions: it becomes the address of code that does the same. `docs/baseline.md` describes the compiler as a whole.
//!
//! # Stages
//! - `rows`: handler → emitter, operand places. An instruction without an emitter is left to its handler.
//! - `function`: the code of one function; entries, exits, jumps. `registers`: operands and results in registers.
//! - `link`, `place`: distances in the code, filled in when it gets its address. `code_map`: its origin, for listings.
//! - `numeric`, `conversion`, `memory`, `variable`, `control`, `call`, `heap`, `vector`, `vector_memory`: the emitters, named by
//!   instruction category as in `execute/`. `vector_rows` and `sse`: the machine instructions of vector operators.
//!   `heap_rows`, `access`: the emitters of others.
//! - `loops`: values that inner loops carry in registers. `labels`: registers over labels.
//! - `state`: the knowledge of slots during the pass; `assemble`: the encoder; `features`: those of the processor.
//!
//! # State
//! Within a block a slot may be in a register, or be a known constant, and its memory be out of date. Everything is stored
//! before labels, branches, calls and exits to handlers. A stored slot also stays in its register behind branches, at `labels` to
//! which only branches forward lead, and over the back edges of some `loops`. An operand that was on the operand stack is used
//! once and then forgotten, without a store.
//!
//! # Entries
//! Handlers enter code at function starts, labels where nothing is in registers, and after calls and instructions that are left to
//! a handler. There all slots are in memory, and the accumulators in their registers, as the handlers' contract says. Any other
//! instruction keeps its handler. A frame that is at one continues with handlers up to the next entry.
//!
//! # Why are traps left to handlers?
//! Code checks the usual case. In any other it stores what is dirty and executes the instruction once more by its handler, which
//! traps or has a result. So no rule of a trap is written twice. A fault of an access to guard-paged memory stores nothing: the
//! frame's slots are not read any more.

mod access;
mod assemble;
mod call;
mod code_map;
mod control;
mod conversion;
mod features;
mod function;
mod heap;
mod heap_rows;
mod labels;
mod link;
mod loops;
mod memory;
mod numeric;
mod place;
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
use crate::machine_code::code_memory::Placeable;
use crate::paired_call::{self, CallStubs};
use code_map::CodeMap;
use function::Compiler;
use place::MappedCode;
use rows::{Emitter, Row, Rows};
use state::Label;

#[cfg(test)]
mod tests;

/// Makes the code of a function whose instructions are `words`, a copy of the block's, and whose record is at offset `own` in the
/// instance. Returns `None` if an instruction has no
/// handler of the instruction set. Calls and returns are [paired](crate::paired_call) if there are call stubs.
pub(crate) fn compile<'w>(
    block: &CodeBlock,
    words: &'w [u64],
    own: u32,
    stubs: Option<CallStubs>,
) -> Option<impl Placeable + use<'w>> {
    compile_words(block.words.first().as_ptr().addr() as u64, words, &landings(block), own, stubs, None)
}

/// As [`compile`], with the origin of the code.
pub(crate) fn map_code(block: &CodeBlock, words: &[u64], own: u32, stubs: Option<CallStubs>) -> Option<MappedCode> {
    let map = Some(CodeMap::default());
    compile_words(block.words.first().as_ptr().addr() as u64, words, &landings(block), own, stubs, map)?.into_mapped()
}

/// Returns the code words at which exceptions land.
fn landings(block: &CodeBlock) -> Vec<u32> {
    let catches = block.try_regions.iter().flat_map(|region| &region.catches);
    catches.map(|catch| catch.target).collect()
}

/// Makes the code of a function whose instructions are `words`, at address `first`. Exceptions land at the words `landings`.
fn compile_words<'w>(
    first: u64,
    words: &'w [u64],
    landings: &[u32],
    own: u32,
    stubs: Option<CallStubs>,
    code_map: Option<CodeMap>,
) -> Option<Compiler<'w>> {
    let mut known = Rows::lock();
    let mut rows: Vec<(u32, &'static Row)> = Vec::with_capacity(words.len() / 2);
    let mut labels = vec![Label::None; words.len() + 1];
    // Destination, and number of the branch.
    let mut back_edges: Vec<(u32, usize)> = Vec::new();
    let (mut lowest, mut highest) = (0, 0);
    let mut start = 0;
    while let Some(here) = words.get(start..).filter(|here| !here.is_empty()) {
        let row = known.of(here[0]);
        rows.push((start as u32, row));
        let mut mark = |distance: u64, is_branch: bool| {
            let distance = distance as i32;
            let to = start.wrapping_add_signed(distance as isize);
            if let Some(label) = labels.get_mut(to) {
                let is_forward = is_branch && distance > 0 && row.emitter.is_some() && *label != Label::Any;
                *label = if is_forward { Label::Forward } else { Label::Any };
            }
            if is_branch && distance <= 0 {
                back_edges.push((to as u32, rows.len() - 1));
            }
        };
        if row.branches {
            mark(here.get(1)? >> 32, true);
        }
        if row.has_table {
            for entry in 0..=(here.get(1)? >> 32) as usize {
                mark(here.get(3 + entry / 2)? >> (32 * (entry % 2)), false);
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
        *labels.get_mut(landing as usize)? = Label::Any;
    }
    drop(known);
    // The first instruction has the number of slots of locals, after which the operand stack begins.
    let operand_slots = match rows.first()?.1.emitter {
        Some(Emitter::Enter) => (words.get(1)? >> 32) as u32 as i32,
        _ => return None,
    };
    let mut compiler = Compiler::new(first, words, rows.first()?.1, (lowest, highest + 2), operand_slots);
    (compiler.own, compiler.stubs, compiler.code_map) = (own, stubs, code_map);
    (0..paired_call::DIRECT_AT).for_each(|_| compiler.asm.pad());
    compiler.asm.bytes(&paired_call::direct(own));
    let mut loops = plain_loops(&rows, back_edges, &labels).into_iter().peekable();
    for (index, &(word, row)) in rows.iter().enumerate() {
        let next = rows.get(index + 1).map_or(words.len() as u32, |next| next.0);
        let loop_end = loops.next_if(|&(first, _)| first == word).map(|(_, last)| last);
        compiler.add(word, next - word, row, labels[word as usize], loop_end);
    }
    compiler.end_loop();
    Some(compiler)
}

/// Most instructions of a plain loop. A search for their start is that short in loops that are nested deeply.
const LONGEST_LOOP: usize = 1000;

/// Returns the first and the last code word of each plain loop, in order.
fn plain_loops(rows: &[(u32, &'static Row)], mut back_edges: Vec<(u32, usize)>, labels: &[Label]) -> Vec<(u32, u32)> {
    let mut loops = Vec::new();
    back_edges.sort_unstable();
    for edges in back_edges.chunk_by(|edge, next| edge.0 == next.0) {
        let Some(&(first, branch)) = edges.last() else { continue };
        let is_inside = |&&(word, row): &&(u32, &'static Row)| {
            let continues = !matches!(row.emitter, None | Some(Emitter::Call | Emitter::CallIndirect));
            continues && (word == first || labels[word as usize] != Label::Any)
        };
        let mut body = rows[..=branch].iter().rev().take(LONGEST_LOOP).take_while(is_inside);
        if body.any(|&(word, _)| word == first) {
            loops.push((first, rows[branch].0));
        }
    }
    loops
}
