//! [`Workers`]: the compiler threads, started when there is first something to compile.
//!
//! The threads take [`Task`]s from a [`CompileQueue`], at lower priority than the program. The end of the process or of the
//! engine waits for no thread; the rest of the queue is then dropped. A panic in a task is the compiler's failure and costs
//! only that task.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use wasmr_runtime::check_room;
use wasmr_runtime::sys::spawn_elsewhere;

use crate::compile_queue::{CompileQueue, Hot, Waiting};
use crate::tuning::{BYTES_FOR_THREAD, GIANT};

/// Bytes of a thread's stack. The recursion of the compiler follows the nesting of the function.
const STACK_SIZE: usize = 8 << 20;

/// A task for a compiler thread.
pub(crate) trait Task: Hot + Send + 'static {
    /// State that a thread keeps from one task to the next.
    type Context: Default;

    /// Runs the task. After a panic, [`fail`](Task::fail) is called.
    fn run(&self, context: &mut Self::Context);

    /// Notes that the task failed for good.
    fn fail(self);

    /// Notes that the task cannot be run now.
    fn postpone(self);
}

/// The compiler threads of an engine.
pub(crate) struct Workers<T: Task> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    /// Limit on the tasks that run at a time, while none of them is a giant.
    most: usize,
    /// Tasks that wait or run.
    tasks: AtomicUsize,
}

struct State<T> {
    queue: CompileQueue<T>,
    threads: usize,
    /// Tasks that run now.
    running: usize,
    /// Giant tasks that run now.
    giants: usize,
    closed: bool,
}

impl<T: Task> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if another task may run now.
    fn has_room(&self, state: &State<T>) -> bool {
        state.running < self.most + usize::from(state.giants > 0)
    }

    /// Wakes or starts a thread for the next task, if there is one and it may run now.
    ///
    /// # Errors
    /// If there is no thread yet and the system refuses to start one.
    fn provide(self: &Arc<Self>, state: &mut State<T>) -> io::Result<()> {
        if state.queue.is_empty() || !self.has_room(state) {
            return Ok(());
        }
        if state.threads > state.running {
            self.wake.notify_one();
            return Ok(());
        }
        if state.threads > 0 && state.giants == 0 && state.queue.bytes() < BYTES_FOR_THREAD {
            // The existing threads take the task before a new one could.
            return Ok(());
        }
        let shared = self.clone();
        let thread = std::thread::Builder::new().name(crate::COMPILE_THREAD.to_owned()).stack_size(STACK_SIZE);
        match check_room(STACK_SIZE).and_then(|()| spawn_elsewhere(thread, move || work(&shared))) {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == 0 => return Err(error),
            // The existing threads take the task.
            Err(_) => {}
        }
        Ok(())
    }
}

impl<T: Task> Workers<T> {
    /// Creates workers without a thread. They start at most `most` threads, and one more while a giant is being compiled.
    pub(crate) fn new(most: usize) -> Workers<T> {
        let state = State { queue: CompileQueue::default(), threads: 0, running: 0, giants: 0, closed: false };
        let shared = Shared { state: Mutex::new(state), wake: Condvar::new(), most, tasks: AtomicUsize::new(0) };
        Workers { shared: Arc::new(shared) }
    }

    /// Returns the number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.shared.lock().threads
    }

    /// Returns true if no task waits or runs. Takes no lock.
    pub(crate) fn are_idle(&self) -> bool {
        self.shared.tasks.load(Ordering::Relaxed) == 0
    }

    /// Submits a task.
    ///
    /// # Errors
    /// If there is no thread yet and the system refuses to start one. All tasks that wait are then postponed.
    pub(crate) fn submit(&self, waiting: Waiting<T>) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.queue.push(waiting);
        self.shared.tasks.fetch_add(1, Ordering::Relaxed);
        let provided = self.shared.provide(&mut state);
        if provided.is_err() {
            let queue = std::mem::take(&mut state.queue);
            self.shared.tasks.store(0, Ordering::Relaxed);
            drop(state);
            queue.into_tasks().for_each(Task::postpone);
        }
        provided
    }
}

impl<T: Task> Drop for Workers<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.wake.notify_all();
        drop(queue);
    }
}

