//! [`WasiThreads`]: the proposal [wasi-threads], as wasi-libc's `-pthread` and Rust's target `wasm32-wasip1-threads` use it.
//!
//! In: the guest's call of `wasi.thread-spawn`. Out: a thread of the host with a store of its own, in which it instantiates the
//! same program again and calls its export `wasi_thread_start`. The instances share the imported memory, the code and the WASI
//! context, and nothing else: each has its own globals and tables.
//!
//! # The end
//! The first thread that does not return normally ends the process: by a trap, an exception, an error of the host or
//! `proc_exit`. So does the return of the main thread. All other threads are then interrupted, and
//! [`finish`](WasiThreads::finish) waits for them for a moment.
//!
//! # Fuel
//! The guest's fuel is that of all threads together. A new thread gets half of what its creator has left. What a thread has
//! left at its end goes to the next thread that starts another one.
//!
//! [wasi-threads]: https://github.com/WebAssembly/wasi-threads

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{ExternType, FuncType, ValType};
use wasmr_runtime::{
    AsContext, Caller, DuplicateDefinition, Instance, InstancePre, InstantiateError, InterruptHandle, Linker,
    ResourceError, Stop, Store, check_room,
};

/// Module and name of the import that starts a thread.
const IMPORT: (&str, &str) = ("wasi", "thread-spawn");

/// Name of the export that a new thread calls, with its number and the argument of `thread-spawn`.
const ENTRY: &str = "wasi_thread_start";

/// Largest number of a thread. The proposal reserves the three highest bits.
const MAX_ID: i32 = (1 << 29) - 1;

/// Bytes of a thread's own stack, for host functions and the interpreter: Rust's default. Guest frames have other stacks.
const STACK_SIZE: usize = 2 << 20;

/// Time that interrupted threads get to end. One that is in a system call that nothing interrupts may need longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The data of a store whose guest may start threads.
pub trait ThreadData: Sized + Send + 'static {
    /// Returns the data of a new thread's store, which shares its context with this one; `None` if the guest has no threads.
    fn for_thread(&self) -> Option<Self>;

    /// Returns the threads of the guest, if it may have any.
    fn threads(&self) -> Option<&WasiThreads<Self>>;
}

/// The threads of one guest. Clones are the same threads.
pub struct WasiThreads<T>(Arc<Shared<T>>);

struct Shared<T> {
    /// Threads that may exist at once, beside the main one.
    max: u32,
    program: OnceLock<InstancePre<T>>,
    state: Mutex<State<T>>,
    /// Notified when a thread ends.
    ended: Condvar,
}

struct State<T> {
    /// Number and handle of each thread; 0 is the main one.
    running: Vec<(i32, InterruptHandle)>,
    last_id: i32,
    counts: ThreadCounts,
    /// True once the guest is to end.
    is_over: bool,
    /// The end of the guest by a thread other than the main one.
    end: Option<ThreadEnd<T>>,
    /// A panic of the host on one of the threads.
    panic: Option<Box<dyn Any + Send>>,
    /// Fuel that ended threads left.
    fuel: u64,
}

/// Numbers of threads, the main one not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounts {
    /// Threads that were started.
    pub started: u64,
    /// Most threads that existed at once.
    pub most: u32,
    /// Calls of `thread-spawn` that the limit refused.
    pub refused: u64,
}

/// The end of a guest by one of its threads.
pub struct ThreadEnd<T> {
    /// Number of the thread.
    pub id: i32,
    /// The store of the thread.
    pub store: Store<T>,
    /// The thread's instance, unless its instantiation failed.
    pub instance: Option<Instance>,
    /// The reason.
    pub stop: Stop,
}

/// The outcome of one thread: its instance, and its stop or a panic of the host.
type Outcome = Result<Result<(), (Option<Instance>, Stop)>, Box<dyn Any + Send>>;

impl<T> Clone for WasiThreads<T> {
    fn clone(&self) -> Self {
        WasiThreads(self.0.clone())
    }
}

impl<T> std::fmt::Debug for WasiThreads<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasiThreads").field("max", &self.0.max).finish_non_exhaustive()
    }
}

/// Returns true if a module imports `wasi.thread-spawn`.
pub fn imports_threads(module: &wasmr_runtime::LoadedModule) -> bool {
    module.module.imports().iter().any(|import| (&*import.module, &*import.name) == IMPORT)
}

/// Defines `wasi.thread-spawn`.
///
/// # Errors
/// [`DuplicateDefinition`] if the linker has it already.
pub fn add_threads_to_linker<T: ThreadData>(linker: &mut Linker<T>) -> Result<(), DuplicateDefinition> {
    let ty = FuncType::new(vec![ValType::I32], vec![ValType::I32]);
    linker.func_numeric(IMPORT.0, IMPORT.1, ty, |mut caller, slots| {
        let threads = caller.data().threads().cloned();
        let id = threads.and_then(|threads| threads.spawn(&mut caller, slots[0] as u32 as i32));
        slots[0] = u64::from(id.unwrap_or(-1) as u32);
        Ok(())
    })?;
    Ok(())
}

