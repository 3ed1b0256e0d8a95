//! Knobs that change only speed: no result, error or limit depends on anything in this file.
//!
//! # When is a function compiled?
//! A *sample* is one in [`sample_every`](Tuning::sample_every) calls and loops; it counts for the function that it finds
//! executing and for two callers. A sample stands for about 20 µs of interpretation, and to compile takes about 1.5 µs a byte of
//! the body. Not knowing how much longer a program runs, it is best to compile what has already been executed for as long as
//! compiling takes; at half of that if another processor does it meanwhile: one sample for every
//! [`bytes_per_sample`](Tuning::bytes_per_sample) bytes.

use std::time::Duration;

use wasmr_interp::CopyWhen;

use crate::modes::Mode;

/// The knobs, with defaults that were measured.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// On how many threads at most to validate function bodies; `None` asks the system for its processors.
    pub validation_threads: Option<usize>,
    /// Modules below this many bytes are validated on the calling thread. Validation runs at about 75 MB/s a core, so here a
    /// second thread would save about as much as it and the question how many there are cost.
    pub parallel_validation_from: usize,
    /// Whether functions that are interpreted often get machine code of their own, put together from the interpreter's.
    pub copy_and_patch: bool,
    /// How many samples must have found a function before that; 0 is before its first execution.
    pub copy_and_patch_after: u32,
    /// How many calls and loops make a sample. Fewer find what is hot sooner and cost more. A prime: in a loop with so many calls
    /// that their number divides it, samples would always find the same one, and never the loop.
    pub sample_every: u32,
    /// How many samples at least must have found a function or a loop before it is compiled, however small it is. With 0 every
    /// call and loop is a sample, one of them is enough, and the program waits for the code: for tests of the ways between tiers.
    pub tier_up_after: u32,
    /// How many bytes of its body a sample pays for.
    pub bytes_per_sample: u32,
    /// How long after the first budget interrupt nothing is compiled: programs that end before need no threads.
    pub tier_up_delay: Duration,
    /// How many calls and loops are watched, one by one, for control to come to the loop around a hot one before the inner one is
    /// compiled by itself. Code that is entered at an inner loop is worse: what the outer loop repeats, it repeats with the inner.
    pub loop_patience: u32,
    /// Bodies of so many bytes get one code for their start and the loop that control is in most; smaller ones two, each as good as
    /// can be. To compile a large body twice would take long.
    pub dual_entry_from: usize,
    /// Bodies of more bytes are never compiled: time and memory for one function grow faster than its size.
    pub max_compiled_size: usize,
    /// On how many threads to compile; `None` leaves one processor to the program, and uses four at most.
    pub compile_threads: Option<usize>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            validation_threads: None,
            parallel_validation_from: 128 << 10,
            copy_and_patch: true,
            copy_and_patch_after: 4,
            sample_every: 1021,
            tier_up_after: 2,
            bytes_per_sample: 27,
            tier_up_delay: Duration::from_millis(4),
            loop_patience: 1 << 12,
            dual_entry_from: 4 << 10,
            max_compiled_size: 256 << 10,
            compile_threads: None,
        }
    }
}

// Constants that no key sets: each has one value, which its users are given from here.

/// Frames that a sample counts for: the one executing, and its callers. The caller of something hot is hot as well.
pub(crate) const SAMPLED_FRAMES: usize = 3;

/// Factor on the budget before the first budget interrupt of an instance: the code that sets a program up is seldom executed again.
const INITIAL_BUDGET_FACTOR: i32 = 4;

/// Budget interrupts of all functions before the first function is copied, for each but one of those that must have found it. The first functions are the dearest, as all their handlers are looked at for the first time: programs that end after some
/// milliseconds do not get that back.
const EVENTS_PER_SAMPLE: u32 = 20;

/// Bytes of a body at most that stays interpreted for interpreted callers if it calls and repeats nothing
/// ([`SmallLeaves`](crate::small_leaf::SmallLeaves)). Measured: 40 gains half as much as 80, and 160 no more.
#[cfg(feature = "jit")]
pub(crate) const SMALL_LEAF: usize = 128;

/// Bytes of a body from which compiling takes so long that others are compiled at the same time.
#[cfg(feature = "jit")]
pub(crate) const GIANT: usize = 32 << 10;

/// Factor on the heat of a loop among what waits to be compiled.
#[cfg(feature = "jit")]
pub(crate) const LOOP_WEIGHT: u64 = 8;

/// Bytes that a body counts at least: every compilation costs something.
#[cfg(feature = "jit")]
pub(crate) const LEAST_SIZE: u64 = 64;

/// Calls and loops that are looked at one by one after a budget interrupt, in the hope that control comes to an outer loop.
#[cfg(feature = "jit")]
pub(crate) const OUTER_LOOP_WATCH: u32 = 64;

/// Loops watched before an inner one is compiled, when everything is compiled at once.
const IMPATIENT: u32 = 3;

