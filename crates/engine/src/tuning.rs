//! [`Tuning`]: policy that changes only speed. No result, error or limit depends on anything in this file.
//!
//! Every constant of policy is here. The other crates receive theirs from here: `CodeOptions` and `BaselineWhen` of the interpreter,
//! `CallPolicy` of the compiler.
//!
//! # When is a function compiled?
//! One in [`sample_every`](Tuning::sample_every) calls and backward jumps is a *sample*, which counts for the function that it
//! finds executing and for two callers. A sample stands for about 20 µs of interpretation; one after a longer time counts several
//! times ([`SAMPLE_WEIGHT`]), and after a much shorter one the next comes later. Compiling a body takes about 1.5 µs a byte.
//!
//! The remaining run time of a program is unknown. The best guess is that a function will be executed for as long again as it was.
//! The best time to compile it is therefore when it has been executed for as long as compiling takes, or for half as long if another
//! processor compiles meanwhile. Half as long is one sample for every [`bytes_per_sample`](Tuning::bytes_per_sample) bytes of the body.
//!
//! This guess holds where control stays in the code: for a function or loop with a large part of all samples. If it has a small part,
//! calls between the tiers take most of the gain, and its samples pay for fewer bytes ([`Gain`]). Otherwise a program of many
//! functions takes up to twice the processor time for no gain.
//!
//! While the compiler threads have nothing to do, another processor is likely to have nothing to do either, and compiling delays
//! nothing that would pay more. In a program that has run for a while, a fraction of the samples then suffices if the gain is
//! full ([`IDLE_FACTOR`]).
//! While anything is compiled or waits, the full number is necessary, and what pays most comes first.
//!
//! On one processor, compiling stops the program, and more is necessary ([`pays_on_one_processor`](Tuning::pays_on_one_processor)).
//!
//! The first bytes to compile cost more than others: a thread starts, and the pages of the compiler are touched for the first time.
//! Nothing is therefore compiled in the first [`tier_up_delay`](Tuning::tier_up_delay).

use std::sync::OnceLock;
use std::time::Duration;

use wasmr_interp::{Ahead, BaselineWhen, SampleWeight};

use crate::modes::Mode;

/// Policy that a user can set. The defaults were measured.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Most threads that validate function bodies; `None` for the number of processors.
    pub validation_threads: Option<usize>,
    /// Bytes of a module from which several threads validate it. Validation runs at about 75 MB/s a core. For a module of this size,
    /// a second thread saves about as much time as its start and the question for the number of processors take.
    pub parallel_validation_from: usize,
    /// True if hot functions get machine code of the baseline compiler, on processors and systems that have one.
    pub baseline: bool,
    /// Samples that must have found a function before it gets baseline code, more if it is large; 0 to compile every function
    /// before its first execution. With the default, a program that runs for long gets baseline code ahead of its samples as well.
    pub baseline_after: u32,
    /// Calls and backward jumps from one sample to the next; up to four times as many in quick loops. A smaller number finds hot
    /// functions sooner and costs more. The default is a prime: if the number of calls in a loop divided it, every sample would find the
    /// same call, and none the loop.
    pub sample_every: u32,
    /// Samples that must have found a function or a loop before it is compiled, however small it is. 0 makes tier-up
    /// [synchronous](Tuning::is_synchronous), which is for tests of the tier transitions.
    pub tier_up_after: u32,
    /// Bytes of function body that each profile sample pays for; fewer in functions that have a small part of all samples.
    pub bytes_per_sample: u32,
    /// Time after the first budget interrupt in which nothing is compiled. A program that ends sooner needs no threads.
    pub tier_up_delay: Duration,
    /// Bytes of a body from which its code has a dual entry, at the function's start and at the loop that samples found most.
    /// Compiling a large body twice would take long. A smaller body gets two pieces of code, each with one entry and the better
    /// for it.
    pub dual_entry_from: usize,
    /// Bytes of the largest body that is compiled. Time and memory for compiling a function grow faster than its size.
    pub max_compiled_size: usize,
    /// True if each allocation in the garbage-collected heap collects first, and freed objects are overwritten. For tests: a
    /// reference that the collector missed is then noticed at once.
    pub gc_stress: bool,
    /// Compiler threads; `None` leaves one processor to the program.
    pub compile_threads: Option<usize>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            validation_threads: None,
            parallel_validation_from: 128 << 10,
            baseline: true,
            baseline_after: BASELINE_AFTER,
            sample_every: 1021,
            tier_up_after: 2,
            bytes_per_sample: 27,
            tier_up_delay: Duration::from_millis(12),
            dual_entry_from: 4 << 10,
            max_compiled_size: 256 << 10,
            gc_stress: false,
            compile_threads: None,
        }
    }
}