impl<T: ThreadData> WasiThreads<T> {
    /// Returns the threads of a guest that may have at most `max` at once, beside the main one.
    pub fn new(max: u32) -> WasiThreads<T> {
        let state = State {
            running: Vec::new(),
            last_id: 0,
            counts: ThreadCounts::default(),
            is_over: false,
            end: None,
            panic: None,
            fuel: 0,
        };
        WasiThreads(Arc::new(Shared { max, program: OnceLock::new(), state: Mutex::new(state), ended: Condvar::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the main thread, before its instance exists. `program` is what new threads instantiate.
    pub fn begin(&self, main: &Store<T>, program: InstancePre<T>) {
        // A guest begins once.
        let _ = self.0.program.set(program);
        self.lock().running.push((0, main.interrupt_handle()));
    }

    /// Starts a thread. Returns its number, or `None` if it cannot start.
    fn spawn(&self, caller: &mut Caller<'_, T>, argument: i32) -> Option<i32> {
        let program = self.0.program.get().filter(|program| program.fits_any_store() && has_entry(program))?;
        let data = caller.data().for_thread()?;
        let mut store = Store::new(caller.as_context().config_for_thread(), data);
        // Without address space for its stack, the thread could only end the process.
        store.reserve_stack().ok()?;
        let id = self.register(store.interrupt_handle())?;
        let fuel = self.share_fuel(caller);
        if let Some(fuel) = fuel {
            // Stores of a guest that counts fuel count it as well.
            let _ = store.set_fuel(fuel);
        }
        let (threads, program) = (self.clone(), program.clone());
        let thread = std::thread::Builder::new().name(format!("guest {id}")).stack_size(STACK_SIZE);
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut store, &program, id, argument)));
            threads.leave(id, store, outcome);
        };
        match check_room(STACK_SIZE).and_then(|()| thread.spawn(run)) {
            Ok(_) => Some(id),
            Err(_) => {
                let mut state = self.lock();
                state.running.retain(|(other, _)| *other != id);
                state.counts.started -= 1;
                state.fuel += fuel.unwrap_or(0);
                None
            }
        }
    }

    /// Adds a thread. Returns its number, or `None` if there may be no other.
    fn register(&self, handle: InterruptHandle) -> Option<i32> {
        let mut state = self.lock();
        // The main thread is one of them.
        let others = state.running.iter().filter(|(id, _)| *id != 0).count();
        if state.is_over {
            return None;
        }
        if others >= self.0.max as usize {
            state.counts.refused += 1;
            return None;
        }
        loop {
            state.last_id = if state.last_id == MAX_ID { 1 } else { state.last_id + 1 };
            if state.running.iter().all(|(other, _)| *other != state.last_id) {
                break;
            }
        }
        let id = state.last_id;
        state.running.push((id, handle));
        state.counts.started += 1;
        state.counts.most = state.counts.most.max(others as u32 + 1);
        Some(id)
    }

    /// Takes the fuel of a new thread from its creator, which first gets what ended threads left. Returns `None` if the guest
    /// counts no fuel.
    fn share_fuel(&self, caller: &mut Caller<'_, T>) -> Option<u64> {
        let own = caller.fuel().ok()?;
        let all = own.saturating_add(std::mem::take(&mut self.lock().fuel));
        caller.set_fuel(all - all / 2).ok()?;
        Some(all / 2)
    }

    /// Removes a thread that ended, and ends the guest unless the thread returned.
    fn leave(&self, id: i32, store: Store<T>, outcome: Outcome) {
        let mut state = self.lock();
        state.running.retain(|(other, _)| *other != id);
        state.fuel += store.fuel().unwrap_or(0);
        // Dropped after the lock was released, unless it is needed.
        let mut store = Some(store);
        if !state.is_over {
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err((instance, stop))) => {
                    state.end = store.take().map(|store| ThreadEnd { id, store, instance, stop });
                    state.interrupt_all();
                }
                Err(panic) => {
                    state.panic = Some(panic);
                    state.interrupt_all();
                }
            }
        }
        drop(state);
        self.0.ended.notify_all();
    }

    /// Ends the guest after its main thread ended, and waits a moment for the other threads. Returns the thread that ended the
    /// guest before, if one did.
    ///
    /// # Panics
    /// If a host function panicked on another thread: with its payload.
    pub fn finish(&self) -> Option<ThreadEnd<T>> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        state.running.retain(|(id, _)| *id != 0);
        state.interrupt_all();
        while !state.running.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.0.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(panic) = state.panic.take() {
            drop(state);
            resume_unwind(panic);
        }
        state.end.take()
    }

    /// Returns the numbers of threads so far.
    pub fn counts(&self) -> ThreadCounts {
        self.lock().counts
    }

    /// Returns the fuel that ended threads left.
    pub fn fuel_left(&self) -> u64 {
        self.lock().fuel
    }
}

impl<T> State<T> {
    /// Interrupts all threads, because the guest is to end.
    fn interrupt_all(&mut self) {
        self.is_over = true;
        for (_, handle) in &self.running {
            handle.interrupt();
        }
    }
}

/// Returns true if a program exports the function that new threads call.
fn has_entry<T>(program: &InstancePre<T>) -> bool {
    let module = &program.module().module;
    let ty = module.export(ENTRY).and_then(|export| match module.export_type(export) {
        ExternType::Func(id) => module.registry().func_type(id),
        _ => None,
    });
    ty.is_some_and(|ty| ty.params() == [ValType::I32; 2] && ty.results().is_empty())
}

/// Runs a new thread in its store.
fn run<T>(
    store: &mut Store<T>,
    program: &InstancePre<T>,
    id: i32,
    argument: i32,
) -> Result<(), (Option<Instance>, Stop)> {
    let instance = program.instantiate(&mut *store).map_err(|error| match error {
        InstantiateError::Stop(stop) => (None, stop),
        // As for the first object that has no room.
        InstantiateError::Resource(ResourceError::HeapLimit { .. }) => (None, Stop::trap(TrapCode::HeapFull)),
        error => (None, Stop::host(error)),
    })?;
    let failed = |stop| (Some(instance), stop);
    let entry = instance.get_typed_func::<(i32, i32), ()>(&*store, ENTRY).map_err(|error| failed(Stop::host(error)))?;
    entry.call(store, (id, argument)).map_err(failed)
}
