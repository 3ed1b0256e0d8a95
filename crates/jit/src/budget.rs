//! Bounds on the memory and time that compiling one function takes, for every function that a guest can contain.
//!
//! A body of 256 KiB can require gigabytes: a block with 1000 parameters takes three bytes. The compiler therefore estimates
//! twice. The translator adds up its output while it makes it ([`Made`]). After optimisation, and before register allocation,
//! the rest is counted ([`Optimised`]). A function whose estimate exceeds [`MAX_BYTES`] gets a compile error and stays
//! interpreted.
//!
//! # Why these weights?
//! Each weight is measured: the growth of resident memory per item, when modules are compiled that consist of that kind of
//! item. The largest functions of CPython, QuickJS and Yosys reach at most half of the bound. The largest of Ruby reaches 350
//! MiB, because of the number of blocks in which its values are alive, and compiling it really takes that much.
//!
//! # Several threads
//! The bound is for one function. Functions above [`HEAVY_BYTES`] are compiled one at a time in the whole process ([`Turn`]),
//! so that all threads together take little more.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::liveness::Live;

/// Estimated bytes that compiling one function may take.
pub(crate) const MAX_BYTES: usize = 384 << 20;
/// Estimated bytes above which a function is heavy and waits for its turn. All but a few functions of real programs are far
/// below.
pub(crate) const HEAVY_BYTES: usize = 32 << 20;

/// Bytes per instruction, from translation to machine code. Measured: 400 to 600, the most for calls.
const INSTRUCTION: usize = 600;
/// Bytes per value. Most values that are no results of instructions are block parameters that the optimiser removes.
const VALUE: usize = 30;
/// Bytes per word of argument lists. Each argument costs a move on its edge.
const LIST_WORD: usize = 48;
/// Bytes per edge of a branch table, or from a call to a landing pad. Each becomes a block.
const EDGE: usize = 800;
/// Bytes per entry in the frontend's table of variables by blocks.
const DEFINITION: usize = 4;
/// Bytes per pair of an unknown variable of a block and a predecessor of the block, when the block is sealed.
const LOOKUP: usize = 12;
/// Bytes per block parameter after optimisation, with the pieces into which the register allocator splits its live range.
const PARAM: usize = 1500;
/// Most block parameters squared, divided by variables. The register allocator merges the parameters of one variable and then
/// splits them, which takes quadratic time: 32 million take 8 s. The largest function of Yosys has 8 million.
const MAX_PARAM_PAIRS: usize = 32 << 20;
/// Bytes per live range, with the pieces into which the register allocator splits it. Measured: 120 to 180.
const RANGE: usize = 200;
/// Bytes per word of the register allocator's sets of values, which are hash tables.
const SET_WORD: usize = 40;
/// Most pairs of a value and a block at whose start the value is alive. The register allocator visits each pair several times:
/// 36 million take 5 s. The largest function of Ruby has 19 million.
const MAX_LIVE_IN: usize = 64 << 20;
/// Bound on the product of two counts: the pairs of a value and a block at whose start the value is alive, and the parameters
/// of the block that has the most. The register allocator puts a parameter and its arguments into one bundle. If many bundles
/// of one block are alive over many other blocks, the allocator splits them again and again: a product of 2,500 million (1000
/// parameters) takes 4 s, one of 8,500 million 19 s. The largest function of SQLite has 4 million. Only the loop header of a
/// dual entry has so many parameters.
const MAX_SPLITS: usize = 1 << 30;
/// Least number of variables to assume, because operands of blocks have parameters as well.
const LEAST_VARIABLES: usize = 64;

/// Numbers of all items that a translation has made so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    pub instructions: usize,
    pub values: usize,
    /// Words of value lists.
    pub list_words: usize,
    /// Edges of branch tables, and from calls to landing pads.
    pub edges: usize,
    /// Variables that were read or written.
    pub variables: usize,
    pub blocks: usize,
}

impl Made {
    /// Returns the estimated bytes of compilation if the translation ended here.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.variables.saturating_mul(self.blocks);
        sum(&[
            (self.instructions, INSTRUCTION),
            (self.values, VALUE),
            (self.list_words, LIST_WORD),
            (self.edges, EDGE),
            (table, DEFINITION),
        ])
    }

    /// Returns the estimated bytes of a branch table with `targets` edges, each of which passes `args` arguments.
    pub(crate) fn table_bytes(targets: usize, args: usize) -> usize {
        targets.saturating_mul(EDGE.saturating_add(args.saturating_mul(LIST_WORD)))
    }

    /// Returns the estimated bytes of sealing a block with `unknown` variables. Cranelift looks each of them up in all
    /// predecessors of the block. The estimate counts all blocks and edges as predecessors.
    pub(crate) fn seal_bytes(&self, unknown: usize) -> usize {
        unknown.saturating_mul(self.blocks.saturating_add(self.edges)).saturating_mul(LOOKUP)
    }
}

