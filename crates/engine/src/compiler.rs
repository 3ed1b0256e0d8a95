//! [`Compiler`]: the part of compilation that the modules of an engine share: threads, clock, counts, and outages.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::compile_queue::Waiting;
use crate::config::Config;
use crate::pause::Pause;
use crate::report::{Observer, TierEvent, TierReport};
use crate::tuning::{CompileLoad, GIANT, Gain, IDLE_AFTER, Tuning, processors};
use crate::workers::{Task, Workers};

/// Questions for the time since the first sample of which one asks the clock.
const QUESTIONS_FOR_CLOCK: u32 = 4;

/// The shared state. `T` is the type of the modules' compilations.
pub(crate) struct Compiler<T: Task> {
    tuning: Tuning,
    /// True if compiled code mitigates Spectre v1 at bounds checks.
    spectre_guards: bool,
    observer: Option<Observer>,
    /// Number of processors, read from the system at the first use.
    processors: OnceLock<usize>,
    workers: OnceLock<Workers<T>>,
    /// Time of the first sample that would have led to a compilation.
    began: OnceLock<Instant>,
    /// True if the delay after `began` is over.
    delay_is_over: AtomicBool,
    /// True if [`IDLE_AFTER`] is over.
    may_be_idle: AtomicBool,
    /// Number of questions for the time since `began`.
    questions: AtomicU32,
    /// Bytes of the bodies of all functions and loops that were to be compiled so far.
    requested: AtomicU64,
    outage: Mutex<Outage>,
    /// True if `outage` has a reason.
    is_out: AtomicBool,
    counts: Counts,
}

