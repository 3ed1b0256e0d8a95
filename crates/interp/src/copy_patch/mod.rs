//! Copy-and-patch: machine code for functions that are executed often, made of copies of their handlers' code.
//!
//! Called by [`profile`](crate::profile), which counts samples. Copying changes only word 0 of a function's instructions: the
//! handler's address is replaced by the address of code that does the same for this one instruction. The tier is optional: a
//! function or instruction that cannot be copied stays with its handlers.
//!
//! `docs/copy-and-patch.md` describes the technique, its source (Xu and Kjolstad 2021,
//! [doi:10.1145/3485513](https://doi.org/10.1145/3485513)) and the assumptions about the compiler's output.
//!
//! # Why
//! A processor predicts the target of an indirect jump from earlier ones. One copy of each handler has too few such jumps to
//! distinguish the paths of a program, and a misprediction costs as much as several handlers. In copied code instructions
//! follow one another without a jump, branches are jumps to known addresses, and slot numbers and constants are part of the
//! machine instructions instead of loads.
//!
//! # Stages
//! - `decode`: handler → basic blocks; `flow`: liveness in them.
//! - `analyse` and `walk`: blocks → `template`, once per handler. They copy other machine instructions unchanged, and leave
//!   blocks that use the native stack in place. `rewrite` changes memory operands; `assumption` names the assumptions that a
//!   handler breaks.
//! - `emit` and `assemble`: templates and instructions → the code of a function.
//! - `code_memory`: memory for it, never writable and executable at the same address.
//!
//! # Invariants
//! - Between instructions all machine registers but `rdi` are as the handlers' contract says. Handlers can therefore enter the
//!   code at any instruction, and frames that the function already has continue in it unchanged. The code sets `rdi`, the
//!   address of the instruction, where it leaves for handlers; after a fault, `instruction_at` finds it by the address of the
//!   code.
//! - Operand words of instructions do not change after translation, so that they can be constants of the code.
//! - The instruction set gives the length of each instruction. If a handler's code advances by another length, the function is
//!   not copied.

#[cfg(wasmr_copy_patch)]
pub(crate) mod address_hasher;
#[cfg(wasmr_copy_patch)]
pub(crate) mod analyse;
#[cfg(wasmr_copy_patch)]
pub(crate) mod assemble;
#[cfg(wasmr_copy_patch)]
pub(crate) mod assumption;
#[cfg(wasmr_copy_patch)]
pub(crate) mod code_memory;
#[cfg(wasmr_copy_patch)]
mod decode;
#[cfg(wasmr_copy_patch)]
mod emit;
#[cfg(wasmr_copy_patch)]
mod flow;
#[cfg(wasmr_copy_patch)]
mod function;
mod outcome;
#[cfg(wasmr_copy_patch)]
mod rewrite;
#[cfg(wasmr_copy_patch)]
pub(crate) mod template;
#[cfg(wasmr_copy_patch)]
mod walk;

use std::sync::atomic::{AtomicU32, Ordering};

use wasmr_runtime::frame::Ip;

use crate::code_block::{CodeBlock, FuncKey};
use outcome::CopyOutcome;

/// The condition under which a function is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyWhen {
    /// Least number of samples of the function. With 0 it is copied before its first execution.
    pub after: u32,
    /// Words of the function's code that each of its samples pays for.
    pub words_per_sample: u32,
    /// Budget interrupts that the module must have had before the first function is copied.
    pub events: u32,
}

/// The copy-and-patch compiler of one module.
#[derive(Debug)]
pub(crate) struct CopyPatch {
    when: CopyWhen,
    /// True if the baseline compiler makes the code.
    #[cfg_attr(not(wasmr_copy_patch), expect(dead_code, reason = "there is no code"))]
    baseline: bool,
    /// Number of budget interrupts.
    events: AtomicU32,
    /// True if calls are [paired](crate::paired_call).
    #[cfg(wasmr_copy_patch)]
    paired: bool,
    /// Number of defined functions.
    #[cfg(wasmr_copy_patch)]
    count: u32,
    #[cfg(wasmr_copy_patch)]
    region: std::sync::Mutex<code_memory::ModuleRegion>,
}

