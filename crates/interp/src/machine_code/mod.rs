//! Machine code for functions that are executed often: when it is made, where it is, and how it takes over.
//!
//! Called by [`profile`](crate::profile), which counts samples. The [baseline compiler](crate::baseline) makes the code. Code
//! changes only word 0 of a function's instructions: the handler's address is replaced by the address of code that does the same
//! from there on. The tier is optional: a function or instruction without code stays with its handlers.
//!
//! - `install`: makes the code of one function, places it, and stores its addresses.
//! - `code_memory`: memory for it, never writable and executable at the same address.
//! - `address_hasher`: the hasher of tables by handler.
//!
//! # Invariants
//! - At an entry all machine registers but `rdi` are as the handlers' contract says, and all slots are in memory. So frames that
//!   the function already has continue in code at the next entry. The code sets `rdi`, the address of the instruction, where it
//!   leaves for handlers; after a fault, `instruction_at` finds it by the address of the code.
//! - Operand words of instructions do not change after translation, so that they can be constants of the code.

#[cfg(wasmr_baseline)]
pub(crate) mod address_hasher;
#[cfg(wasmr_baseline)]
pub(crate) mod code_memory;
#[cfg(wasmr_baseline)]
mod install;
mod outcome;

use std::sync::atomic::{AtomicU32, Ordering};

use wasmr_runtime::frame::Ip;

use crate::code_block::{CodeBlock, FuncKey};
use outcome::Outcome;

/// The condition under which a function gets baseline code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaselineWhen {
    /// Least number of samples of the function. With 0 it gets code before its first execution.
    pub after: u32,
    /// Words of the function's code that each of its samples pays for.
    pub words_per_sample: u32,
    /// Budget interrupts that the module must have had before the first function gets code.
    pub events: u32,
    /// The condition under which a function gets code before its first execution, although it has no samples.
    pub ahead: Ahead,
}

/// The condition under which a function gets baseline code before its first execution. In a program that runs for long, most functions
/// that are called at all are called often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Budget interrupts that the module must have had.
    pub events: u32,
    /// Words of the largest code.
    pub most_words: usize,
}

impl Ahead {
    /// No function gets code before its first execution.
    pub const NEVER: Ahead = Ahead { events: u32::MAX, most_words: 0 };
}

/// The baseline tier of one module.
#[derive(Debug)]
pub(crate) struct BaselineTier {
    when: BaselineWhen,
    /// Number of budget interrupts.
    events: AtomicU32,
    /// True if calls are [paired](crate::paired_call).
    #[cfg(wasmr_baseline)]
    paired: bool,
    /// Number of defined functions.
    #[cfg(wasmr_baseline)]
    count: u32,
    #[cfg(wasmr_baseline)]
    region: std::sync::Mutex<code_memory::ModuleRegion>,
}

impl BaselineTier {
    /// Makes a tier without code for a module with `count` defined functions. A budget interrupt comes after `budget` calls and
    /// backward jumps at most.
    pub(crate) fn new(when: BaselineWhen, budget: i32, count: u32) -> BaselineTier {
        #[cfg(not(wasmr_baseline))]
        let _ = (budget, count);
        BaselineTier {
            when,
            events: AtomicU32::new(0),
            #[cfg(wasmr_baseline)]
            paired: budget <= crate::paired_call::MAX_BUDGET,
            #[cfg(wasmr_baseline)]
            count,
            #[cfg(wasmr_baseline)]
            region: Default::default(),
        }
    }

    /// Counts a budget interrupt.
    pub(crate) fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns true if a function with this number of samples and of code words is to get code.
    pub(crate) fn is_due(&self, samples: u32, words: usize) -> bool {
        let BaselineWhen { after, words_per_sample, events, .. } = self.when;
        samples >= after
            && u64::from(samples) * u64::from(words_per_sample) >= words as u64
            && self.events.load(Ordering::Relaxed) >= events
    }

    /// Returns true if a function with this number of code words is to get code before its first execution. A part of the code memory is
    /// kept for functions that samples found.
    pub(crate) fn is_due_at_first_call(&self, words: usize) -> bool {
        let BaselineWhen { after, ahead: Ahead { events, most_words }, .. } = self.when;
        let is_ahead = || self.events.load(Ordering::Relaxed) >= events && words <= most_words && has_unreserved_room();
        after == 0 || is_ahead()
    }

    /// Compiles a function, unless that was tried before. If the host refuses memory for now, the next call of `compile_once`
    /// tries again.
    pub(crate) fn compile_once(&self, block: &CodeBlock, func: FuncKey) {
        if block.hotness.claim_compiling() && self.compile(block, func) == Outcome::NotNow {
            block.hotness.postpone_compiling();
        }
    }

    /// As [`compile_once`](BaselineTier::compile_once), then lets calls in baseline code lead to the code. `block` is the
    /// translation that the module keeps.
    pub(crate) fn compile_and_link(&self, block: &CodeBlock, func: FuncKey) {
        if block.hotness.is_unclaimed() {
            self.compile_once(block, func);
            self.link(block, func);
        }
    }