/// Places of calls and functions called that the profile of one function tells apart.
#[cfg(feature = "jit")]
pub(crate) const CALL_SAMPLES: usize = 64;

/// Policy for calls in machine code. Four methods of four kinds of objects in no order take 0.33 s with four
/// `compared_targets`, 0.38 with two, 0.85 with none.
#[cfg(feature = "jit")]
const CALLS: wasmr_jit::CallPolicy = wasmr_jit::CallPolicy {
    inline: 40,
    inline_hot: 100,
    inline_recursive: 120,
    inline_depth: 4,
    recursive_depth: 2,
    inlined_bytes: 1200,
    profiled_targets: 8,
    compared_targets: 4,
};

impl Tuning {
    /// On how many threads to validate a module of that size.
    pub fn threads_for(&self, module_bytes: usize) -> usize {
        if module_bytes < self.parallel_validation_from {
            return 1;
        }
        self.validation_threads.unwrap_or_else(processors)
    }

    /// Whether every function and loop is compiled as soon as it is executed.
    pub fn is_synchronous(&self) -> bool {
        self.tier_up_after == 0
    }

    /// Calls and loops from one budget interrupt to the next.
    pub fn budget_in(&self, mode: Mode) -> i32 {
        let at_once = self.is_synchronous() && mode != Mode::Interp;
        // The event comes with the one after these.
        if at_once { 0 } else { i32::try_from(self.sample_every.saturating_sub(1)).unwrap_or(i32::MAX) }
    }

    /// Calls and loops before the first budget interrupt of an instance.
    pub(crate) fn initial_budget_in(&self, mode: Mode) -> i32 {
        self.budget_in(mode).saturating_mul(INITIAL_BUDGET_FACTOR)
    }

    /// When functions are copied; `None` for never.
    pub(crate) fn copying(&self) -> Option<CopyWhen> {
        self.copy_and_patch
            .then_some(CopyWhen { after: self.copy_and_patch_after, events_per_sample: EVENTS_PER_SAMPLE })
    }

    /// What becomes of calls in machine code.
    #[cfg(feature = "jit")]
    #[doc(hidden)]
    pub fn calls(&self) -> wasmr_jit::CallPolicy {
        CALLS
    }

    /// How many samples must have found a function, or a loop of it, whose body has so many bytes; with only one processor,
    /// twice as many, as nothing else is executed while it compiles.
    pub fn samples_for(&self, body_bytes: usize, one_processor: bool) -> u32 {
        if self.is_synchronous() {
            return 1;
        }
        let by_size = body_bytes / self.bytes_per_sample.max(1) as usize;
        let samples = u32::try_from(by_size).unwrap_or(u32::MAX).max(self.tier_up_after);
        if one_processor { samples.saturating_mul(2) } else { samples }
    }

    /// How long after the first budget interrupt nothing is compiled.
    pub fn delay(&self) -> Duration {
        if self.is_synchronous() { Duration::ZERO } else { self.tier_up_delay }
    }

    /// How many loops are watched before an inner one is compiled.
    pub fn patience(&self) -> u32 {
        if self.is_synchronous() { IMPATIENT } else { self.loop_patience }
    }

    /// On how many threads to compile, where there are so many processors.
    pub fn compile_threads_on(&self, processors: usize) -> usize {
        self.compile_threads.unwrap_or_else(|| processors.saturating_sub(1).min(4)).max(1)
    }
}

/// How many processors the system lets this process use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_modules_stay_on_one_thread() {
        let tuning = Tuning { validation_threads: Some(8), ..Tuning::default() };
        assert_eq!((tuning.threads_for(1000), tuning.threads_for(100 << 20)), (1, 8));
        assert!(Tuning::default().threads_for(100 << 20) >= 1);
    }

    #[test]
    fn large_functions_must_be_hotter() {
        let tuning = Tuning { tier_up_after: 2, bytes_per_sample: 10, ..Tuning::default() };
        assert_eq!([5, 20, 1000].map(|bytes| tuning.samples_for(bytes, false)), [2, 2, 100]);
        assert_eq!(tuning.samples_for(1000, true), 200);
        assert_eq!(tuning.samples_for(usize::MAX, true), u32::MAX);
    }

    #[test]
    fn at_once_means_everything_and_now() {
        let tuning = Tuning { tier_up_after: 0, ..Tuning::default() };
        assert_eq!((tuning.samples_for(1 << 20, true), tuning.delay()), (1, Duration::ZERO));
        assert_eq!(tuning.budget_in(Mode::Interp), Tuning::default().budget_in(Mode::Interp));
        assert!(Mode::ALL.iter().all(|&mode| mode == Mode::Interp || tuning.budget_in(mode) == 0));
    }

    #[test]
    fn there_is_a_thread_to_compile_on() {
        let tuning = Tuning::default();
        assert_eq!([1, 2, 4, 64].map(|processors| tuning.compile_threads_on(processors)), [1, 1, 3, 4]);
        assert_eq!(Tuning { compile_threads: Some(0), ..tuning }.compile_threads_on(8), 1);
    }
}