/// The gain from compiling a function or loop, as a part of the gain that it would have if control stayed in its code: one in so many.
///
/// Control stays in code that has a large part in the time of the program. Code that is one of many gains less, because its callers
/// and callees are interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain(u32);

impl Gain {
    /// The whole gain.
    pub const FULL: Gain = Gain(1);
    /// The smallest gain.
    pub const LEAST: Gain = Gain(LEAST_GAIN);

    /// Returns the gain from compiling what so many of all samples found.
    pub fn of(samples: u32, all: u32) -> Gain {
        Gain((all / samples.saturating_mul(LARGE_PART).max(1)).clamp(1, LEAST_GAIN))
    }
}

/// The compiler threads at the time of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompileLoad {
    /// No thread has anything to do, and the program has run for a while.
    Idle,
    /// Threads compile on other processors while the program runs.
    Busy,
    /// The program stops while a thread compiles.
    OneProcessor,
}

// The constants that follow cannot be set. Each has one value, which its users receive from here.

/// Frames that a sample counts: the innermost and its callers. The caller of a hot function is hot as well.
pub(crate) const SAMPLED_FRAMES: usize = 3;

/// Factor on the budget before the first budget interrupt of an instance: the code that sets a program up is seldom executed again.
/// It also bounds the budget in quick loops.
const INITIAL_BUDGET_FACTOR: i32 = 4;

/// The weight of samples. In small functions a thousand calls and loops take 20 µs.
const SAMPLE_WEIGHT: SampleWeight = SampleWeight { nanoseconds: 20_000, words: 64 };

/// The default of [`Tuning::baseline_after`].
const BASELINE_AFTER: u32 = 1;

/// Words of a function's code that each sample pays for when the function is to get baseline code. That takes about 0.1 µs a word,
/// and baseline code takes half the time of threaded code or less.
const BASELINE_WORDS_PER_SAMPLE: u32 = 600;

/// Budget interrupts of the module before its first function gets baseline code. A program that ends after some milliseconds does not
/// recover the time that this takes.
const BASELINE_EVENTS: u32 = 20;

/// When functions get baseline code before their first execution: after some 150 ms, and if it takes less than 2 ms. If
/// [`Tuning::baseline_after`] is not the default, they never do. Measured: clang takes 7 % less time, other compilers and interpreters of
/// scripts as long as without. Earlier, programs that only start take longer.
const BASELINE_AHEAD: Ahead = Ahead { events: 8192, most_words: 16 << 10 };

/// The part of all samples from which the gain is full: one in so many. Measured: with 8, gcc's cc1 and Go's compiler take 1.1 times the
/// processor time and the guest's thread as long as with 4.
const LARGE_PART: u32 = 4;

/// The smallest gain: one in so many. In a program that runs for minutes, every function that is executed often is compiled in the end.
const LEAST_GAIN: u32 = 64;

/// Factor on [`Tuning::bytes_per_sample`] while no compiler thread has anything to do, after [`IDLE_AFTER`]. Measured: 27 bytes for each
/// sample are best for programs of 10 to 50 ms, and 108 for a compiler that runs for 2 s.
const IDLE_FACTOR: u32 = 4;

/// Factor on the samples on one processor: the program stops for the whole time of a compilation, not for half of it.
const ONE_PROCESSOR_FACTOR: u32 = 2;

/// Factor on top of [`ONE_PROCESSOR_FACTOR`], but for callees that are compiled before their callers. Baseline code has half of the
/// gain already. docs/rationale.md has the figures.
const ONE_PROCESSOR_RESERVE: u32 = 4;

/// Part of the time so far that all compilations may take on one processor, one in so many: when code with the full gain is next, and
/// when other code is.
const ONE_PROCESSOR_SHARES: (u64, u64) = (16, 32);

/// Time after the first sample before [`IDLE_FACTOR`] applies. The processor time that it costs is small beside that of a program
/// that has run for so long.
#[cfg(feature = "jit")]
pub(crate) const IDLE_AFTER: Duration = Duration::from_millis(50);

