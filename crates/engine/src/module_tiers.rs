//! [`ModuleTiers`]: the life of one module's functions. It owns the interpreter's and the compiler's code, receives a report of
//! every first call, budget interrupt and sample, and decides what is compiled and when.
//!
//! Functions and loops are compiled on other threads ([`CompileTask`], [`Compiler`]). The code is installed by a thread that runs an
//! instance, when it next reports anything: no other thread may change the function records of a store. `installable` lists the
//! compiled and loaded functions in order; each instance keeps the number of entries already installed as the engine's word. So all
//! instances in all stores get the code, each in its own time.
//!
//! # Earlier processes
//! If the module has an entry in the cache, the first call in an instance of each kind loads the code of the entry
//! ([`warm_start`](crate::warm_start)). That code is ready without ever having waited.
//!
//! # Loops
//! Code for the next call is of no use to a function that is in a long loop. So loops are counted too
//! ([`loops`](crate::loops)), and a hot one becomes OSR code, which takes over the interpreter's frame.

use std::collections::HashMap;
use std::collections::hash_map::Entry::Vacant;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use wasmr_cache::Container;
use wasmr_interp::ModuleCode;
use wasmr_jit::{Callers, CodeOptions, JitModule};
use wasmr_module::Module;
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{BudgetInterrupt, CallSiteId, Executable, FuncEntry, OsrCode};

use crate::compile_queue::{Hot, Waiting, worth};
use crate::compiler::{Compiled, Compiler};
use crate::earlier_runs::{EarlierRuns, refused_work};
use crate::func_states::FuncStates;
use crate::loops::{Decision, LoopHeader, LoopProfile};
use crate::pause::Pause;
use crate::report::TierEvent;
use crate::saved_profile::RefusedWork;
use crate::tuning::{CALL_SAMPLES, CompileLoad, Gain};
use crate::work::{Progress, Work};

/// All code of one module, and the policy for its functions.
pub(crate) struct ModuleTiers {
    this: Weak<ModuleTiers>,
    interp: Arc<ModuleCode>,
    /// Machine code for instances whose memory 0 is checked, then for those whose memory 0 is guard-paged.
    native: [OnceLock<Arc<JitModule>>; 2],
    compiler: Arc<Compiler<CompileTask>>,
    /// True if functions are compiled before their first call, instead of when they are hot.
    ahead_of_first_call: bool,
    state: Mutex<State>,
    pub(crate) states: FuncStates,
    /// Signals that some work was finished.
    done: Condvar,
    /// Length of `State::installable`.
    installable: AtomicU32,
    /// Sum of the weights of all samples.
    samples: AtomicU32,
    /// Code and profile of earlier processes.
    pub(crate) earlier: EarlierRuns,
}

#[derive(Default)]
struct State {
    work: HashMap<Work, Progress>,
    /// Work for which the host lacked means, until the next try.
    postponed: HashMap<Work, Pause>,
    /// The time in which no code is installed, because the host refused a store the native stack.
    no_stack: Option<Pause>,
    /// Functions with code, in the order in which they were finished or loaded, each with its kind of memory.
    installable: Vec<(u32, bool)>,
    loops: LoopProfile,
    /// Call profiles by function and kind of memory, until the function is compiled.
    calls: HashMap<(u32, bool), Vec<CallSample>>,
}

/// Samples that found a call waiting for a function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSample {
    pub site: CallSiteId,
    /// Index of the function called, counted from the first that the module defines.
    pub callee: u32,
    pub count: u32,
}

/// The work of a compiler thread; [`compile_task`](crate::compile_task) runs it.
pub(crate) struct CompileTask {
    pub(crate) tiers: Weak<ModuleTiers>,
    pub(crate) work: Work,
    /// The loop at which the function's code has its second entry.
    pub(crate) along: OnceLock<Work>,
    /// Samples that found the loop since it was requested, or samples that count for the function.
    requested: Arc<AtomicU32>,
    /// The module's samples. The queue asks for them under the lock of the workers, so this must not keep the `ModuleTiers` alive,
    /// whose end may take that lock.
    samples: Weak<ModuleCode>,
    /// True if hot callees were compiled first.
    pub(crate) has_callees: bool,
}

