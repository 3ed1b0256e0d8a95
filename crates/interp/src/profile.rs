//! The profile: samples that the interpreter takes at budget interrupts, once in about a thousand function entries and backward
//! jumps.
//!
//! The dispatcher calls [`event`] with the frame and its current instruction. A sample counts the function of that frame and of
//! its callers, with a weight by the [time](crate::sample_clock) since the last sample. A function with enough samples gets
//! [baseline code](crate::machine_code). Every sample is reported to the module's [`Executable`](wasmr_runtime::tier::Executable), in
//! which the engine decides what is compiled. If the engine returns OSR code for the current loop, that code takes the frame
//! over and runs the function to its end.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::exit::InterpreterExit;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{BudgetInterrupt, CallSiteId, OsrCode};
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, finish_tail_calls};

use crate::code::{ModuleCode, identify};
use crate::code_block::CodeBlock;
use crate::execute::dispatch::is_interrupted;
use crate::execute::frame::{external_instruction, is_outermost};
use crate::execute::hooks::GO_ON;
use crate::sample_clock::{self, SampleWeight, weight_by_time};

/// Intervals after a sample at a call of another tier that count once. If one call in ten is one, most intervals do.
const INTERVALS_WITH_OTHER_TIERS: u32 = 8;

/// Handles a budget interrupt at the instruction `ip` in the frame `fp`. Returns [`GO_ON`], or if OSR code ran the function to
/// its end, the [`Status`] of that end.
///
/// # Safety
/// `fp` is a live frame of a function that this crate executes, at `ip`, with all values in it as between two instructions.
#[inline(never)]
pub(crate) unsafe fn event(fp: Fp, ip: Ip) -> usize {
    // SAFETY: the frame is live, so its function and instance are, and this thread runs their store. At a loop header all
    // values are in the frame, as OSR code expects.
    unsafe {
        let func = fp.func();
        let Some((code, index, guarded)) = identify(func) else { return GO_ON };
        let (time, stretch) = SampleTime::now(code);
        (*(*func).instance).budget = code.options().stretched_budget(stretch);
        if let Some(block) = code.get(index, guarded) {
            let at_loop = block.position(ip).and_then(|word| block.loops.at_word(word));
            let running = RunningFunc::new(func);
            match running.executable().budget_interrupt(&running, at_loop, time.of(block)) {
                BudgetInterrupt::Ordinary => {}
                BudgetInterrupt::Enter(osr) => return enter_osr_code(func, fp, block, &osr).0,
            }
            if at_loop.is_none() {
                count_call(fp, block);
            }
        }
        sample(fp, code.options().sampled_frames, time);
        GO_ON
    }
}

/// Handles a budget interrupt at a call whose callee another tier executes; `fp` is the callee's frame. Calls count whichever
/// tier executes the callee. A function that often calls compiled functions is therefore soon compiled as well, and then calls
/// them directly.
///
/// # Safety
/// `fp` is the live frame of such a callee, not outermost in its run, and `instance` is the live instance of its caller.
#[cold]
#[inline(never)]
pub(crate) unsafe fn tier_transition(instance: *mut VmInstance, fp: Fp) {
    // SAFETY: a frame that is not outermost has a live caller.
    unsafe {
        if let Some((code, ..)) = identify(fp.caller().func()) {
            (*instance).budget = code.options().budget;
            if let Some((callee_code, index, guarded)) = identify(fp.func())
                && let Some(block) = callee_code.get(index, guarded)
            {
                count_call(fp, block);
            }
            sample_clock::stop(INTERVALS_WITH_OTHER_TIERS);
            sample(fp, code.options().sampled_frames, SampleTime::ONE);
        }
    }
}

/// Counts a sample at the entry of a function, unless the function called itself: recursion of compiled code stays in compiled
/// code.
///
/// # Safety
/// `fp` is the live frame of the function, at its entry.
unsafe fn count_call(fp: Fp, block: &CodeBlock) {
    // SAFETY: the frame is live; its caller is live, or null.
    unsafe {
        if fp.caller().is_null() || fp.caller().func() != fp.func() {
            block.hotness.add_call();
        }
    }
}

/// The weight of a sample by time, as far as no function has taken it.
#[derive(Clone, Copy)]
struct SampleTime {
    rest: u32,
    weight: Option<SampleWeight>,
}

impl SampleTime {
    /// A sample of weight 1.
    const ONE: SampleTime = SampleTime { rest: 1, weight: None };

    /// Ends an interval between samples. Also returns the factor on the calls and backward jumps of the next interval.
    fn now(code: &ModuleCode) -> (SampleTime, i32) {
        let weight = code.options().sample_weight;
        let (rest, stretch) = weight.map_or((1, 1), weight_by_time);
        (SampleTime { rest, weight }, stretch)
    }

