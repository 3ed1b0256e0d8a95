//! [`ModuleTiers`]: moves the functions of one module from the interpreter to machine code, and says when.
//!
//! The interpreter tells it of first calls and budget interrupts. It has functions and loops compiled on other threads
//! ([`Compiler`]) and gives them their code when it is next asked anything by a thread that runs an instance: no other
//! thread may change function records. Every instance notes how much of the list of compiled functions its records know, so all
//! instances in all stores come to the same code, each in its own time.
//!
//! # Loops
//! A function that is in a long loop profits nothing from code for its next call. So loops are watched too ([`loops`](crate::loops)),
//! and one that a function is in becomes code that takes over the interpreter's frame. That should be the outermost loop: so when
//! that has code and the hot loop is one inside it, the calls and loops that follow are looked at one by one for a while (the
//! *hunt*), as control may come to the outer loop next to never otherwise.

use std::collections::HashMap;
use std::collections::hash_map::Entry::Vacant;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use wasmr_interp::translate::loops::{LoopInfo, loop_at};
use wasmr_interp::translate::{Source, locate_all};
use wasmr_jit::{Callers, CodeOptions, CompileError, CompilerContext, Entry, JitModule, LoopEntry};
use wasmr_module::Module;
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{BudgetInterrupt, LoopCode, TierUp};
use wasmr_runtime::vm::VmLayout;

use crate::compile_queue::Waiting;
use crate::compiler::{Compiled, Compiler};
use crate::leaves::Leaves;
use crate::loops::{Advice, LoopSites, Site};
use crate::pause::Pause;
use crate::report::TierEvent;
use crate::tuning::{FOUND_CALLS, HUNT};
use crate::work::{Progress, Work};
use crate::workers::Task;

/// Gives the functions of one module their code.
pub(crate) struct ModuleTiers {
    this: Weak<ModuleTiers>,
    module: Arc<Module>,
    layout: VmLayout,
    compiler: Arc<Compiler<CompileTask>>,
    metered: bool,
    /// Whether functions are compiled before their first call, instead of when they are hot.
    eager: bool,
    /// For instances whose memory 0 is not guarded, and for the others.
    code: [OnceLock<Arc<JitModule>>; 2],
    state: Mutex<State>,
    leaves: Leaves,
    /// Something that was waited for is done.
    done: Condvar,
    /// How many functions `State::made` has.
    made: AtomicU32,
    /// Budget interrupts that will still be early ones, of a hunt.
    hunt: AtomicU32,
}

#[derive(Default)]
struct State {
    work: HashMap<Work, Progress>,
    /// Work that the host had no means for, until it is tried again.
    postponed: HashMap<Work, Pause>,
    /// The host gave a store no stack for machine code: until when no store is given any code.
    no_stack: Option<Pause>,
    /// The functions that have code, in the order in which they got it, and for which kind of memory.
    made: Vec<(u32, bool)>,
    sites: LoopSites,
    /// Calls that were found while a function of that index waited for them, by where in the interpreter's code they are: with
    /// the function called, and how often.
    calls: HashMap<(u32, bool), Vec<FoundCall>>,
}

/// Calls from one place to one function.
#[derive(Clone, Copy, Debug)]
struct FoundCall {
    position: u32,
    callee: u32,
    count: u32,
}

/// The work of a thread that compiles.
pub(crate) struct CompileTask {
    tiers: Weak<ModuleTiers>,
    work: Work,
    /// The loop to start at, if the work is that.
    place: Option<LoopEntry>,
    /// A loop whose code comes along with the function's.
    along: OnceLock<Work>,
}