/// Bytes of function bodies in the compile queue from which another compiler thread starts. They take some 10 ms, a thread and
/// its first accesses to memory one or two.
#[cfg(feature = "jit")]
pub(crate) const BYTES_FOR_THREAD: usize = 8 << 10;

/// Calls and backward jumps in a call of a function, at most two calls deep, below which the function is light: a call from
/// interpreted into compiled code takes as long as some interpreted calls.
#[cfg(feature = "jit")]
pub(crate) const LIGHT_CALL: u32 = 8;

/// Samples at a function's entry from which it may be light. Fewer say too little.
#[cfg(feature = "jit")]
pub(crate) const LIGHT_CALL_SAMPLES: u32 = 3;

/// Factor on the samples of a function that compiled code calls.
#[cfg(feature = "jit")]
pub(crate) const NATIVE_CALLER_FACTOR: u32 = 4;

/// A callee is hot if one in so many sampled calls of a function is to it.
#[cfg(feature = "jit")]
pub(crate) const HOT_CALLEE: u32 = 8;

/// Bytes of the largest body that is compiled before a small function that calls it. For a larger function that calls it, the limit
/// is twice the function's size.
#[cfg(feature = "jit")]
pub(crate) const CALLEE_SIZE: usize = 1 << 10;

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

    /// Returns the policy for baseline code; `None` for never.
    pub(crate) fn baseline_when(&self) -> Option<BaselineWhen> {
        self.baseline.then_some(BaselineWhen {
            after: self.baseline_after,
            words_per_sample: BASELINE_WORDS_PER_SAMPLE,
            events: BASELINE_EVENTS,
            ahead: if self.baseline_after == BASELINE_AFTER { BASELINE_AHEAD } else { Ahead::NEVER },
        })
    }

    /// Returns the weights of samples.
    pub(crate) fn sample_weight(&self) -> Option<SampleWeight> {
        Some(SAMPLE_WEIGHT)
    }

    /// Returns the policy for calls in compiled code.
    #[cfg(feature = "jit")]
    #[doc(hidden)]
    pub fn calls(&self) -> wasmr_jit::CallPolicy {
        CALLS
    }

    /// Returns the samples that must have found a function or a loop before it is compiled, given the bytes of the body.
    pub fn samples_for(&self, body_bytes: usize, gain: Gain, load: CompileLoad) -> u32 {
        if self.is_synchronous() {
            return 1;
        }
        let idle = if load == CompileLoad::Idle && gain == Gain::FULL { IDLE_FACTOR } else { 1 };
        let bytes = (body_bytes as u64).saturating_mul(u64::from(gain.0));
        let by_size = bytes / u64::from(self.bytes_per_sample.saturating_mul(idle).max(1));
        let factor = if load == CompileLoad::OneProcessor { ONE_PROCESSOR_FACTOR } else { 1 };
        u32::try_from(by_size).unwrap_or(u32::MAX).max(self.tier_up_after).saturating_mul(factor)
    }

    /// Returns true if it is time to compile a function or loop on the only processor, which `samples` of all samples found. The bodies
    /// of what is to be compiled already have `requested_bytes`.
    ///
    /// The gain is full from twice the part that suffices elsewhere. Compiling takes two samples' time for every
    /// [`bytes_per_sample`](Tuning::bytes_per_sample) bytes, and altogether no more than a share of the time of all samples: in a program
    /// of many functions, each of which pays by itself, the sum may not.
    pub fn pays_on_one_processor(&self, samples: u32, all: u32, body_bytes: usize, requested_bytes: u64) -> bool {
        if self.is_synchronous() {
            return true;
        }
        let gain = Gain::of(samples, all.saturating_mul(2));
        let share = if gain == Gain::FULL { ONE_PROCESSOR_SHARES.0 } else { ONE_PROCESSOR_SHARES.1 };
        let bytes = requested_bytes.saturating_add(body_bytes as u64);
        let compile_time = bytes.saturating_mul(2) / u64::from(self.bytes_per_sample.max(1));
        let necessary = self.samples_for(body_bytes, gain, CompileLoad::OneProcessor);
        samples >= necessary.saturating_mul(ONE_PROCESSOR_RESERVE)
            && u64::from(all) >= compile_time.saturating_mul(share)
    }

    /// Returns the time after the first budget interrupt in which nothing is compiled.
    pub fn delay(&self) -> Duration {
        if self.is_synchronous() { Duration::ZERO } else { self.tier_up_delay }
    }

    /// Returns the largest number of compiler threads on a host with so many processors.
    pub fn compile_threads_on(&self, processors: usize) -> usize {
        self.compile_threads.unwrap_or_else(|| processors.saturating_sub(1)).max(1)
    }
}