impl CopyPatch {
    /// Makes a compiler without code for a module with `count` defined functions. It copies handlers or, with `baseline`, is the
    /// baseline compiler. A budget interrupt comes after `budget` calls and backward jumps at most.
    pub(crate) fn new(when: CopyWhen, baseline: bool, budget: i32, count: u32) -> CopyPatch {
        #[cfg(not(wasmr_copy_patch))]
        let _ = (budget, count);
        CopyPatch {
            when,
            baseline,
            events: AtomicU32::new(0),
            #[cfg(wasmr_copy_patch)]
            paired: budget <= crate::paired_call::MAX_BUDGET,
            #[cfg(wasmr_copy_patch)]
            count,
            #[cfg(wasmr_copy_patch)]
            region: Default::default(),
        }
    }

    /// Counts a budget interrupt.
    pub(crate) fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns true if a function with this number of samples and of code words is to be copied.
    pub(crate) fn is_due(&self, samples: u32, words: usize) -> bool {
        let CopyWhen { after, words_per_sample, events } = self.when;
        samples >= after
            && u64::from(samples) * u64::from(words_per_sample) >= words as u64
            && self.events.load(Ordering::Relaxed) >= events
    }

    /// Returns true if functions are copied before their first execution.
    pub(crate) fn is_ahead_of_first_call(&self) -> bool {
        self.when.after == 0
    }

    /// Copies a function, unless that was tried before. If the host refuses memory for now, the next call of `copy_once` tries
    /// again.
    pub(crate) fn copy_once(&self, block: &CodeBlock, func: FuncKey) {
        if block.hotness.claim_copying() && self.copy(block, func) == CopyOutcome::NotNow {
            block.hotness.postpone_copying();
        }
    }

    /// As [`copy_once`](CopyPatch::copy_once), then lets calls in copied code lead to the code. `block` is the translation that the
    /// module keeps.
    pub(crate) fn copy_and_link(&self, block: &CodeBlock, func: FuncKey) {
        if block.hotness.is_unclaimed() {
            self.copy_once(block, func);
            self.link(block, func);
        }
    }

    /// Copies a function and lets the handler words of its instructions lead to the code.
    #[cfg(wasmr_copy_patch)]
    fn copy(&self, block: &CodeBlock, func: FuncKey) -> CopyOutcome {
        let stubs = |region: &mut code_memory::ModuleRegion| {
            self.paired.then(|| region.call_stubs(func.1, self.count)).flatten()
        };
        match self.baseline {
            true => function::compile(block, func.0, &self.region, stubs),
            false => function::copy(block, func.0, &self.region, stubs),
        }
    }

    /// Returns [`CopyOutcome::Never`]: this build copies nothing.
    #[cfg(not(wasmr_copy_patch))]
    fn copy(&self, _block: &CodeBlock, _func: FuncKey) -> CopyOutcome {
        CopyOutcome::Never
    }
}

#[cfg(wasmr_copy_patch)]
impl CopyPatch {
    /// Lets calls in copied code lead to the copied code of a function, if it has any. `block` is the translation that the module
    /// keeps.
    pub(crate) fn link(&self, block: &CodeBlock, func: FuncKey) {
        let entry = block.words.handler(0);
        if contains(entry as usize) {
            self.region.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lead_to(func, entry);
        }
    }

    /// Notes that another tier executes a function from now on.
    pub(crate) fn leave_to_other_tier(&self, func: FuncKey) {
        self.region.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lead_elsewhere(func);
    }
}

#[cfg(not(wasmr_copy_patch))]
impl CopyPatch {
    /// Does nothing: this build copies nothing.
    pub(crate) fn link(&self, _block: &CodeBlock, _func: FuncKey) {}

    /// Does nothing: this build copies nothing.
    pub(crate) fn leave_to_other_tier(&self, _func: FuncKey) {}
}

/// Returns true if an address is in copied code. Takes no lock and allocates nothing.
#[cfg(wasmr_copy_patch)]
pub(crate) fn contains(address: usize) -> bool {
    code_memory::contains(address)
}

/// Returns the instruction whose copied code contains an address.
#[cfg(wasmr_copy_patch)]
pub(crate) fn instruction_at(address: usize) -> Option<Ip> {
    code_memory::instruction_at(address)
}

/// Returns false: this build copies nothing.
#[cfg(not(wasmr_copy_patch))]
pub(crate) fn contains(_address: usize) -> bool {
    false
}

/// Returns `None`: this build copies nothing.
#[cfg(not(wasmr_copy_patch))]
pub(crate) fn instruction_at(_address: usize) -> Option<Ip> {
    None
}

#[cfg(test)]
mod tests;
