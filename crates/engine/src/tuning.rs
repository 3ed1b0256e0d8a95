//! [`Tuning`]: policy that changes only speed. No result, error or limit depends on anything in this file.
//!
//! Every constant of policy is here. The other crates receive theirs from here: `CodeOptions` and `CopyWhen` of the interpreter,
//! `CallPolicy` of the compiler.
//!
//! # When is a function compiled?
//! One in [`sample_every`](Tuning::sample_every) calls and backward jumps is a *sample*, which counts for the function that it
//! finds executing and for two callers. A sample stands for about 20 µs of interpretation. Compiling a body takes about 1.5 µs
//! a byte. The remaining run time of a program is unknown. The best time to compile a function is therefore when it has been
//! executed for as long as compiling takes; for half as long if another processor compiles meanwhile. That is one sample for
//! every [`bytes_per_sample`](Tuning::bytes_per_sample) bytes of the body.

use std::time::Duration;

use wasmr_interp::CopyWhen;

use crate::modes::Mode;

/// Policy that a user can set. The defaults were measured.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Most threads that validate function bodies; `None` for the number of processors.
    pub validation_threads: Option<usize>,
    /// Bytes of a module from which several threads validate it. Validation runs at about 75 MB/s a core. For a module of this size,
    /// a second thread saves about as much time as its start and the question for the number of processors take.
    pub parallel_validation_from: usize,
    /// True if hot functions get copy-and-patch code.
    pub copy_and_patch: bool,
    /// Samples that must have found a function before it is copied; 0 to copy every function before its first execution.
    pub copy_and_patch_after: u32,
    /// True if the baseline compiler makes that code in place of copies.
    pub baseline: bool,
    /// Calls and backward jumps from one sample to the next. A smaller number finds hot functions sooner and costs more. The default
    /// is a prime: if the number of calls in a loop divided it, every sample would find the same call, and none the loop.
    pub sample_every: u32,
    /// Samples that must have found a function or a loop before it is compiled, however small it is. 0 makes tier-up
    /// [synchronous](Tuning::is_synchronous), which is for tests of the tier transitions.
    pub tier_up_after: u32,
    /// Bytes of function body that each profile sample pays for.
    pub bytes_per_sample: u32,
    /// Time after the first budget interrupt in which nothing is compiled. A program that ends sooner needs no threads.
    pub tier_up_delay: Duration,
    /// Budget interrupts at a hot inner loop before it is compiled although the loop around it has code, to which control may
    /// still come. Code entered at an inner loop is worse: in the next round of the outer loop it continues with values of
    /// which Cranelift knows nothing.
    pub loop_patience: u32,
    /// Bytes of a body from which its code has a dual entry, at the function's start and at the loop that samples found most.
    /// Compiling a large body twice would take long. A smaller body gets two pieces of code, each with one entry and the better
    /// for it.
    pub dual_entry_from: usize,
    /// Bytes of the largest body that is compiled. Time and memory for compiling a function grow faster than its size.
    pub max_compiled_size: usize,
    /// True if each allocation in the garbage-collected heap collects first, and freed objects are overwritten. For tests: a
    /// reference that the collector missed is then noticed at once.
    pub gc_stress: bool,
    /// Compiler threads; `None` leaves one processor to the program and uses at most four.
    pub compile_threads: Option<usize>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            validation_threads: None,
            parallel_validation_from: 128 << 10,
            copy_and_patch: true,
            copy_and_patch_after: 4,
            baseline: false,
            sample_every: 1021,
            tier_up_after: 2,
            bytes_per_sample: 27,
            tier_up_delay: Duration::from_millis(4),
            loop_patience: 1 << 12,
            dual_entry_from: 4 << 10,
            max_compiled_size: 256 << 10,
            gc_stress: false,
            compile_threads: None,
        }
    }
}

// The constants that follow cannot be set. Each has one value, which its users receive from here.

/// Frames that a sample counts: the innermost and its callers. The caller of a hot function is hot as well.
pub(crate) const SAMPLED_FRAMES: usize = 3;

/// Factor on the budget before the first budget interrupt of an instance: the code that sets a program up is seldom executed again.
const INITIAL_BUDGET_FACTOR: i32 = 4;

/// Budget interrupts of the module before its first function is copied, for each sample that the function needs beyond the
/// first. The first copies cost most, because each handler is disassembled at its first use. A program that ends after some
/// milliseconds does not recover that time.
const EVENTS_PER_SAMPLE: u32 = 20;

/// Bytes of the largest [small leaf](crate::small_leaf). Measured: 40 gains half as much as 80, and 160 no more.
#[cfg(feature = "jit")]
pub(crate) const SMALL_LEAF: usize = 128;