/// Runs tasks until the workers are dropped: the function of a compiler thread.
fn work<T: Task>(shared: &Arc<Shared<T>>) {
    wasmr_runtime::sys::lower_priority();
    let mut context = T::Context::default();
    let mut state = shared.lock();
    while !state.closed {
        let next = if shared.has_room(&state) { state.queue.pop() } else { None };
        let Some(Waiting { task, size, .. }) = next else {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let giant = usize::from(size >= GIANT);
        state.running += 1;
        state.giants += giant;
        // While a giant runs, one more task may.
        let _ = shared.provide(&mut state);
        drop(state);
        if catch_unwind(AssertUnwindSafe(|| task.run(&mut context))).is_err() {
            task.fail();
            // The panic may have left the context inconsistent.
            context = T::Context::default();
        }
        shared.tasks.fetch_sub(1, Ordering::Relaxed);
        state = shared.lock();
        state.running -= 1;
        state.giants -= giant;
    }
    state.threads -= 1;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// A task that sends its outcome. It waits first, if it has something to wait for.
    struct Say {
        what: &'static str,
        to: Sender<String>,
        wait: Option<Receiver<()>>,
    }

    impl Hot for Say {
        fn hotness(&self) -> u32 {
            1
        }
    }

    impl Task for Say {
        type Context = u32;

        fn run(&self, context: &mut u32) {
            *context += 1;
            if let Some(wait) = &self.wait {
                wait.recv().unwrap();
            }
            assert_ne!(self.what, "panic", "as the test wants");
            self.to.send(format!("{} {context}", self.what)).unwrap();
        }

        fn fail(self) {
            self.to.send(format!("{} failed", self.what)).unwrap();
        }

        fn postpone(self) {
            self.to.send(format!("{} postponed", self.what)).unwrap();
        }
    }

    fn waiting(task: Say, size: usize) -> Waiting<Say> {
        Waiting { task, size, is_loop: false, least_worth: 0 }
    }

    const TIME_LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_panic_costs_one_task_and_the_context() {
        let workers = Workers::new(1);
        assert_eq!(workers.threads(), 0, "there is nothing to do yet");
        let (to, said) = channel();
        for what in ["one", "panic", "two"] {
            let say = Say { what, to: to.clone(), wait: None };
            workers.submit(waiting(say, 1)).unwrap();
        }
        let all: Vec<String> = (0..3).map(|_| said.recv_timeout(TIME_LIMIT).unwrap()).collect();
        assert_eq!(all, ["one 1", "panic failed", "two 1"]);
        assert_eq!(workers.threads(), 1);
    }

    #[test]
    fn others_run_while_a_giant_does() {
        let workers = Workers::new(1);
        let (to, said) = channel();
        let (go, wait) = channel();
        let giant = Say { what: "giant", to: to.clone(), wait: Some(wait) };
        workers.submit(waiting(giant, GIANT)).unwrap();
        while workers.shared.lock().giants == 0 {
            std::thread::yield_now();
        }
        workers.submit(waiting(Say { what: "small", to, wait: None }, 1)).unwrap();
        assert_eq!(said.recv_timeout(TIME_LIMIT).unwrap(), "small 1");
        assert_eq!(workers.threads(), 2);
        go.send(()).unwrap();
        assert_eq!(said.recv_timeout(TIME_LIMIT).unwrap(), "giant 1");
        // The second thread stays, but only one task runs while none is giant.
        let (go, wait) = channel();
        let (to, said) = channel();
        workers.submit(waiting(Say { what: "slow", to: to.clone(), wait: Some(wait) }, 1)).unwrap();
        while workers.shared.lock().running == 0 {
            std::thread::yield_now();
        }
        workers.submit(waiting(Say { what: "next", to, wait: None }, 1)).unwrap();
        assert!(said.recv_timeout(Duration::from_millis(20)).is_err());
        go.send(()).unwrap();
        assert!(said.recv_timeout(TIME_LIMIT).unwrap().starts_with("slow"));
        assert!(said.recv_timeout(TIME_LIMIT).unwrap().starts_with("next"));
    }

    #[test]
    fn another_thread_starts_when_much_waits() {
        let workers = Workers::new(3);
        let (to, said) = channel();
        let (go, wait) = channel();
        assert!(workers.are_idle());
        workers.submit(waiting(Say { what: "first", to: to.clone(), wait: Some(wait) }, 1)).unwrap();
        while workers.shared.lock().running == 0 {
            std::thread::yield_now();
        }
        workers.submit(waiting(Say { what: "small", to: to.clone(), wait: None }, BYTES_FOR_THREAD - 1)).unwrap();
        assert_eq!(workers.threads(), 1);
        assert!(!workers.are_idle());
        workers.submit(waiting(Say { what: "smaller", to, wait: None }, 1)).unwrap();
        assert_eq!(workers.threads(), 2);
        let two: Vec<String> = (0..2).map(|_| said.recv_timeout(TIME_LIMIT).unwrap()).collect();
        assert!(two.iter().all(|said| said.starts_with("small")), "{two:?}");
        go.send(()).unwrap();
        assert_eq!(said.recv_timeout(TIME_LIMIT).unwrap(), "first 1");
    }

    #[test]
    fn as_many_threads_start_as_have_work_and_what_pays_most_comes_first() {
        let workers = Workers::new(7);
        let (to, said) = channel();
        let submit = |what, size| {
            let (go, wait) = channel();
            workers.submit(waiting(Say { what, to: to.clone(), wait: Some(wait) }, size)).unwrap();
            go
        };
        let wait_for = |running| {
            while workers.shared.lock().running < running {
                std::thread::yield_now();
            }
        };
        let mut all = vec![submit("first", 100)];
        wait_for(1);
        all.extend([("large", 400), ("middle", 300), ("small", 200)].map(|(what, size)| submit(what, size)));
        assert_eq!(workers.threads(), 1, "one thread takes these before another one has started");
        assert!(!workers.are_idle(), "one task suffices, however many threads there may be");
        all.iter().for_each(|go| go.send(()).unwrap());
        let order: Vec<String> = (0..4).map(|_| said.recv_timeout(TIME_LIMIT).unwrap()).collect();
        assert_eq!(order, ["first 1", "small 2", "middle 3", "large 4"]);
        let all: Vec<Sender<()>> = (0..9).map(|_| submit("much", BYTES_FOR_THREAD)).collect();
        wait_for(7);
        assert_eq!(workers.threads(), 7);
        all.iter().for_each(|go| go.send(()).unwrap());
        assert!((0..9).all(|_| said.recv_timeout(TIME_LIMIT).unwrap().starts_with("much")));
        assert_eq!(workers.threads(), 7);
    }

    #[test]
    fn threads_end_with_the_workers() {
        let workers: Workers<Say> = Workers::new(1);
        let (to, said) = channel();
        workers.submit(waiting(Say { what: "one", to, wait: None }, 1)).unwrap();
        said.recv_timeout(TIME_LIMIT).unwrap();
        let shared = workers.shared.clone();
        drop(workers);
        while shared.lock().threads > 0 {
            std::thread::yield_now();
        }
    }
}
