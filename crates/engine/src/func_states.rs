//! [`FuncStates`]: facts about each function that every sample asks for, in one byte. Most samples find a function whose code was
//! requested, so that nothing is to be done.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The function is a small leaf.
const LEAF: u8 = 1;
/// The function was examined for [`LEAF`].
const EXAMINED: u8 = 2;
/// The function's code was requested for instances whose memory 0 is checked. The next bit is for those whose memory 0 is
/// guard-paged.
const REQUESTED: u8 = 4;

/// The states of a module's functions, by index among those that the module defines. Made at the first use, as most programs end
/// before.
#[derive(Debug, Default)]
pub(crate) struct FuncStates(OnceLock<Box<[AtomicU8]>>);

impl FuncStates {
    /// Returns the state of a function, one of `funcs`.
    fn state(&self, index: u32, funcs: u32) -> &AtomicU8 {
        let all = self.0.get_or_init(|| (0..funcs).map(|_| AtomicU8::new(0)).collect());
        &all[index as usize]
    }

    /// Returns true if the function's code was requested.
    pub(crate) fn is_requested(&self, index: u32, guarded: bool) -> bool {
        let bit = REQUESTED << u8::from(guarded);
        self.0.get().is_some_and(|all| all[index as usize].load(Ordering::Relaxed) & bit != 0)
    }

    /// Notes that the code of a function, one of `funcs`, was requested, or that it is to be requested again.
    pub(crate) fn set_requested(&self, index: u32, guarded: bool, funcs: u32, requested: bool) {
        let (state, bit) = (self.state(index, funcs), REQUESTED << u8::from(guarded));
        if requested {
            state.fetch_or(bit, Ordering::Relaxed);
        } else {
            state.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Returns true if a function, one of `funcs`, is a small leaf. Calls `examine` for the answer the first time.
    pub(crate) fn is_small_leaf(&self, index: u32, funcs: u32, examine: impl FnOnce() -> bool) -> bool {
        let state = self.state(index, funcs);
        let known = state.load(Ordering::Relaxed);
        if known & EXAMINED != 0 {
            return known & LEAF != 0;
        }
        let is_leaf = examine();
        state.fetch_or(if is_leaf { EXAMINED | LEAF } else { EXAMINED }, Ordering::Relaxed);
        is_leaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_requested_for_each_kind_of_memory() {
        let states = FuncStates::default();
        assert!(!states.is_requested(2, true));
        states.set_requested(2, true, 3, true);
        assert_eq!(
            [states.is_requested(2, true), states.is_requested(2, false), states.is_requested(1, true)],
            [true, false, false]
        );
        states.set_requested(2, true, 3, false);
        assert!(!states.is_requested(2, true));
    }

    #[test]
    fn a_function_is_examined_once() {
        let states = FuncStates::default();
        for (index, leaf) in [(0, true), (1, false)] {
            assert_eq!(states.is_small_leaf(index, 2, || leaf), leaf);
            assert_eq!(states.is_small_leaf(index, 2, || panic!("it was examined")), leaf);
            assert!(!states.is_requested(index, false) && !states.is_requested(index, true));
        }
    }
}