/// Bytes from which a body is a giant: compiling it takes so long that one more thread compiles other bodies meanwhile.
#[cfg(feature = "jit")]
pub(crate) const GIANT: usize = 32 << 10;

/// Factor on the hotness of a loop in the compile queue.
#[cfg(feature = "jit")]
pub(crate) const LOOP_WEIGHT: u64 = 8;

/// Smallest size that the compile queue assumes for a body, because every compilation has a fixed cost.
#[cfg(feature = "jit")]
pub(crate) const LEAST_SIZE: u64 = 64;

/// Length of an outer-loop watch: the number of calls and backward jumps that are each a budget interrupt.
#[cfg(feature = "jit")]
pub(crate) const OUTER_LOOP_WATCH: u32 = 64;

/// [`Tuning::loop_patience`] in synchronous tier-up.
const SYNCHRONOUS_PATIENCE: u32 = 3;

/// Pairs of a call site and a callee that the profile of one function distinguishes.
#[cfg(feature = "jit")]
pub(crate) const CALL_SAMPLES: usize = 64;

/// First and longest pause after the host refused memory, a thread or code memory. Each pause is twice as long as the one before.
#[cfg(feature = "jit")]
pub(crate) const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Policy for calls in compiled code. Calls to four methods of four kinds of objects in random order take 0.33 s with four
/// `compared_targets`, 0.38 s with two, 0.85 s with none.
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
    /// Returns the number of threads that validate a module of this size.
    pub fn threads_for(&self, module_bytes: usize) -> usize {
        if module_bytes < self.parallel_validation_from {
            return 1;
        }
        self.validation_threads.unwrap_or_else(processors)
    }

    /// Returns true if tier-up is synchronous: every function and loop is compiled when control first reaches it, while the guest
    /// waits.
    pub fn is_synchronous(&self) -> bool {
        self.tier_up_after == 0
    }

    /// Returns the number of calls and backward jumps before a budget interrupt. The interrupt comes at the next call or jump
    /// after them.
    pub fn budget_in(&self, mode: Mode) -> i32 {
        let synchronous = self.is_synchronous() && mode != Mode::Interp;
        if synchronous { 0 } else { i32::try_from(self.sample_every.saturating_sub(1)).unwrap_or(i32::MAX) }
    }

    /// Returns the calls and backward jumps before the first budget interrupt of an instance.
    pub(crate) fn initial_budget_in(&self, mode: Mode) -> i32 {
        self.budget_in(mode).saturating_mul(INITIAL_BUDGET_FACTOR)
    }

    /// Returns the policy for copying functions; `None` for never.
    pub(crate) fn copying(&self) -> Option<CopyWhen> {
        self.copy_and_patch
            .then_some(CopyWhen { after: self.copy_and_patch_after, events_per_sample: EVENTS_PER_SAMPLE })
    }

    /// Returns the policy for calls in compiled code.
    #[cfg(feature = "jit")]
    #[doc(hidden)]
    pub fn calls(&self) -> wasmr_jit::CallPolicy {
        CALLS
    }

    /// Returns the samples that must have found a function or a loop before it is compiled, given the bytes of the body. With only
    /// one processor they are twice as many, because the guest stops while the compiler runs.
    pub fn samples_for(&self, body_bytes: usize, one_processor: bool) -> u32 {
        if self.is_synchronous() {
            return 1;
        }
        let by_size = body_bytes / self.bytes_per_sample.max(1) as usize;
        let samples = u32::try_from(by_size).unwrap_or(u32::MAX).max(self.tier_up_after);
        if one_processor { samples.saturating_mul(2) } else { samples }
    }

    /// Returns the time after the first budget interrupt in which nothing is compiled.
    pub fn delay(&self) -> Duration {
        if self.is_synchronous() { Duration::ZERO } else { self.tier_up_delay }
    }

    /// Returns the budget interrupts at a hot inner loop before it is compiled although the loop around it has code.
    pub fn patience(&self) -> u32 {
        if self.is_synchronous() { SYNCHRONOUS_PATIENCE } else { self.loop_patience }
    }

    /// Returns the number of compiler threads on a host with so many processors.
    pub fn compile_threads_on(&self, processors: usize) -> usize {
        self.compile_threads.unwrap_or_else(|| processors.saturating_sub(1).min(4)).max(1)
    }
}

/// Returns the number of processors that the system lets this process use; 1 if that is unknown.
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
    fn synchronous_tier_up_needs_one_sample_and_no_delay() {
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