/// An outage: a time in which nothing is compiled.
#[derive(Debug, Default)]
struct Outage {
    /// The reason; `None` if there is no outage.
    why: Option<String>,
    /// Time until the next try; `None` for a permanent outage.
    pause: Option<Pause>,
    /// The last reason reported to the observer.
    told: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    functions: AtomicU64,
    loops: AtomicU64,
    loaded: AtomicU64,
    loaded_bytes: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Kinds of results to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiled {
    Function,
    /// OSR code.
    Loop,
    Refused,
}

impl<T: Task> Compiler<T> {
    /// Creates a compiler without threads.
    pub(crate) fn new(config: &Config) -> Compiler<T> {
        Compiler {
            tuning: config.tuning.clone(),
            spectre_guards: config.spectre_guards,
            observer: config.observer.clone(),
            processors: OnceLock::new(),
            workers: OnceLock::new(),
            began: OnceLock::new(),
            delay_is_over: AtomicBool::new(false),
            may_be_idle: AtomicBool::new(false),
            questions: AtomicU32::new(0),
            requested: AtomicU64::new(0),
            outage: Mutex::default(),
            is_out: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Returns true if compiled code mitigates Spectre v1 at bounds checks.
    pub(crate) fn spectre_guards(&self) -> bool {
        self.spectre_guards
    }

    fn processors(&self) -> usize {
        *self.processors.get_or_init(processors)
    }

    /// Returns true if it is time to compile a function or loop that `samples` of all samples found. `body_bytes` is the size of
    /// the function's body.
    pub(crate) fn pays(&self, samples: u32, all: u32, body_bytes: usize) -> bool {
        let gain = Gain::of(samples, all);
        let is_enough = |load| samples >= self.tuning.samples_for(body_bytes, gain, load);
        // The questions that take least time come first.
        is_enough(CompileLoad::Idle)
            && self.is_delay_over()
            && if self.processors() == 1 {
                self.tuning.pays_on_one_processor(samples, all, body_bytes, self.requested.load(Ordering::Relaxed))
            } else {
                // A giant would keep the thread from all that comes to be hot meanwhile.
                is_enough(CompileLoad::Busy) || body_bytes < GIANT && self.is_idle()
            }
    }

    /// Returns true if no compiler thread has anything to do, and the program has run for a while.
    fn is_idle(&self) -> bool {
        self.workers.get().is_none_or(Workers::are_idle) && self.has_run_for(IDLE_AFTER, &self.may_be_idle)
    }

    /// Returns true if so much time has passed since the first sample that something may be compiled.
    fn is_delay_over(&self) -> bool {
        self.has_run_for(self.tuning.delay(), &self.delay_is_over)
    }

    /// Returns true if so much time has passed since the first sample. `known` is true if an earlier answer was.
    fn has_run_for(&self, time: Duration, known: &AtomicBool) -> bool {
        // A flag takes less time than the clock, and so does a counter: the answer may be some samples late.
        known.load(Ordering::Relaxed)
            || (time.is_zero() || self.questions.fetch_add(1, Ordering::Relaxed).is_multiple_of(QUESTIONS_FOR_CLOCK))
                && {
                    let is_over = self.began.get_or_init(Instant::now).elapsed() >= time;
                    known.store(is_over, Ordering::Relaxed);
                    is_over
                }
    }

    /// Returns true if a function of this size pays for its compilation that so many of all samples found, now or in earlier runs.
    pub(crate) fn would_pay(&self, samples: u32, all: u32, body_bytes: usize) -> bool {
        let load = if self.processors() == 1 { CompileLoad::OneProcessor } else { CompileLoad::Busy };
        samples >= self.tuning.samples_for(body_bytes, Gain::of(samples, all), load)
    }

    /// Notes that a function or loop whose body has so many bytes will be submitted.
    pub(crate) fn note_request(&self, body_bytes: usize) {
        self.requested.fetch_add(body_bytes as u64, Ordering::Relaxed);
    }

    /// Submits a compilation. If there is no thread for it, an outage begins.
    pub(crate) fn submit(&self, waiting: Waiting<T>) {
        let workers = self.workers.get_or_init(|| Workers::new(self.tuning.compile_threads_on(self.processors())));
        if let Err(error) = workers.submit(waiting) {
            self.pause(format!("cannot start a compiler thread: {error}"));
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an outage that ends after a pause. Each pause is longer than the one before, until something was compiled.
    pub(crate) fn pause(&self, why: String) {
        let mut outage = self.outage();
        outage.pause = Some(Pause::after(outage.pause));
        self.go_out(outage, why);
    }

    /// Begins a permanent outage: this host can never compile.
    pub(crate) fn give_up(&self, why: String) {
        let mut outage = self.outage();
        outage.pause = None;
        self.go_out(outage, why);
    }

    fn go_out(&self, mut outage: MutexGuard<'_, Outage>, why: String) {
        let is_news = outage.told.as_ref() != Some(&why);
        outage.told = Some(why.clone());
        outage.why = Some(why.clone());
        self.is_out.store(true, Ordering::Release);
        drop(outage);
        if is_news {
            self.tell(|| TierEvent::Unavailable { why: &why });
        }
    }

    /// Ends an outage, because something was compiled.
    fn recover(&self) {
        if self.is_out.load(Ordering::Acquire) {
            let mut outage = self.outage();
            (outage.why, outage.pause) = (None, None);
            self.is_out.store(false, Ordering::Release);
        }
    }

    /// Tells the observer of an event, if there is an observer.
    pub(crate) fn tell<'a>(&self, event: impl FnOnce() -> TierEvent<'a>) {
        if let Some(Observer(observer)) = &self.observer {
            observer(&event());
        }
    }

    /// Returns true during an outage.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_out.load(Ordering::Acquire) && {
            let outage = self.outage();
            outage.why.is_some() && outage.pause.is_none_or(|pause| !pause.is_over())
        }
    }

    /// Counts a result.
    pub(crate) fn count(&self, what: Compiled, bytes: usize, time: Duration) {
        let counter = match what {
            Compiled::Function => &self.counts.functions,
            Compiled::Loop => &self.counts.loops,
            Compiled::Refused => &self.counts.refused,
        };
        let add = |counter: &AtomicU64, by: u64| {
            counter.fetch_add(by, Ordering::Relaxed);
        };
        if what != Compiled::Refused {
            self.recover();
        }
        add(counter, 1);
        add(&self.counts.bytes, bytes as u64);
        add(&self.counts.nanoseconds, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts code that was loaded.
    pub(crate) fn count_loaded(&self, entries: usize, bytes: usize) {
        self.counts.loaded.fetch_add(entries as u64, Ordering::Relaxed);
        self.counts.loaded_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns the counts so far.
    pub(crate) fn report(&self) -> TierReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierReport {
            unavailable: self.outage().why.clone(),
            loaded: get(&self.counts.loaded),
            loaded_bytes: get(&self.counts.loaded_bytes),
            functions: get(&self.counts.functions),
            loops: get(&self.counts.loops),
            refused: get(&self.counts.refused),
            code_bytes: get(&self.counts.bytes),
            compile_time: Duration::from_nanos(get(&self.counts.nanoseconds)),
            threads: self.workers.get().map_or(0, Workers::threads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module_tiers::CompileTask;

    #[test]
    fn one_question_in_four_asks_the_clock() {
        let compiler: Compiler<CompileTask> = Compiler::new(&Config::default());
        let known = AtomicBool::new(false);
        let ask = |time| compiler.has_run_for(time, &known);
        assert!(!ask(Duration::MAX), "the time begins with the first question");
        std::thread::sleep(Duration::from_millis(2));
        let time = Duration::from_millis(1);
        assert_eq!([(); QUESTIONS_FOR_CLOCK as usize].map(|()| ask(time)), [false, false, false, true]);
        assert!(ask(time), "it is known now");
        assert!(compiler.has_run_for(Duration::ZERO, &AtomicBool::new(false)));
    }

    #[test]
    fn earlier_requests_count_on_one_processor() {
        let compiler: Compiler<CompileTask> = Compiler::new(&Config::default());
        compiler.processors.set(1).unwrap();
        compiler.delay_is_over.store(true, Ordering::Relaxed);
        let bytes = compiler.tuning().bytes_per_sample as usize * 10;
        assert!(compiler.pays(1000, 1000, bytes));
        compiler.note_request(100 * bytes);
        assert!(!compiler.pays(1000, 1000, bytes) && compiler.pays(1000, 200_000, 1));
    }

    #[test]
    fn samples_of_earlier_runs_and_of_callees_pay_by_their_part_in_all() {
        let compiler: Compiler<CompileTask> = Compiler::new(&Config::default());
        let bytes = compiler.tuning().bytes_per_sample as usize * 10;
        assert_eq!([20, 80, 800, 8000].map(|all| compiler.would_pay(20, all, bytes)), [true, true, false, false]);
        assert!(compiler.would_pay(2000, 8000, bytes) && !compiler.would_pay(2, 2, bytes));
    }
}