impl Hot for CompileTask {
    fn hotness(&self) -> u32 {
        let Work { index, guarded, at_loop } = self.work;
        let requested = self.requested.load(Ordering::Relaxed);
        match self.samples.upgrade().filter(|_| at_loop.is_none()) {
            Some(samples) => requested.max(samples.samples(index, guarded).all),
            None => requested,
        }
    }
}

impl CompileTask {
    /// Waits for hot callees without code, if there are any. Returns false if there are none, or if the task has waited for them.
    pub(crate) fn waits_for_callees(&self, tiers: &ModuleTiers) -> bool {
        if self.has_callees {
            return false;
        }
        let work = self.work;
        let mut again = tiers.task(work, self.requested.clone());
        again.has_callees = true;
        let (size, is_loop) = (tiers.body_size(work.index), work.at_loop.is_some());
        let mut again = Waiting { task: again, size, is_loop, least_worth: 0 };
        again.least_worth = again.worth();
        let waits = tiers.request_callees(self, again.least_worth);
        if waits {
            tiers.compiler.submit(again);
        }
        waits
    }
}

impl ModuleTiers {
    /// Creates the tiers of a module from the interpreter's code. Nothing is compiled or loaded yet. `entry` is the module's entry in
    /// the cache.
    pub(crate) fn new(
        interp: Arc<ModuleCode>,
        compiler: Arc<Compiler<CompileTask>>,
        ahead_of_first_call: bool,
        entry: Option<Arc<Container>>,
    ) -> Arc<ModuleTiers> {
        Arc::new_cyclic(|this| ModuleTiers {
            this: this.clone(),
            interp,
            native: [OnceLock::new(), OnceLock::new()],
            compiler,
            ahead_of_first_call,
            state: Mutex::default(),
            states: FuncStates::default(),
            done: Condvar::new(),
            installable: AtomicU32::new(0),
            samples: AtomicU32::new(0),
            earlier: EarlierRuns::new(entry),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn interp(&self) -> &ModuleCode {
        &self.interp
    }

    pub(crate) fn module(&self) -> &Arc<Module> {
        self.interp.module()
    }

    /// Returns true if everything is compiled when control first reaches it, while the guest waits.
    pub(crate) fn is_synchronous(&self) -> bool {
        self.compiler.tuning().is_synchronous()
    }

    /// Returns true if functions are compiled before their first call, instead of when they are hot.
    pub(crate) fn is_ahead_of_first_call(&self) -> bool {
        self.ahead_of_first_call
    }

    pub(crate) fn body_size(&self, index: u32) -> usize {
        self.module().body(index).bytes.len()
    }

    /// Returns the machine code for instances of a kind; `None` if none can be made now.
    pub(crate) fn native(&self, guarded: bool) -> Option<&Arc<JitModule>> {
        let known = &self.native[usize::from(guarded)];
        if let Some(code) = known.get() {
            return Some(code);
        }
        if self.compiler.is_paused() {
            return None;
        }
        let options = CodeOptions {
            guarded,
            metered: self.interp.options().metered,
            canonical_nans: self.interp.options().canonical_nans,
            spectre_guards: self.compiler.spectre_guards(),
            calls: self.compiler.tuning().calls(),
        };
        match JitModule::new(self.module().clone(), *self.interp.layout(), options) {
            Ok(code) => Some(known.get_or_init(|| code)),
            Err(why) if why.is_permanent() => {
                self.compiler.give_up(why.to_string());
                None
            }
            Err(why) => {
                self.compiler.pause(why.to_string());
                None
            }
        }
    }

    /// Returns the machine code for instances of a kind, if there is any.
    pub(crate) fn native_if_made(&self, guarded: bool) -> Option<&Arc<JitModule>> {
        self.native[usize::from(guarded)].get()
    }

    /// Installs the code that was finished since this was last called for the function's instance.
    fn install(&self, func: &RunningFunc<'_>) {
        let all = self.installable.load(Ordering::Acquire);
        let installed = func.engine_word();
        if installed == all {
            return;
        }
        let guarded = func.memory0_guarded();
        let mut state = self.lock();
        if state.no_stack.is_some_and(|pause| !pause.is_over()) {
            return;
        }
        let news = &state.installable[installed as usize..all as usize];
        for &(index, _) in news.iter().filter(|(_, kind)| *kind == guarded) {
            let Some(code) = self.native(guarded) else { break };
            let interpreted = self.stays_interpreted_for_interpreter(index, guarded);
            let callers = if interpreted { Callers::NotInterpreter } else { Callers::All };
            if callers == Callers::All {
                self.interp.leave_to_other_tier(index, guarded);
            }
            if let Err(why) = code.install(&func.sibling(index), callers) {
                self.note_missing_stack(state, &why);
                return;
            }
        }
        state.no_stack = None;
        func.set_engine_word(all);
    }

    /// Notes that the host refused a store the native stack. The store stays interpreted until its first event after a pause.
    fn note_missing_stack(&self, mut state: MutexGuard<'_, State>, why: &ResourceError) {
        state.no_stack = Some(Pause::after(state.no_stack));
        drop(state);
        let why = why.to_string();
        self.compiler.tell(|| TierEvent::Unavailable { why: &why });
    }

    /// Returns the reason why a function is too large to be compiled; `None` if it is not.
    pub(crate) fn refusal_by_size(&self, index: u32) -> Option<String> {
        let (size, max) = (self.body_size(index), self.compiler.tuning().max_compiled_size);
        (size > max).then(|| format!("its {size} bytes are more than {max} (-O max-compiled-size)"))
    }

    /// Returns the worth of compiling a function that so many samples found.
    pub(crate) fn worth(&self, index: u32, samples: u32) -> u64 {
        worth(samples, self.body_size(index))
    }

    /// Returns the reason why no machine code can be made now.
    pub(crate) fn why_unavailable(&self) -> String {
        self.compiler.report().unavailable.unwrap_or_default()
    }

    /// Creates the task of some work that so many samples found.
    fn task(&self, work: Work, requested: Arc<AtomicU32>) -> CompileTask {
        let (tiers, samples) = (self.this.clone(), Arc::downgrade(&self.interp));
        CompileTask { tiers, work, along: OnceLock::new(), requested, samples, has_callees: false }
    }

    /// Requests some work, unless it was requested before, and waits for it if `wait`. Returns its progress.
    fn compile(&self, work: Work, samples: u32, wait: bool) -> Progress {
        self.compile_with(work, samples, wait, 0)
    }

    /// As [`compile`](ModuleTiers::compile), with a least worth.
    fn compile_with(&self, work: Work, samples: u32, wait: bool, least_worth: u64) -> Progress {
        let mut state = self.lock();
        if !state.work.contains_key(&work) {
            let size = self.body_size(work.index);
            if let Some(why) = self.refusal_by_size(work.index) {
                state.work.insert(work, Progress::Refused);
                drop(state);
                self.count(work, None, Duration::ZERO, Err(why));
                return Progress::Refused;
            }
            if state.postponed.get(&work).is_some_and(|pause| !pause.is_over()) || self.compiler.is_paused() {
                return Progress::Postponed;
            }
            let requested = Arc::new(AtomicU32::new(samples));
            state.work.insert(work, Progress::Waiting(requested.clone()));
            drop(state);
            self.note_requested(work, true);
            let task = self.task(work, requested);
            self.compiler.note_request(size);
            self.compiler.submit(Waiting { task, size, is_loop: work.at_loop.is_some(), least_worth });
            state = self.lock();
        }
        loop {
            let progress = state.work.get(&work).cloned().unwrap_or(Progress::Postponed);
            match &progress {
                Progress::Waiting(_) if wait => {
                    state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Progress::Waiting(hotness) => {
                    match work.at_loop {
                        Some(_) => hotness.fetch_add(1, Ordering::Relaxed),
                        None => hotness.fetch_max(samples, Ordering::Relaxed),
                    };
                    return progress;
                }
                Progress::Ready | Progress::Refused | Progress::Postponed => return progress,
            }
        }
    }

    /// Notes that the function's code was requested, or that it is to be requested again.
    fn note_requested(&self, work: Work, requested: bool) {
        if work.at_loop.is_none() {
            self.states.set_requested(work.index, work.guarded, self.module().defined_func_count(), requested);
        }
    }

    /// Returns true if a function is worth compiling that so many samples found, of `all` in this run or in earlier ones.
    pub(crate) fn is_worth_compiling(&self, index: u32, samples: u32, all: u32) -> bool {
        self.compiler.would_pay(samples, all, self.body_size(index))
    }

    /// Returns the sum of the weights of all samples of this run.
    pub(crate) fn all_samples(&self) -> u32 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Requests some work without waiting for it.
    pub(crate) fn request(&self, work: Work, samples: u32) {
        self.compile(work, samples, false);
    }

    /// As [`request`](ModuleTiers::request), with a least worth.
    pub(crate) fn request_with(&self, work: Work, samples: u32, least_worth: u64) {
        self.compile_with(work, samples, false, least_worth);
    }

    /// Notes that code was loaded, `bytes` together, so that instances install it.
    pub(crate) fn add_loaded(&self, loaded: impl ExactSizeIterator<Item = Work>, bytes: usize) {
        self.compiler.count_loaded(loaded.len(), bytes);
        loaded.for_each(|work| self.finish(work, Progress::Ready));
    }

    /// Notes that an earlier process could not compile this.
    pub(crate) fn add_refused(&self, work: Work) {
        self.finish(work, Progress::Refused);
    }

    /// Returns all work that the compiler refused. A refusal by size is left out, since the next process may have another limit.
    pub(crate) fn refused(&self) -> Vec<RefusedWork> {
        let state = self.lock();
        let by_compiler = state.work.iter().filter(|(work, _)| self.refusal_by_size(work.index).is_none());
        by_compiler.filter_map(|(work, progress)| refused_work(work, progress)).collect()
    }

    /// Returns a copy of the call profiles of functions that are not compiled.
    pub(crate) fn waiting_calls(&self) -> Vec<((u32, bool), Vec<CallSample>)> {
        self.lock().calls.iter().map(|(func, calls)| (*func, calls.clone())).collect()
    }

    /// Requests the function's code. Waits for it if the function is not to be interpreted meanwhile.
    fn compile_function(&self, func: &RunningFunc<'_>, samples: u32) {
        let work = Work { index: func.defined_index(), guarded: func.memory0_guarded(), at_loop: None };
        self.compile(work, samples, self.ahead_of_first_call || self.is_synchronous());
        self.install(func);
    }

    /// Returns true if the function is so large that one body of machine code has both entries, at its start and at a loop.
    pub(crate) fn has_dual_entry(&self, index: u32) -> bool {
        self.body_size(index) >= self.compiler.tuning().dual_entry_from
    }

    /// Returns true if a loop needs no code of its own, because the enclosing function is about to be compiled with an entry at it.
    fn comes_with_function(&self, func: &RunningFunc<'_>, samples: u32) -> bool {
        let index = func.defined_index();
        if !self.has_dual_entry(index) || self.is_synchronous() {
            return false;
        }
        let work = Work { index, guarded: func.memory0_guarded(), at_loop: None };
        matches!(self.compile(work, samples, false), Progress::Waiting(_))
    }

    /// Claims the loop at which the code of a large function gets its second entry: the hottest one. The caller, a compiler thread,
    /// has exclusive ownership of the loop until it finishes.
    pub(crate) fn claim_loop(&self, work: Work) -> Option<Work> {
        let Work { index, guarded, at_loop } = work;
        if at_loop.is_some() || !self.has_dual_entry(index) || self.is_synchronous() {
            return None;
        }
        let mut state = self.lock();
        let hottest = state.loops.hottest_undecided(index, guarded)?;
        state.loops.decide(hottest, Decision::Requested);
        let along = Work { at_loop: Some(hottest.offset), ..work };
        let progress = state.work.get(&work).cloned()?;
        match state.work.entry(along) {
            Vacant(entry) => {
                entry.insert(progress);
                Some(along)
            }
            _ => None,
        }
    }

    /// Returns a copy of the call profile of a function.
    pub(crate) fn calls_of(&self, index: u32, guarded: bool) -> Vec<CallSample> {
        self.lock().calls.get(&(index, guarded)).cloned().unwrap_or_default()
    }

    /// Removes and returns the call profile of a function.
    pub(crate) fn take_calls(&self, index: u32, guarded: bool) -> Vec<CallSample> {
        self.lock().calls.remove(&(index, guarded)).unwrap_or_default()
    }

    /// Counts the result of some work: bytes of code, or the reason why there is none. `also_at_loop` is the offset of the loop at
    /// which the function got a second entry.
    pub(crate) fn count(&self, work: Work, also_at_loop: Option<usize>, time: Duration, result: Result<usize, String>) {
        let what = match (&result, work.at_loop) {
            (Err(_), _) => Compiled::Refused,
            (Ok(_), None) => Compiled::Function,
            (Ok(_), Some(_)) => Compiled::Loop,
        };
        self.compiler.count(what, *result.as_ref().unwrap_or(&0), time);
        let func = self.module().imported_func_count() + work.index;
        let at_loop = work.at_loop;
        self.compiler.tell(|| TierEvent::Compiled { module: self.module(), func, at_loop, also_at_loop, time, result });
    }

    /// Notes the outcome of some work.
    pub(crate) fn finish(&self, work: Work, progress: Progress) {
        self.note_requested(work, !matches!(progress, Progress::Postponed));
        let mut state = self.lock();
        if matches!(progress, Progress::Ready) && work.at_loop.is_none() {
            state.installable.push((work.index, work.guarded));
            self.installable.store(state.installable.len() as u32, Ordering::Release);
        }
        if matches!(progress, Progress::Postponed) {
            let pause = Pause::after(state.postponed.get(&work).copied());
            state.postponed.insert(work, pause);
            state.work.remove(&work);
        } else {
            state.postponed.remove(&work);
            state.work.insert(work, progress);
        }
        drop(state);
        self.done.notify_all();
    }

    /// Returns true if the code of some work was loaded. It is then ready before it is requested.
    fn is_loaded(&self, work: Work) -> bool {
        self.earlier.entry.is_some() && matches!(self.lock().work.get(&work), Some(Progress::Ready))
    }

    /// Counts a budget interrupt at the loop whose operator is at `offset`. Returns the loop's OSR code if it is to be entered here.
    fn osr_code_at(&self, func: &RunningFunc<'_>, offset: usize, weight: u32) -> Option<OsrCode> {
        let (index, guarded) = (func.defined_index(), func.memory0_guarded());
        let header = LoopHeader { index, guarded, offset };
        let work = Work { index, guarded, at_loop: Some(offset) };
        let size = self.body_size(index);
        let known = self.lock().loops.count(header, weight);
        match known {
            Decision::Refused => return None,
            Decision::Requested => {}
            Decision::Undecided(samples) => {
                if !self.is_loaded(work)
                    && (!self.compiler.pays(samples, self.all_samples(), size)
                        || self.compiler.is_paused()
                        || self.next_call_is_near(index, guarded)
                        || self.comes_with_function(func, samples))
                {
                    return None;
                }
                self.lock().loops.decide(header, Decision::Requested);
            }
        }
        let samples = self.compiler.tuning().samples_for(size, Gain::FULL, CompileLoad::Busy);
        match self.compile(work, samples, self.is_synchronous()) {
            Progress::Ready => self.ready_osr_code(func, offset),
            Progress::Refused => {
                self.lock().loops.decide(header, Decision::Refused);
                None
            }
            Progress::Waiting(_) | Progress::Postponed => None,
        }
    }

    /// Prepares the store to run OSR code and returns that code; `None` if the host refuses the store the native stack.
    fn ready_osr_code(&self, func: &RunningFunc<'_>, offset: usize) -> Option<OsrCode> {
        let native = self.native(func.memory0_guarded())?;
        let code = native.osr_code(func.defined_index(), offset)?;
        let state = self.lock();
        if state.no_stack.is_some_and(|pause| !pause.is_over()) {
            return None;
        }
        if let Err(why) = native.make_ready(func) {
            self.note_missing_stack(state, &why);
            return None;
        }
        Some(code)
    }
}

impl Executable for ModuleTiers {
    fn first_entry(&self, index: u32) -> FuncEntry {
        self.interp.first_entry(index)
    }

    fn initial_budget(&self) -> i32 {
        self.interp.initial_budget()
    }

    fn vm_data(&self) -> *const c_void {
        self.interp.vm_data()
    }

    fn first_call(&self, func: &RunningFunc<'_>) {
        self.start_warm(func.memory0_guarded());
        if self.ahead_of_first_call {
            self.compile_function(func, 1);
        } else {
            self.install(func);
        }
    }

    fn budget_interrupt(&self, func: &RunningFunc<'_>, at_loop: Option<usize>, weight: u32) -> BudgetInterrupt {
        self.install(func);
        self.samples.fetch_add(weight, Ordering::Relaxed);
        if self.ahead_of_first_call {
            // An interpreted function was refused, or postponed at its first call.
            self.compile_function(func, 1);
            return BudgetInterrupt::Ordinary;
        }
        match at_loop.and_then(|offset| self.osr_code_at(func, offset, weight)) {
            Some(code) => {
                // OSR code serves this call only; the next needs the function's own code.
                self.compile_function(func, 1);
                BudgetInterrupt::Enter(code)
            }
            None => BudgetInterrupt::Ordinary,
        }
    }

    fn sampled(&self, func: &RunningFunc<'_>, samples: u32, by_interpreter: bool) {
        self.install(func);
        let (index, guarded) = (func.defined_index(), func.memory0_guarded());
        if self.ahead_of_first_call || self.states.is_requested(index, guarded) {
            return;
        }
        let samples = self.samples_that_count(index, guarded, samples, by_interpreter);
        if self.compiler.pays(samples, self.all_samples(), self.body_size(index))
            && !(by_interpreter && self.stays_interpreted_for_interpreter(index, guarded))
        {
            self.compile_function(func, samples);
        }
    }

    fn record_call(&self, caller: &RunningFunc<'_>, site: CallSiteId, callee: u32) {
        if self.ahead_of_first_call {
            return;
        }
        let (index, guarded) = (caller.defined_index(), caller.memory0_guarded());
        if self.states.is_requested(index, guarded) && self.has_code(index, guarded) {
            return;
        }
        let mut state = self.lock();
        let calls = state.calls.entry((index, guarded)).or_default();
        if let Some(call) = calls.iter_mut().find(|call| call.site == site && call.callee == callee) {
            call.count += 1;
        } else if calls.len() < CALL_SAMPLES {
            calls.push(CallSample { site, callee, count: 1 });
        }
    }
}

impl std::fmt::Debug for ModuleTiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModuleTiers")
            .field("module", self.module())
            .field("installable", &self.installable)
            .finish_non_exhaustive()
    }
}
