//! Counts the live values of an optimised function, in the form in which the register allocator stores them.
//!
//! [`compile`](crate::compile) counts between optimisation and code generation, and passes the sums to
//! [`budget`](crate::budget). The allocator (regalloc2) stores a set of live values for the start and for the end of each
//! block. For each value it stores a live range per stretch of consecutive blocks in which the value is alive. The size of the
//! function bounds neither: 3000 values alive over 3000 branches are in 18 million sets, and have 4 million ranges if every
//! other branch returns.
//!
//! # Why not by data flow over all blocks?
//! A walk from each use up to the definition (Boissinot and others, *Computing liveness sets for SSA-form programs*, 2011,
//! <https://inria.hal.science/inria-00558509>) visits exactly the items to count. It can therefore end as soon as there are too
//! many.

use std::mem::replace;

use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Value};

/// Number of values that one word of the allocator's sets has bits for.
const WORD: u32 = 64;
/// Product of blocks and of values used outside of their own block, below which the function is in any case cheap.
const FEW: usize = 1 << 18;

/// Sums over the values of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// Number of pairs of a value and a block at whose start it is alive. Edges that the allocator splits count as blocks.
    pub live_in: usize,
    /// Number of live ranges: stretches of consecutive blocks in which a value is alive, over all values.
    pub ranges: usize,
    /// Number of words of all sets of values.
    pub words: usize,
}

/// Number of no block and no value.
const NONE: u32 = u32::MAX;

/// The edges from one block to another.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    from: u32,
    /// Number of edges that the allocator splits, that is, makes blocks of.
    blocks: u32,
    /// Number of split edges that begin a stretch, because the edge before them leads to another block.
    stretches: u32,
}

/// The reachable blocks, numbered in the order of their code, and the edges to each.
struct Graph {
    numbers: SecondaryMap<Block, u32>,
    preds: Grouped<Edge>,
}

impl Graph {
    fn of(func: &Function, domtree: &DominatorTree) -> Graph {
        let mut numbers = SecondaryMap::with_default(NONE);
        for (number, &block) in (0..).zip(domtree.cfg_rpo()) {
            numbers[block] = number;
        }
        let targets = |block| {
            let last = func.layout.last_inst(block);
            let calls = last.map_or(&[][..], |inst| {
                func.dfg.insts[inst].branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables)
            });
            calls.iter().map(|call| numbers[call.block(&func.dfg.value_lists)])
        };
        let count = domtree.cfg_postorder().len();
        let mut incoming = vec![0u32; count];
        domtree.cfg_rpo().flat_map(|&block| targets(block)).for_each(|target| incoming[target as usize] += 1);
        let mut edges: Vec<(u32, Edge)> = Vec::new();
        for (from, &block) in (0..).zip(domtree.cfg_rpo()) {
            // The allocator splits critical edges: moves fit neither at the end of a block with several successors nor at the
            // start of one with several predecessors.
            let splits = targets(block).len() > 1;
            let mut before = NONE;
            for target in targets(block) {
                let blocks = u32::from(splits && incoming[target as usize] > 1);
                match edges.last_mut() {
                    Some((_, edge)) if before == target => edge.blocks += blocks,
                    _ => edges.push((target, Edge { from, blocks, stretches: blocks })),
                }
                before = target;
            }
        }
        Graph { numbers, preds: Grouped::by(count, &edges) }
    }
}

/// Lists of items for each number from 0, in one allocation.
struct Grouped<T> {
    starts: Vec<u32>,
    all: Vec<T>,
}

impl<T: Copy + Default> Grouped<T> {
    fn by(groups: usize, items: &[(u32, T)]) -> Grouped<T> {
        let mut starts = vec![0; groups + 1];
        items.iter().for_each(|&(group, _)| starts[group as usize + 1] += 1);
        (0..groups).for_each(|group| starts[group + 1] += starts[group]);
        let mut next = starts.clone();
        let mut all = vec![T::default(); items.len()];
        for &(group, item) in items {
            let index = &mut next[group as usize];
            all[*index as usize] = item;
            *index += 1;
        }
        Grouped { starts, all }
    }

    fn of(&self, group: u32) -> &[T] {
        &self.all[self.starts[group as usize] as usize..self.starts[group as usize + 1] as usize]
    }
}

/// Returns for each value the blocks that use it, other than the one that defines it; and the number of values with such a use.
fn uses_elsewhere(func: &Function, graph: &Graph) -> (Grouped<u32>, usize) {
    let mut home = SecondaryMap::<Value, u32>::with_default(NONE);
    let reachable = || func.layout.blocks().map(|block| (block, graph.numbers[block])).filter(|&(_, at)| at != NONE);
    for (block, at) in reachable() {
        values_of(func, block).for_each(|value| home[value] = at);
    }
    let mut uses = Vec::new();
    for (block, at) in reachable() {
        let values = func.layout.block_insts(block).flat_map(|inst| func.dfg.inst_values(inst));
        uses.extend(values.filter(|&value| home[value] != at).map(|value| (value.as_u32(), at)));
    }
    let uses = Grouped::by(func.dfg.num_values(), &uses);
    let count = uses.starts.windows(2).filter(|ends| ends[0] != ends[1]).count();
    (uses, count)
}