    /// Compiles a function and lets the handler words of its instructions lead to the code.
    #[cfg(wasmr_baseline)]
    fn compile(&self, block: &CodeBlock, func: FuncKey) -> Outcome {
        install::compile(block, func.0, &self.region, |region| {
            self.paired.then(|| region.call_stubs(func.1, self.count, block.layout.defined_func(0))).flatten()
        })
    }

    /// Returns [`Outcome::Never`]: this build makes no machine code.
    #[cfg(not(wasmr_baseline))]
    fn compile(&self, _block: &CodeBlock, _func: FuncKey) -> Outcome {
        Outcome::Never
    }
}

#[cfg(wasmr_baseline)]
impl BaselineTier {
    /// Lets calls in baseline code lead to the code of a function, if it has any. `block` is the translation that the module
    /// keeps.
    pub(crate) fn link(&self, block: &CodeBlock, func: FuncKey) {
        let entry = block.words.handler(0);
        if contains(entry as usize) {
            // The entry of the first instruction is behind that code.
            let direct = entry - crate::paired_call::DIRECT as u64;
            self.region.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lead_to(func, direct);
        }
    }

    /// Notes that another tier executes a function from now on.
    pub(crate) fn leave_to_other_tier(&self, func: FuncKey) {
        self.region.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lead_elsewhere(func);
    }
}

#[cfg(not(wasmr_baseline))]
impl BaselineTier {
    /// Does nothing: this build makes no machine code.
    pub(crate) fn link(&self, _block: &CodeBlock, _func: FuncKey) {}

    /// Does nothing: this build makes no machine code.
    pub(crate) fn leave_to_other_tier(&self, _func: FuncKey) {}
}

/// Returns true if an address is in baseline code. Takes no lock and allocates nothing.
#[cfg(wasmr_baseline)]
pub(crate) fn contains(address: usize) -> bool {
    code_memory::contains(address)
}

/// Returns the instruction whose baseline code contains an address.
#[cfg(wasmr_baseline)]
pub(crate) fn instruction_at(address: usize) -> Option<Ip> {
    code_memory::instruction_at(address)
}

/// Returns true if there is room for code of functions that may be executed once.
#[cfg(wasmr_baseline)]
fn has_unreserved_room() -> bool {
    code_memory::has_unreserved_room()
}

/// Returns true: this build makes no machine code.
#[cfg(not(wasmr_baseline))]
fn has_unreserved_room() -> bool {
    true
}

/// Returns false: this build makes no machine code.
#[cfg(not(wasmr_baseline))]
pub(crate) fn contains(_address: usize) -> bool {
    false
}

/// Returns `None`: this build makes no machine code.
#[cfg(not(wasmr_baseline))]
pub(crate) fn instruction_at(_address: usize) -> Option<Ip> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_before_the_program_has_run_for_a_while() {
        let when = |after| BaselineWhen { after, words_per_sample: 100, events: 2, ahead: Ahead::NEVER };
        let tier = |after| BaselineTier::new(when(after), 1000, 1);
        let three = tier(3);
        let due = |tier: &BaselineTier| [2, 3, 4].map(|samples| tier.is_due(samples, 10));
        assert_eq!(due(&three), [false; 3]);
        three.count_event();
        assert_eq!(due(&three), [false; 3]);
        three.count_event();
        assert_eq!(due(&three), [false, true, true]);
        assert!(!tier(u32::MAX).is_due(u32::MAX - 1, 10));
    }

    #[test]
    fn a_large_function_is_compiled_after_as_much_time_as_compiling_takes() {
        let when = BaselineWhen { after: 1, words_per_sample: 100, events: 0, ahead: Ahead::NEVER };
        let tier = BaselineTier::new(when, 1000, 1);
        assert_eq!([100, 101, 200, 201].map(|words| tier.is_due(2, words)), [true, true, true, false]);
        assert_eq!([100, 101].map(|words| tier.is_due(1, words)), [true, false]);
        assert!(tier.is_due(u32::MAX, usize::MAX >> 26));
    }

    #[test]
    fn a_program_that_runs_for_long_gets_code_ahead_of_the_first_call() {
        let ahead = Ahead { events: 2, most_words: 100 };
        let tier = |after| BaselineTier::new(BaselineWhen { after, words_per_sample: 100, events: 0, ahead }, 1000, 1);
        let due = |tier: &BaselineTier| [100, 101].map(|words| tier.is_due_at_first_call(words));
        assert_eq!(due(&tier(0)), [true, true], "if every function is to have code");
        let one = tier(1);
        one.count_event();
        assert_eq!(due(&one), [false, false]);
        one.count_event();
        assert_eq!(due(&one), [true, false]);
        #[cfg(wasmr_baseline)]
        if code_memory::is_available() {
            let taken = code_memory::take_unreserved();
            assert_eq!(due(&one), [false, false], "the rest is for functions that samples found");
            assert_eq!(due(&tier(0)), [true, true]);
            drop(taken);
            assert_eq!(due(&one), [true, false]);
        }
    }
}