/// Numbers of items in a function after optimisation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Optimised {
    pub instructions: usize,
    /// Block parameters.
    pub params: usize,
    /// Parameters of the block that has the most.
    pub most_params: usize,
    /// Variables of the translation, from which the parameters stem.
    pub variables: usize,
}

impl Optimised {
    /// Returns the estimated bytes of code generation, or `None` if that takes too much memory or time. `live` counts the
    /// function's live values.
    pub(crate) fn bytes(&self, live: &Live) -> Option<usize> {
        let amounts =
            [(self.instructions, INSTRUCTION), (self.params, PARAM), (live.ranges, RANGE), (live.words, SET_WORD)];
        let bytes = sum(&amounts);
        let pairs = self.params.saturating_mul(self.params) / self.variables.max(LEAST_VARIABLES);
        let splits = live.live_in.saturating_mul(self.most_params);
        let is_quick = pairs <= MAX_PARAM_PAIRS && live.live_in <= MAX_LIVE_IN && splits <= MAX_SPLITS;
        (bytes <= MAX_BYTES && is_quick).then_some(bytes)
    }
}

/// Returns the sum of all amounts times their weights.
fn sum(amounts: &[(usize, usize)]) -> usize {
    amounts.iter().fold(0, |sum, &(count, weight)| sum.saturating_add(count.saturating_mul(weight)))
}

/// The right to compile a heavy function, once it is taken.
#[derive(Debug, Default)]
pub(crate) struct Turn(Option<MutexGuard<'static, ()>>);

impl Turn {
    /// Takes the turn if a function of `bytes` is heavy: waits until no other thread compiles a heavy function.
    pub(crate) fn take_for(&mut self, bytes: usize) {
        static HEAVY: Mutex<()> = Mutex::new(());
        if bytes > HEAVY_BYTES && self.0.is_none() {
            self.0 = Some(HEAVY.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Returns true if the turn was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_wrap() {
        let made = Made { instructions: usize::MAX, values: 1, variables: usize::MAX, blocks: 2, ..Made::default() };
        assert_eq!(made.bytes(), usize::MAX);
        assert_eq!(Made::table_bytes(usize::MAX, 1000), usize::MAX);
        assert_eq!(made.seal_bytes(usize::MAX), usize::MAX);
    }

    #[test]
    fn parameters_are_bounded_in_all_and_for_each_variable() {
        let bytes = |params, variables| Optimised { params, variables, ..Optimised::default() }.bytes(&Live::default());
        assert_eq!(bytes(1000, 0), Some(1000 * PARAM));
        assert!(bytes(100_000, 400).is_some());
        assert!(bytes(100_000, 100).is_none(), "quadratic time");
        assert!(bytes(300_000, 100_000).is_none(), "memory");
        assert!(bytes(usize::MAX, usize::MAX).is_none());
    }

    #[test]
    fn live_values_are_bounded() {
        let bytes = |live_in, ranges, words| Optimised::default().bytes(&Live { live_in, ranges, words });
        assert_eq!(bytes(1000, 10, 100), Some(10 * RANGE + 100 * SET_WORD));
        assert!(bytes(100 << 20, 0, 0).is_none(), "time");
        assert!(bytes(0, 2 << 20, 0).is_none() && bytes(0, 0, 11 << 20).is_none(), "memory");
        let live = Live { live_in: 2_500_000, ranges: 10_000, words: 200_000 };
        let bytes = |most_params| Optimised { most_params, ..Optimised::default() }.bytes(&live);
        assert!(bytes(30).is_some() && bytes(1000).is_none(), "time");
    }

    #[test]
    fn only_heavy_functions_take_turns() {
        let mut turn = Turn::default();
        turn.take_for(HEAVY_BYTES);
        assert!(!turn.is_taken());
        turn.take_for(HEAVY_BYTES + 1);
        turn.take_for(HEAVY_BYTES + 2);
        assert!(turn.is_taken());
    }
}