impl ModuleTiers {
    /// For a module of which nothing is compiled, `metered` as the interpreter's code is.
    pub(crate) fn new(
        module: Arc<Module>,
        compiler: Arc<Compiler<CompileTask>>,
        metered: bool,
        eager: bool,
    ) -> Arc<ModuleTiers> {
        Arc::new_cyclic(|this| ModuleTiers {
            this: this.clone(),
            layout: VmLayout::for_module(&module),
            module,
            compiler,
            metered,
            eager,
            code: [OnceLock::new(), OnceLock::new()],
            state: Mutex::default(),
            leaves: Leaves::default(),
            done: Condvar::new(),
            made: AtomicU32::new(0),
            hunt: AtomicU32::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_once(&self) -> bool {
        self.compiler.tuning().tiers_up_at_once()
    }

    fn body_size(&self, index: u32) -> usize {
        self.module.body(index).bytes.len()
    }

    /// Whether interpreted callers are best served by interpreting the function, so that it is for them to be compiled.
    fn is_short_leaf(&self, index: u32) -> bool {
        !self.eager && !self.at_once() && self.leaves.is_short(&self.module, index)
    }

    /// The code for instances of a kind; `None` if none can be made now.
    fn code(&self, guarded: bool) -> Option<&Arc<JitModule>> {
        let known = &self.code[usize::from(guarded)];
        if let Some(code) = known.get() {
            return Some(code);
        }
        if self.compiler.is_paused() {
            return None;
        }
        let spectre_guards = self.compiler.spectre_guards();
        let calls = self.compiler.tuning().calls();
        let options = CodeOptions { guarded, metered: self.metered, spectre_guards, calls };
        match JitModule::new(self.module.clone(), self.layout, options) {
            Ok(made) => Some(known.get_or_init(|| made)),
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

    /// Lets the function's instance know the code that was made since it was last here.
    fn publish(&self, func: &RunningFunc<'_>) {
        let made = self.made.load(Ordering::Acquire);
        let known = func.published();
        if known == made {
            return;
        }
        let guarded = func.memory0_guarded();
        let mut state = self.lock();
        if state.no_stack.is_some_and(|pause| !pause.is_over()) {
            return;
        }
        let news = &state.made[known as usize..made as usize];
        for &(index, _) in news.iter().filter(|(_, kind)| *kind == guarded) {
            let Some(code) = self.code(guarded) else { break };
            let callers = if self.is_short_leaf(index) { Callers::NotInterpreter } else { Callers::All };
            if let Err(why) = code.give(&func.sibling(index), callers) {
                self.has_no_stack(state, &why);
                return;
            }
        }
        state.no_stack = None;
        func.set_published(made);
    }

    /// Notes that the host gives a store no stack for machine code. That store goes on being interpreted until it is asked again at
    /// one of its next events.
    fn has_no_stack(&self, mut state: MutexGuard<'_, State>, why: &ResourceError) {
        state.no_stack = Some(Pause::after(state.no_stack));
        drop(state);
        let why = why.to_string();
        self.compiler.tell(|| TierEvent::Unavailable { why: &why });
    }

    /// Has something compiled, unless that was asked for before; waits for it, if told to. Gives what has become of it.
    fn compile(&self, work: Work, samples: u32, info: Option<&LoopInfo>, wait: bool) -> Progress {
        let mut state = self.lock();
        if !state.work.contains_key(&work) {
            let size = self.body_size(work.index);
            let max = self.compiler.tuning().max_compiled_size;
            if size > max {
                state.work.insert(work, Progress::Refused);
                drop(state);
                self.count(work, Duration::ZERO, Err(format!("its {size} bytes are more than {max}")));
                return Progress::Refused;
            }
            if state.postponed.get(&work).is_some_and(|pause| !pause.is_over()) || self.compiler.is_paused() {
                return Progress::Postponed;
            }
            let heat = Arc::new(AtomicU32::new(samples));
            state.work.insert(work, Progress::Waiting(heat.clone()));
            drop(state);
            let place = work.at_loop.zip(info).map(|(offset, info)| place(info, offset));
            let task = CompileTask { tiers: self.this.clone(), work, place, along: OnceLock::new() };
            self.compiler.submit(Waiting { task, size, is_loop: work.at_loop.is_some(), heat });
            state = self.lock();
        }
        loop {
            let progress = state.work.get(&work).cloned().unwrap_or(Progress::Postponed);
            match &progress {
                Progress::Waiting(_) if wait => {
                    state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Progress::Waiting(heat) => {
                    match work.at_loop {
                        Some(_) => heat.fetch_add(1, Ordering::Relaxed),
                        None => heat.fetch_max(samples, Ordering::Relaxed),
                    };
                    return progress;
                }
                Progress::Ready | Progress::Refused | Progress::Postponed => return progress,
            }
        }
    }

    /// Has a function compiled; waits for the code if there is no interpreting meanwhile.
    fn compile_function(&self, func: &RunningFunc<'_>, samples: u32) {
        let work = Work { index: func.defined_index(), guarded: func.memory0_guarded(), at_loop: None };
        self.compile(work, samples, None, self.eager || self.at_once());
        self.publish(func);
    }

    /// Whether one code is made for the function's start and a loop.
    fn gets_one_code(&self, index: u32) -> bool {
        self.body_size(index) >= self.compiler.tuning().one_code_from
    }

    /// Whether code for a loop is not to be asked for, as that for the whole of its large function is to come, with the loop in it.
    fn comes_with_function(&self, func: &RunningFunc<'_>, samples: u32) -> bool {
        let index = func.defined_index();
        if !self.gets_one_code(index) || self.at_once() {
            return false;
        }
        let work = Work { index, guarded: func.memory0_guarded(), at_loop: None };
        matches!(self.compile(work, samples, None, false), Progress::Waiting(_))
    }

    /// The loop at which the code of a large function is to start as well: the outermost that control was found at around the place
    /// where it was most often. Nobody else compiles it meanwhile. Called by the thread that compiles.
    fn claim_loop(&self, work: Work) -> Option<(Work, LoopEntry)> {
        let Work { index, guarded, at_loop } = work;
        if at_loop.is_some() || !self.gets_one_code(index) || self.at_once() {
            return None;
        }
        let sites = self.lock().sites.unknown(index, guarded);
        for site in sites {
            let info = loop_at(&self.source(index, guarded), site.position);
            let mut state = self.lock();
            let Some(info) = info else {
                state.sites.learn(site, None);
                continue;
            };
            let target = state.sites.outermost_found(site, &info);
            let offset = info.nest[target].offset;
            state.sites.learn_inside(site, Some(info.clone()), target);
            let along = Work { at_loop: Some(offset), ..work };
            let progress = state.work.get(&work).cloned();
            return match (state.work.entry(along), progress) {
                (Vacant(entry), Some(progress)) => {
                    entry.insert(progress);
                    Some((along, place(&info, offset)))
                }
                _ => None,
            };
        }
        None
    }

    fn source(&self, index: u32, guarded: bool) -> Source<'_> {
        Source { module: &self.module, layout: &self.layout, defined_index: index, guarded, metered: self.metered }
    }

    /// Lets the compiler know where a function's calls went so far.
    fn tell_calls(&self, index: u32, guarded: bool, code: &JitModule) {
        let Some(calls) = self.lock().calls.remove(&(index, guarded)) else { return };
        let positions: Vec<u32> = calls.iter().map(|call| call.position).collect();
        let places = locate_all(&self.source(index, guarded), &positions);
        for (call, place) in calls.iter().zip(places) {
            if let Some(offset) = place {
                code.record_calls(offset, call.callee, call.count);
            }
        }
    }

    /// Counts what came of some work: bytes of code, or why there is none.
    fn count(&self, work: Work, time: Duration, result: Result<usize, String>) {
        let what = match (&result, work.at_loop) {
            (Err(_), _) => Compiled::Refused,
            (Ok(_), None) => Compiled::Function,
            (Ok(_), Some(_)) => Compiled::Loop,
        };
        self.compiler.count(what, *result.as_ref().unwrap_or(&0), time);
        let func = self.module.imported_func_count() + work.index;
        self.compiler.tell(|| TierEvent::Compiled { module: &self.module, func, at_loop: work.at_loop, time, result });
    }

    /// Notes what came of some work.
    fn finish(&self, work: Work, progress: Progress) {
        let mut state = self.lock();
        if matches!(progress, Progress::Ready) && work.at_loop.is_none() {
            state.made.push((work.index, work.guarded));
            self.made.store(state.made.len() as u32, Ordering::Release);
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

    /// Whether this event is one of a hunt; the next will then be soon.
    fn is_hunting(&self, func: &RunningFunc<'_>) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let Ok(left) = self.hunt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) else { return false };
        if left > 1 {
            func.set_budget(0);
        }
        true
    }

    /// The code of the loop at a word of the function's code, if one starts there and it is time.
    fn code_at(&self, func: &RunningFunc<'_>, position: u32, early: bool) -> Option<Arc<dyn LoopCode>> {
        let (index, guarded) = (func.defined_index(), func.memory0_guarded());
        let site = Site { index, guarded, position };
        let size = self.body_size(index);
        if self.lock().sites.sample(site, early) {
            let samples = self.lock().sites.samples(site);
            if !self.compiler.pays(samples, size)
                || self.compiler.is_paused()
                || self.comes_with_function(func, samples)
            {
                return None;
            }
            let source = self.source(index, guarded);
            let info = loop_at(&source, position);
            self.lock().sites.learn(site, info);
        }
        // Each round asks about another loop, ever further inside.
        loop {
            let (info, offset, is_here) = self.lock().sites.target(site)?;
            let work = Work { index, guarded, at_loop: Some(offset) };
            let samples = self.compiler.tuning().samples_for(size, false);
            let progress = self.compile(work, samples, Some(&info), self.at_once());
            let advice = self.lock().sites.advise(site, &progress, early, self.compiler.tuning().patience());
            match advice {
                Advice::Wait => return None,
                Advice::Hunt => {
                    if !self.at_once() {
                        self.hunt.store(HUNT, Ordering::Relaxed);
                        func.set_budget(0);
                    }
                    return None;
                }
                Advice::Inward => {}
                Advice::Enter => {
                    debug_assert!(is_here, "only at the loop that it is of");
                    let all = self.code(guarded)?;
                    let code = all.loop_code(index, offset)?;
                    let state = self.lock();
                    if state.no_stack.is_some_and(|pause| !pause.is_over()) {
                        return None;
                    }
                    if let Err(why) = all.make_ready(func) {
                        self.has_no_stack(state, &why);
                        return None;
                    }
                    return Some(Arc::new(code));
                }
            }
        }
    }
}

impl TierUp for ModuleTiers {
    fn first_call(&self, func: &RunningFunc<'_>) {
        if self.eager {
            self.compile_function(func, 1);
        } else {
            self.publish(func);
        }
    }

    fn budget_interrupt(&self, func: &RunningFunc<'_>, position: u32) -> BudgetInterrupt {
        self.publish(func);
        if self.eager {
            // Unless it was refused, it was postponed at its first call.
            self.compile_function(func, 1);
            return BudgetInterrupt::Ordinary;
        }
        let early = self.is_hunting(func);
        match self.code_at(func, position, early) {
            Some(code) => {
                // So that the next call starts in it.
                self.compile_function(func, 1);
                BudgetInterrupt::Enter(code)
            }
            None if early => BudgetInterrupt::Early,
            None => BudgetInterrupt::Ordinary,
        }
    }

    fn sampled(&self, func: &RunningFunc<'_>, samples: u32, by_first_tier: bool) {
        self.publish(func);
        let index = func.defined_index();
        if !self.eager
            && self.compiler.pays(samples, self.body_size(index))
            && !(by_first_tier && self.is_short_leaf(index))
        {
            self.compile_function(func, samples);
        }
    }

    fn found_call(&self, caller: &RunningFunc<'_>, position: u32, callee: u32) {
        if self.eager {
            return;
        }
        let mut state = self.lock();
        let calls = state.calls.entry((caller.defined_index(), caller.memory0_guarded())).or_default();
        if let Some(call) = calls.iter_mut().find(|call| call.position == position && call.callee == callee) {
            call.count += 1;
        } else if calls.len() < FOUND_CALLS {
            calls.push(FoundCall { position, callee, count: 1 });
        }
    }
}

impl Task for CompileTask {
    type Context = CompilerContext;

    fn run(&self, context: &mut CompilerContext) {
        // A module that is gone needs no code.
        let Some(tiers) = self.tiers.upgrade() else { return };
        let began = Instant::now();
        let Work { index, guarded, at_loop } = self.work;
        let entry = match (&self.place, tiers.claim_loop(self.work)) {
            // Loops come first then, and here is what tests that they are entered right.
            (Some(place), _) if tiers.at_once() && tiers.gets_one_code(index) => Entry::StartOrLoop(place.clone()),
            (Some(place), _) => Entry::Loop(place.clone()),
            (None, Some((along, place))) => {
                let _ = self.along.set(along);
                Entry::StartOrLoop(place)
            }
            (None, None) => Entry::Start,
        };
        let code = tiers.code(guarded);
        if let Some(code) = code {
            tiers.tell_calls(index, guarded, code);
        }
        let made = code.map(|code| code.compile(index, entry, context));
        let len = |code: &JitModule| match at_loop {
            None => code.function(index).map_or(0, |code| code.len),
            Some(offset) => code.loop_code(index, offset).map_or(0, |code| code.len),
        };
        let mut is_for_now = false;
        let result = match made {
            Some(Ok(())) => Ok(code.map_or(0, |code| len(code))),
            Some(Err(why)) => {
                is_for_now = matches!(&why, CompileError::Unavailable(why) if !why.is_permanent());
                Err(why.to_string())
            }
            None => {
                is_for_now = true;
                Err("nothing is compiled now".to_owned())
            }
        };
        let progress = match &result {
            Ok(_) => Progress::Ready,
            Err(_) if is_for_now => Progress::Postponed,
            Err(_) => Progress::Refused,
        };
        tiers.count(self.work, began.elapsed(), result);
        self.finish(&tiers, &progress);
    }

    fn fail(self) {
        if let Some(tiers) = self.tiers.upgrade() {
            tiers.count(self.work, Duration::ZERO, Err("the compiler failed".to_owned()));
            self.finish(&tiers, &Progress::Refused);
        }
    }

    fn postpone(self) {
        if let Some(tiers) = self.tiers.upgrade() {
            self.finish(&tiers, &Progress::Postponed);
        }
    }
}

impl CompileTask {
    fn finish(&self, tiers: &ModuleTiers, progress: &Progress) {
        self.along.get().into_iter().chain([&self.work]).for_each(|&work| tiers.finish(work, progress.clone()));
    }
}

/// Returns the entry at the loop of a nest that has this offset.
fn place(info: &LoopInfo, offset: usize) -> LoopEntry {
    LoopEntry { offset, frame: info.frame.clone() }
}

impl std::fmt::Debug for ModuleTiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModuleTiers").field("module", &self.module).field("made", &self.made).finish_non_exhaustive()
    }
}