/// Returns the number of processors that the system lets this process use; 1 if that is unknown. Asking reads three files of the system,
/// which takes about 0.1 ms, so the first answer is kept.
pub(crate) fn processors() -> usize {
    static KNOWN: OnceLock<usize> = OnceLock::new();
    *KNOWN.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
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
    fn a_long_program_gets_baseline_code_ahead_of_samples_unless_their_number_was_set() {
        let ahead = |baseline_after| Tuning { baseline_after, ..Tuning::default() }.baseline_when().unwrap().ahead;
        assert_eq!([BASELINE_AFTER, 2, u32::MAX].map(ahead), [BASELINE_AHEAD, Ahead::NEVER, Ahead::NEVER]);
    }

    #[test]
    fn large_functions_must_be_hotter() {
        use CompileLoad::{Busy, Idle, OneProcessor};
        let tuning = Tuning { tier_up_after: 2, bytes_per_sample: 36, ..Tuning::default() };
        let samples = |bytes: [usize; 3], gain, load| bytes.map(|bytes| tuning.samples_for(bytes, gain, load));
        assert_eq!(samples([5, 72, 3600], Gain::FULL, Busy), [2, 2, 100]);
        assert_eq!(samples([5, 288, 3600], Gain::FULL, Idle), [2, 2, 25]);
        assert_eq!(samples([5, 72, 3600], Gain::FULL, OneProcessor), [4, 4, 200]);
        assert_eq!([Idle, Busy, OneProcessor].map(|load| samples([5, 24, 3600], Gain(3), load)[2]), [300, 300, 600]);
        assert_eq!(tuning.samples_for(usize::MAX, Gain::LEAST, OneProcessor), u32::MAX);
    }

    #[test]
    fn one_processor_compiles_what_takes_a_small_part_of_the_time() {
        let tuning = Tuning { tier_up_after: 2, bytes_per_sample: 27, ..Tuning::default() };
        // Compiling takes as long as 20 samples, which is a sixteenth of 320.
        let pays = |samples, all, requested| tuning.pays_on_one_processor(samples, all, 270, requested);
        assert_eq!([319, 320].map(|all| pays(90, all, 0)), [false, true]);
        // With a quarter of the gain, four times 80 samples are necessary.
        assert_eq!([319, 320].map(|samples| pays(samples, 2560, 0)), [false, true]);
        // A program of many functions: each one has enough samples, all of them together take too long.
        assert_eq!([2000, 5000].map(|requested| pays(800, 3000, requested)), [true, false]);
        assert_eq!([100, 700].map(|requested| pays(400, 2000, requested)), [true, false]);
        let synchronous = Tuning { tier_up_after: 0, ..tuning };
        assert!(synchronous.pays_on_one_processor(1, 1000, 1 << 20, 1 << 30));
    }

    #[test]
    fn the_gain_is_as_large_as_the_part_in_all_samples() {
        assert_eq!([0, 3, 4, 7, 8, 40, 1000].map(|all| Gain::of(1, all).0), [1, 1, 1, 1, 2, 10, 64]);
        assert_eq!((Gain::of(0, 0), Gain::of(u32::MAX / 2, u32::MAX)), (Gain::FULL, Gain::FULL));
    }

    #[test]
    fn synchronous_tier_up_needs_one_sample_and_no_delay() {
        let tuning = Tuning { tier_up_after: 0, ..Tuning::default() };
        assert_eq!(
            (tuning.samples_for(1 << 20, Gain::LEAST, CompileLoad::OneProcessor), tuning.delay()),
            (1, Duration::ZERO)
        );
        assert_eq!(tuning.budget_in(Mode::Interp), Tuning::default().budget_in(Mode::Interp));
        assert!(Mode::ALL.iter().all(|&mode| mode == Mode::Interp || tuning.budget_in(mode) == 0));
    }

    #[test]
    fn there_is_a_thread_to_compile_on() {
        let tuning = Tuning::default();
        assert_eq!([1, 2, 4, 64].map(|processors| tuning.compile_threads_on(processors)), [1, 1, 3, 63]);
        assert_eq!(Tuning { compile_threads: Some(0), ..tuning }.compile_threads_on(8), 1);
    }
}
