//! Bounds on the memory that compiling one function takes, whatever the function is.
//!
//! A body of 256 KiB can ask for gigabytes: a block with 1000 parameters is three bytes. So the translator adds up its output
//! while it makes it ([`Made`]), what is left of it after optimisation is counted before registers are allocated for it
//! ([`Optimised`]), and a function beyond [`MAX_BYTES`] is refused and stays interpreted.
//!
//! # Why these weights?
//! Each is the growth of resident memory by one more of its kind, over compiling modules that consist of that kind. The
//! largest functions of CPython, QuickJS and Yosys come to at most half of the bound. The largest of Ruby comes to 350 MiB, because of
//! the places where its values are alive, and takes as much.
//!
//! # Several threads
//! The bound is for one function. Above [`HEAVY_BYTES`] functions are compiled one at a time in the whole process
//! ([`Turn`]), so that the sum over all threads is little more.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::liveness::Live;

/// Bytes that the compiler may take for one function, by estimate.
pub(crate) const MAX_BYTES: usize = 384 << 20;
/// Bytes from which a function waits for its turn. All but a few functions of real programs are far below.
pub(crate) const HEAVY_BYTES: usize = 32 << 20;

/// An instruction, from translation to machine code: 400 to 600 bytes, the most for calls.
const INSTRUCTION: usize = 600;
/// A value. Most that are not results of instructions are parameters that turn out to be needless.
const VALUE: usize = 30;
/// A word of the lists of arguments, of which each costs a move on its edge.
const LIST_WORD: usize = 48;
/// An edge of a branch table, or from a call to a handler: a block of its own.
const EDGE: usize = 800;
/// A place in the table of variables by blocks.
const DEFINITION: usize = 4;
/// Cost of sealing a block for each of its unknown variables and each block before.
const LOOKUP: usize = 12;
/// A block parameter that is left when the function is optimised, with the pieces that the register allocator cuts it into.
const PARAM: usize = 1500;
/// Square of the number of block parameters for each variable, at most. The register allocator joins those of one variable and
/// then cuts them apart, which takes quadratic time: 32 million are 8 s. The largest function of Yosys has 8 million.
const MAX_PARAM_PAIRS: usize = 32 << 20;
/// A range of a value, with the pieces that the register allocator cuts it into: 120 to 180 bytes.
const RANGE: usize = 200;
/// A word of the register allocator's sets of values, which are hash tables.
const SET_WORD: usize = 40;
/// Number of blocks at whose start a value is alive, over all values. The register allocator looks at each several times: 36
/// million are 5 s. The largest function of Ruby has 19 million.
const MAX_PLACES: usize = 64 << 20;
/// Variables that a function counts as having at least: also operands of blocks have parameters.
const LEAST_VARIABLES: usize = 64;

/// Amounts of everything that a translation has made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    pub instructions: usize,
    pub values: usize,
    /// Words of value lists.
    pub list_words: usize,
    /// Edges of branch tables and of calls with handlers.
    pub edges: usize,
    /// Variables that were read or written.
    pub variables: usize,
    pub blocks: usize,
}

impl Made {
    /// Bytes that compiling takes if nothing more is made.
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

    /// Bytes for a branch table of `targets` that each take `args` along.
    pub(crate) fn table_bytes(targets: usize, args: usize) -> usize {
        targets.saturating_mul(EDGE.saturating_add(args.saturating_mul(LIST_WORD)))
    }

    /// Bytes for sealing a block that has so many variables from unknown predecessors.
    pub(crate) fn seal_bytes(&self, unknown: usize) -> usize {
        unknown.saturating_mul(self.blocks.saturating_add(self.edges)).saturating_mul(LOOKUP)
    }
}

/// Amounts of what is left of a function when it is optimised.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Optimised {
    pub instructions: usize,
    /// Block parameters.
    pub params: usize,
    /// Variables that the parameters came of.
    pub variables: usize,
}

impl Optimised {
    /// Returns the bytes that making code of it takes if values are alive as is said, or `None` if that is too much.
    pub(crate) fn bytes(&self, live: &Live) -> Option<usize> {
        let amounts =
            [(self.instructions, INSTRUCTION), (self.params, PARAM), (live.ranges, RANGE), (live.words, SET_WORD)];
        let bytes = sum(&amounts);
        let pairs = self.params.saturating_mul(self.params) / self.variables.max(LEAST_VARIABLES);
        (bytes <= MAX_BYTES && pairs <= MAX_PARAM_PAIRS && live.places <= MAX_PLACES).then_some(bytes)
    }
}

/// Amounts times their weights.
fn sum(amounts: &[(usize, usize)]) -> usize {
    amounts.iter().fold(0, |sum, &(count, weight)| sum.saturating_add(count.saturating_mul(weight)))
}

/// The right to compile a heavy function.
#[derive(Debug, Default)]
pub(crate) struct Turn(Option<MutexGuard<'static, ()>>);

impl Turn {
    /// Waits until no other thread compiles a heavy function, if this one is heavy.
    pub(crate) fn take_for(&mut self, bytes: usize) {
        static HEAVY: Mutex<()> = Mutex::new(());
        if bytes > HEAVY_BYTES && self.0.is_none() {
            self.0 = Some(HEAVY.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Returns true if the function turned out to be heavy.
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
        assert!(bytes(100_000, 100).is_none(), "it takes too long");
        assert!(bytes(300_000, 100_000).is_none(), "it takes too much memory");
        assert!(bytes(usize::MAX, usize::MAX).is_none());
    }

    #[test]
    fn places_where_values_are_alive_are_bounded() {
        let bytes = |places, ranges, words| Optimised::default().bytes(&Live { places, ranges, words });
        assert_eq!(bytes(1000, 10, 100), Some(10 * RANGE + 100 * SET_WORD));
        assert!(bytes(100 << 20, 0, 0).is_none(), "it takes too long");
        assert!(bytes(0, 2 << 20, 0).is_none() && bytes(0, 0, 11 << 20).is_none(), "it takes too much memory");
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
