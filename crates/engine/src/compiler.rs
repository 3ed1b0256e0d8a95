//! [`Compiler`]: what the modules of an engine share to get machine code: the threads, the clock, the counts, and whether there
//! is a compiler at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::compile_queue::Waiting;
use crate::config::Config;
use crate::pause::Pause;
use crate::report::{Observer, TierEvent, TierReport};
use crate::tuning::{Tuning, processors};
use crate::workers::{Task, Workers};

/// State that the modules of an engine share. Their compilations are tasks of the type `T`.
pub(crate) struct Compiler<T: Task> {
    tuning: Tuning,
    /// Whether code is also safe from speculation past its checks.
    spectre_guards: bool,
    observer: Option<Observer>,
    /// Asked of the system when it first matters.
    processors: OnceLock<usize>,
    workers: OnceLock<Workers<T>>,
    /// When the first budget interrupt was.
    began: OnceLock<Instant>,
    outage: Mutex<Outage>,
    /// True while there is a reason in `outage`.
    is_out: AtomicBool,
    counts: Counts,
}

/// Why nothing is compiled at the moment.
#[derive(Debug, Default)]
struct Outage {
    /// The reason; none if something can be compiled, as far as anybody knows.
    why: Option<String>,
    /// When to try again; never if there is none.
    pause: Option<Pause>,
    /// The reason that was told last.
    told: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    functions: AtomicU64,
    loops: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiled {
    Function,
    /// A function from a loop on.
    Loop,
    Refused,
}

impl<T: Task> Compiler<T> {
    /// A compiler that has not begun.
    pub(crate) fn new(config: &Config) -> Compiler<T> {
        Compiler {
            tuning: config.tuning.clone(),
            spectre_guards: config.spectre_guards,
            observer: config.observer.clone(),
            processors: OnceLock::new(),
            workers: OnceLock::new(),
            began: OnceLock::new(),
            outage: Mutex::default(),
            is_out: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Whether code is also safe from speculation past its checks.
    pub(crate) fn spectre_guards(&self) -> bool {
        self.spectre_guards
    }

    fn processors(&self) -> usize {
        *self.processors.get_or_init(processors)
    }

    /// Whether it is time to compile a function, or a loop of it, whose body has so many bytes and which so many samples found.
    pub(crate) fn pays(&self, samples: u32, body_bytes: usize) -> bool {
        samples >= self.tuning.samples_for(body_bytes, false)
            && self.began.get_or_init(Instant::now).elapsed() >= self.tuning.delay()
            && (self.processors() > 1 || samples >= self.tuning.samples_for(body_bytes, true))
    }

    /// Has something compiled. If there is no thread for that, nothing is for a while.
    pub(crate) fn submit(&self, waiting: Waiting<T>) {
        let workers = self.workers.get_or_init(|| Workers::new(self.tuning.compile_threads_on(self.processors())));
        if let Err(error) = workers.submit(waiting) {
            self.pause(format!("there is no thread to compile on: {error}"));
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why nothing is compiled for a while, which is longer each time until something was.
    pub(crate) fn pause(&self, why: String) {
        let mut outage = self.outage();
        outage.pause = Some(Pause::after(outage.pause));
        self.go_out(outage, why);
    }

    /// Says why nothing will ever be compiled on this host.
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

    /// Something was compiled: whatever stood in the way is gone.
    fn recover(&self) {
        if self.is_out.load(Ordering::Acquire) {
            let mut outage = self.outage();
            (outage.why, outage.pause) = (None, None);
            self.is_out.store(false, Ordering::Release);
        }
    }

    /// Tells whoever wants to know.
    pub(crate) fn tell<'a>(&self, event: impl FnOnce() -> TierEvent<'a>) {
        if let Some(Observer(observer)) = &self.observer {
            observer(&event());
        }
    }

    /// Returns true if nothing is to be compiled now.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_out.load(Ordering::Acquire) && {
            let outage = self.outage();
            outage.why.is_some() && outage.pause.is_none_or(|pause| !pause.is_over())
        }
    }

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

    pub(crate) fn report(&self) -> TierReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierReport {
            unavailable: self.outage().why.clone(),
            functions: get(&self.counts.functions),
            loops: get(&self.counts.loops),
            refused: get(&self.counts.refused),
            code_bytes: get(&self.counts.bytes),
            compile_time: Duration::from_nanos(get(&self.counts.nanoseconds)),
            threads: self.workers.get().map_or(0, Workers::threads),
        }
    }
}
