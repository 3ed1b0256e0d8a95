//! Few calls from one tier to another. Part of [`ModuleTiers`].
//!
//! A call from interpreted into compiled code and back, or the other way, takes several times as long as a call within a tier. If
//! the functions of a program do little work in a call, compiling one of them makes the program slower until its callers and
//! callees are compiled too. So:
//!
//! - *Callees first.* Before a function is compiled, its callees are that samples found it call often.
//! - *Light* functions, which do little in a call, stay interpreted for interpreted callers. Compiled callers get their code. In the
//!   end the program enters compiled code at functions that do much in a call, and stays in it.
//! - A function that a compiled caller calls needs fewer samples.

use wasmr_interp::FuncSamples;

use crate::compile_queue::Hot;
use crate::module_tiers::{CompileTask, ModuleTiers};
use crate::small_leaf::is_small_leaf;
use crate::tuning::{CALLEE_SIZE, GIANT, HOT_CALLEE, LIGHT_CALL, LIGHT_CALL_SAMPLES, NATIVE_CALLER_FACTOR};
use crate::work::Work;

/// Returns true if a function with these samples does little in a call. A sample stands for about as many calls and backward jumps
/// as any other, so the quotient is their number in a call, at most two calls deep.
fn is_light(samples: FuncSamples) -> bool {
    samples.calls >= LIGHT_CALL_SAMPLES && samples.all < samples.calls.saturating_mul(LIGHT_CALL)
}

impl ModuleTiers {
    /// Returns true if interpreted callers should keep interpreting the function. The caller is compiled instead.
    pub(crate) fn stays_interpreted_for_interpreter(&self, index: u32, guarded: bool) -> bool {
        if self.is_ahead_of_first_call() || self.is_synchronous() {
            return false;
        }
        self.states.is_small_leaf(index, self.module().defined_func_count(), || is_small_leaf(self.module(), index))
            || is_light(self.interp().samples(index, guarded))
    }

    /// Returns true if the function is called so often that code for its next call is of use sooner than code for a loop.
    pub(crate) fn next_call_is_near(&self, index: u32, guarded: bool) -> bool {
        !self.is_synchronous() && is_light(self.interp().samples(index, guarded))
    }

    /// Returns the number of samples that count for a function. A call from compiled code into the interpreter costs as much as
    /// interpreting for the time of some samples, which is little beside compiling a giant.
    pub(crate) fn samples_that_count(&self, index: u32, guarded: bool, samples: u32, by_interpreter: bool) -> u32 {
        let samples = samples.saturating_add(self.earlier_samples(index, guarded));
        if by_interpreter || self.body_size(index) >= GIANT {
            return samples;
        }
        samples.saturating_mul(NATIVE_CALLER_FACTOR)
    }

    /// Requests the callees that a task's function calls often, with at least the worth of the task. Returns true if there were
    /// such callees without code; the task is then to wait for them.
    pub(crate) fn request_callees(&self, task: &CompileTask, least_worth: u64) -> bool {
        if self.is_ahead_of_first_call() || self.is_synchronous() {
            return false;
        }
        let Work { index, guarded, .. } = task.work;
        let calls = self.calls_of(index, guarded);
        let all: u32 = calls.iter().map(|call| call.count).sum();
        let largest = self.body_size(index).saturating_mul(2).clamp(CALLEE_SIZE, GIANT);
        let mut found = false;
        for call in &calls {
            let callee = call.callee;
            let count: u32 = calls.iter().filter(|other| other.callee == callee).map(|call| call.count).sum();
            let samples = self.interp().samples(callee, guarded).all.saturating_mul(NATIVE_CALLER_FACTOR);
            if count > 1
                && count.saturating_mul(HOT_CALLEE) >= all
                && !self.states.is_requested(callee, guarded)
                && self.body_size(callee) <= largest
                && self.is_worth_compiling(callee, samples, self.all_samples())
            {
                found = true;
                self.request_with(Work { index: callee, guarded, at_loop: None }, task.hotness(), least_worth);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_light_if_samples_find_little_but_its_entry() {
        let light = |all, calls| is_light(FuncSamples { all, calls });
        assert!(light(LIGHT_CALL_SAMPLES, LIGHT_CALL_SAMPLES));
        assert!(!light(LIGHT_CALL * 10, 10) && light(LIGHT_CALL * 10 - 1, 10));
        assert!(!light(1000, 0), "a recursive function, or one with a long loop");
        assert!(!light(1, 1), "one sample says nothing");
    }
}