/// Returns the values that a block defines, in order.
fn values_of(func: &Function, block: Block) -> impl Iterator<Item = Value> + '_ {
    let params = func.dfg.block_params(block).iter().copied();
    params.chain(func.layout.block_insts(block).flat_map(|inst| func.dfg.inst_results(inst).iter().copied()))
}

/// Counts the live values of `func`. Returns `None` as soon as `is_too_much` is true for the sums so far. Returns zeros without
/// counting if the function is certainly cheap.
pub(crate) fn count(func: &Function, domtree: &DominatorTree, is_too_much: impl Fn(&Live) -> bool) -> Option<Live> {
    let blocks = domtree.cfg_postorder().len();
    if func.dfg.num_values().saturating_mul(blocks) < FEW {
        return Some(Live::default());
    }
    let graph = Graph::of(func, domtree);
    let (uses, alive_elsewhere) = uses_elsewhere(func, &graph);
    let mut live = Live::default();
    if alive_elsewhere.saturating_mul(blocks) < FEW {
        return Some(live);
    }
    // For each block, the latest value and the latest word of values found to be alive at its start (`in`) and at its end
    // (`out`).
    let [mut value_in, mut value_out, mut word_in, mut word_out] = [(); 4].map(|()| vec![NONE; blocks]);
    let (mut pending, mut found) = (Vec::new(), Vec::new());
    let mut value_number = 0;
    for block in func.layout.blocks() {
        let home = graph.numbers[block];
        if home == NONE {
            continue;
        }
        for value in values_of(func, block) {
            let number = value_number;
            value_number += 1;
            let word = number / WORD;
            live.words += usize::from(replace(&mut word_in[home as usize], word) != word);
            let mut enter = |at: u32, pending: &mut Vec<u32>| {
                if at != home && replace(&mut value_in[at as usize], number) != number {
                    pending.push(at);
                }
            };
            uses.of(value.as_u32()).iter().for_each(|&at| enter(at, &mut pending));
            while let Some(at) = pending.pop() {
                found.push(at);
                live.live_in += 1;
                let is_new = usize::from(replace(&mut word_in[at as usize], word) != word);
                live.words += is_new;
                for edge in graph.preds.of(at) {
                    let from = edge.from as usize;
                    value_out[from] = number;
                    live.words += usize::from(replace(&mut word_out[from], word) != word);
                    live.words += 2 * is_new * edge.blocks as usize;
                    live.live_in += edge.blocks as usize;
                    live.ranges += edge.stretches as usize;
                    enter(edge.from, &mut pending);
                }
                if is_too_much(&live) {
                    return None;
                }
            }
            // The definition begins a stretch, and so does each block that the value does not reach from the block before in
            // the code.
            let starts = |at: u32| at == 0 || value_out[at as usize - 1] != number;
            live.ranges += 1 + found.iter().filter(|&&at| starts(at)).count();
            found.clear();
        }
    }
    Some(live)
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::flowgraph::ControlFlowGraph;
    use cranelift_codegen::ir::{InstBuilder, types};

    use super::*;

    /// Returns a function with `count` values that are alive over as many branches. One target of each branch returns. For
    /// every other branch that target comes before the next branch in the code.
    fn branches(count: usize) -> Function {
        let mut func = Function::new();
        let first = func.dfg.make_block();
        let mut at = FuncCursor::new(&mut func);
        at.insert_block(first);
        let values: Vec<Value> = (0..count).map(|_| at.ins().iconst(types::I64, 1)).collect();
        for index in 0..count {
            let (ends, continues) = (at.func.dfg.make_block(), at.func.dfg.make_block());
            let blocks = if index % 2 == 0 { [ends, continues] } else { [continues, ends] };
            at.ins().brif(values[0], blocks[0], &[], blocks[1], &[]);
            at.insert_block(ends);
            at.ins().return_(&[]);
            at.insert_block(continues);
        }
        at.ins().return_(&values);
        func
    }

    fn count_in(func: &Function, is_too_much: impl Fn(&Live) -> bool) -> Option<Live> {
        let graph = ControlFlowGraph::with_function(func);
        count(func, &DominatorTree::with_function(func, &graph), is_too_much)
    }

    #[test]
    fn live_in_pairs_are_values_times_blocks() {
        let live = count_in(&branches(512), |_| false).unwrap();
        assert_eq!(live.live_in, 512 * 512);
        assert!(live.ranges > 512 * 512 / 4 && live.ranges <= 512 + 512 * 512, "{live:?}");
        // 512 values are eight words: in the block that defines them, at the start of each other block that continues, and at
        // the end of each of these but the last.
        assert_eq!(live.words, 8 * (1 + 512 + 512));
    }

    #[test]
    fn counting_ends_when_there_is_too_much() {
        assert_eq!(count_in(&branches(512), |live| live.live_in > 1000), None);
    }

    #[test]
    fn cheap_functions_are_not_counted() {
        assert_eq!(count_in(&branches(64), |_| true), Some(Live::default()));
    }
}