    /// Returns the weight of the sample for a function, at least 1.
    fn of(self, block: &CodeBlock) -> u32 {
        self.weight.map_or(1, |weight| weight.for_function(self.rest, block.words.len()))
    }

    /// Takes the weight of the sample for a function. What is left is its caller's: the function is too small to have taken that
    /// time.
    fn take(&mut self, block: &CodeBlock) -> u32 {
        let taken = self.of(block);
        self.rest = self.rest.saturating_sub(taken);
        taken
    }
}

/// Takes a sample: counts the functions of a frame and of its callers, `count` in all.
///
/// # Safety
/// `fp` is a live frame of the store that this thread runs.
unsafe fn sample(mut fp: Fp, count: usize, mut time: SampleTime) {
    // Return address, instance and function index of the previous frame, which this frame called.
    let mut awaited: Option<(Ip, *mut VmInstance, u32)> = None;
    for frame in 0..count {
        if fp.is_null() {
            return;
        }
        // SAFETY: the function of a live frame is alive, in the store that this thread runs; its caller is live, or null.
        unsafe {
            let func = fp.func();
            if let Some((code, index, guarded)) = identify(func)
                && let Some(block) = code.get(index, guarded)
            {
                let samples = block.hotness.add(time.take(block));
                if let Some(baseline) = code.baseline() {
                    if frame == 0 {
                        baseline.count_event();
                    }
                    if baseline.is_due(samples, block.words.len()) {
                        baseline.compile_and_link(block, (index, guarded));
                    }
                }
                let running = RunningFunc::new(func);
                let executable = running.executable();
                if let Some((return_to, instance, callee)) = awaited
                    && instance == (*func).instance
                    && let Some(word) = block.position(return_to.call_before())
                {
                    executable.record_call(&running, CallSiteId(word), callee);
                }
                let by_interpreter = !is_outermost(fp);
                executable.sampled(&running, samples, by_interpreter);
                awaited = Some((fp.return_to(), (*func).instance, index));
            } else {
                awaited = None;
            }
            fp = fp.caller();
        }
    }
}

/// Continues the function in OSR code, which runs it to its end.
///
/// # Safety
/// As for [`event`]; `osr` is code of the loop at whose header the frame is, `block` is the function's.
unsafe fn enter_osr_code(func: *mut VmFunc, fp: Fp, block: &CodeBlock, osr: &OsrCode) -> Status {
    // SAFETY: all values of the function are in its frame, and the frame ends after `frame_slots`, where `stack_top` is set to.
    unsafe {
        let store = (*(*func).instance).store;
        let (top, caller) = ((*store).stack_top, (*store).caller);
        InterpreterExit { fp, ip: external_instruction() }.note(store);
        (*store).stack_top = fp.as_ptr().add(block.frame_slots as usize);
        let mut status = (osr.enter)(osr, store, func, fp);
        if status == Status::TAIL && !is_outermost(fp) {
            let arg_slots = (*func).arg_slots;
            status = finish_tail_calls(store, fp.args(arg_slots), arg_slots as usize);
        }
        (*store).stack_top = top;
        if status == Status::TAIL {
            return status;
        }
        (*store).caller = caller;
        if status == Status::OK && is_interrupted(store) {
            (*store).trap_code = TrapCode::Interrupted;
            return Status::TRAP;
        }
        status
    }
}

#[cfg(all(test, wasmr_baseline))]
mod tests {
    use crate::ModuleCode;
    use crate::code::CodeOptions;
    use crate::machine_code::{Ahead, BaselineWhen, contains};
    use crate::test_program::module;

    #[test]
    fn in_a_program_that_runs_for_long_a_function_is_compiled_before_its_first_execution() {
        let has_code = |ahead| {
            let baseline = Some(BaselineWhen { after: 1, words_per_sample: 1, events: 0, ahead });
            let text = "(module (func (result i32) (i32.const 1)))";
            let code = ModuleCode::with_options(module(text), CodeOptions { baseline, ..CodeOptions::default() });
            contains(code.get_or_translate(0, true).unwrap().words.handler(0) as usize)
        };
        assert!(has_code(Ahead { events: 0, most_words: 100 }));
        assert!(!has_code(Ahead { events: 1, most_words: 100 }) && !has_code(Ahead::NEVER));
    }

    #[test]
    fn a_function_compiled_before_its_first_execution_is_not_compiled_again() {
        let code = ModuleCode::with_options(
            module("(module (func (result i32) (i32.const 1)))"),
            CodeOptions {
                baseline: Some(BaselineWhen { after: 0, words_per_sample: 1, events: 0, ahead: Ahead::NEVER }),
                ..CodeOptions::default()
            },
        );
        let block = code.get_or_translate(0, true).unwrap();
        assert!(
            contains(block.words.handler(0) as usize),
            "this test needs a system that lets it execute what it wrote"
        );
        assert!(!block.hotness.claim_compiling());
    }
}
