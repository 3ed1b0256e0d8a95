//! [`InterruptHandle`]: stops a store's guest from another thread, in code or in a wait.
//!
//! A guest can be in one of three places:
//! - The interpreter polls a flag ([`VmStore::interrupt`](crate::vm::VmStore::interrupt)).
//! - Compiled code polls nothing and is found by a signal ([`sys::preempt`](crate::sys::preempt)). The signal may
//!   arrive while the guest is elsewhere, so a thread repeats it until the guest has ended.
//! - A host function that waits for a descriptor or for time also watches a pipe ([`InterruptHandle::wake`]), which is
//!   readable while the flag is set. A wait in a shared memory needs no descriptor: the interrupter unparks the thread
//!   ([`InterruptHandle::unpark_when_raised`]).
//!
//! # Invariants
//! Flag and pipe change together, under one lock. Once created, the pipe holds one byte exactly while the flag is set. The
//! parked thread is known under the same lock, so that a thread either sees the flag or is unparked.
//!
//! # Why is the pipe created late?
//! The pipe costs two descriptors. Most stores are never interrupted, and most of the others never wait. So only the first wait
//! of a guest with a shared handle creates it.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use crate::sys::preempt::{preempt, thread_id};

/// Stops a store's guest from another thread. Clones act on the same guest.
#[derive(Clone, Debug, Default)]
pub struct InterruptHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    pipe: OnceLock<(PipeReader, PipeWriter)>,
    /// The thread to unpark when the flag is set, while it waits in a shared memory.
    change: Mutex<Option<Thread>>,
    /// Id of the thread that runs the guest, 0 if none does.
    thread: AtomicI32,
}

/// The interrupted guests that still run, and the state of the thread that sends them signals.
struct Stopping {
    guests: Vec<Weak<Shared>>,
    has_thread: bool,
}

static STOPPING: Mutex<Stopping> = Mutex::new(Stopping { guests: Vec::new(), has_thread: false });

impl Stopping {
    /// Adds a guest, and calls `start` to start the thread if it does not run. If `start` fails, the next call tries again.
    fn add(&mut self, guest: &Arc<Shared>, start: impl FnOnce() -> io::Result<()>) {
        let same = |other: &Weak<Shared>| other.as_ptr() == Arc::as_ptr(guest);
        self.guests.retain(|other| other.strong_count() > 0 && !same(other));
        self.guests.push(Arc::downgrade(guest));
        if !self.has_thread {
            self.has_thread = start().is_ok();
        }
    }
}

/// Time between two signals to a guest that is to stop.
const RESEND_INTERVAL: Duration = Duration::from_millis(2);

/// Sends signals until no guest is left to stop.
fn stop_all() {
    loop {
        let mut stopping = STOPPING.lock().unwrap_or_else(PoisonError::into_inner);
        stopping.guests.retain(|shared| {
            let Some(shared) = shared.upgrade() else { return false };
            let thread = shared.thread.load(Ordering::SeqCst);
            let is_running = thread != 0 && shared.raised.load(Ordering::SeqCst);
            if is_running {
                preempt(thread);
            }
            is_running
        });
        if stopping.guests.is_empty() {
            stopping.has_thread = false;
            return;
        }
        drop(stopping);
        std::thread::sleep(RESEND_INTERVAL);
    }
}

impl Shared {
    fn change(&self) -> MutexGuard<'_, Option<Thread>> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the byte. The write neither blocks nor fails: the pipe is empty, and this process has its other end open.
    fn wake(mut writer: &PipeWriter) {
        let _ = writer.write_all(&[1]);
    }
}

impl InterruptHandle {
    /// Returns a handle of no store, for tests of host functions that wait.
    pub fn new() -> InterruptHandle {
        InterruptHandle::default()
    }

    /// Makes the guest trap with "interrupted": within milliseconds if it computes, at once if it waits in a host
    /// function that watches [`wake`](InterruptHandle::wake), as those of WASI do. Every later call traps as well,
    /// until [`clear`](InterruptHandle::clear).
    ///
    /// Takes a lock for a moment, so signal handlers must not call it.
    pub fn interrupt(&self) {
        let change = self.0.change();
        let was_raised = self.0.raised.swap(true, Ordering::SeqCst);
        if !was_raised && let Some((_, writer)) = self.0.pipe.get() {
            Shared::wake(writer);
        }
        if let Some(parked) = &*change {
            parked.unpark();
        }
        drop(change);
        let thread = self.0.thread.load(Ordering::SeqCst);
        if thread == 0 {
            return;
        }
        preempt(thread);
        let mut stopping = STOPPING.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the thread there is only the one signal above, which nearly always suffices.
        stopping
            .add(&self.0, || std::thread::Builder::new().name("wasmr-interrupt".to_owned()).spawn(stop_all).map(drop));
    }

    /// Records that the calling thread runs the guest, until [`leave`](InterruptHandle::leave). Returns false if the
    /// guest must not run: it was interrupted before, and the signals for that are over.
    ///
    /// A handle that only the store has stays so until then, because the run borrows the store exclusively. So nobody would look for
    /// the thread, and the store that orders it before the flag is read, most of the cost of an empty call, is left out.
    pub(crate) fn enter(&self) -> bool {
        if self.is_shared() {
            self.0.thread.store(thread_id(), Ordering::SeqCst);
        } else {
            // A clone that is gone may have been interrupted first.
            fence(Ordering::Acquire);
        }
        !self.0.raised.load(Ordering::SeqCst)
    }

    /// Records that no thread runs the guest. A signal that is sent all the same has no effect.
    pub(crate) fn leave(&self) {
        self.0.thread.store(0, Ordering::Release);
    }

    /// Makes an interrupt unpark the calling thread, until the result is dropped. The thread reads
    /// [`is_interrupted`](InterruptHandle::is_interrupted) before it parks, and after that.
    pub(crate) fn unpark_when_raised(&self) -> Parked<'_> {
        *self.0.change() = Some(std::thread::current());
        Parked(self)
    }

    /// Lets the guest run again.
    pub fn clear(&self) {
        let _change = self.0.change();
        if self.0.raised.swap(false, Ordering::SeqCst)
            && let Some((reader, _)) = self.0.pipe.get()
        {
            // By the invariant, the pipe has the byte.
            let _ = { reader }.read(&mut [0]);
        }
    }

    /// Returns true if the guest was asked to stop.
    pub fn is_interrupted(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Returns a pipe that is readable while the guest is asked to stop, for host functions that wait. They watch it in
    /// the same `poll(2)`, never read from it, and end with
    /// [`TrapCode::Interrupted`](wasmr_core::trap::TrapCode::Interrupted).
    ///
    /// # Errors
    /// If the process has no descriptors left. The caller can still poll
    /// [`is_interrupted`](InterruptHandle::is_interrupted).
    pub fn wake(&self) -> io::Result<&PipeReader> {
        if self.0.pipe.get().is_none() {
            let _change = self.0.change();
            if self.0.pipe.get().is_none() {
                let pipe = io::pipe()?;
                if self.is_interrupted() {
                    Shared::wake(&pipe.1);
                }
                // No other thread can have set it: that needs the lock.
                let _ = self.0.pipe.set(pipe);
            }
        }
        let (reader, _) = self.0.pipe.get().ok_or(io::ErrorKind::NotFound)?;
        Ok(reader)
    }

    /// Returns true if the store is not the only owner of the handle.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Returns the flag that the interpreter polls and the signal handler reads; valid as long as any clone.
    pub(crate) fn flag(&self) -> *const AtomicBool {
        &raw const self.0.raised
    }
}

/// The registration of a parked thread.
pub(crate) struct Parked<'a>(&'a InterruptHandle);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        *self.0.0.change() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::thread;
    use std::time::Duration;

    fn readable(handle: &InterruptHandle) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(handle.wake().unwrap(), PollFlags::IN)], Some(&now)).unwrap() == 1
    }

    #[test]
    fn flag_and_pipe_agree_in_any_order() {
        let early = InterruptHandle::new();
        early.interrupt();
        early.interrupt();
        assert!(early.is_interrupted() && readable(&early), "a pipe created after the interrupt holds the byte");
        early.clear();
        early.clear();
        assert!(!early.is_interrupted() && !readable(&early));
        early.clone().interrupt();
        assert!(early.is_interrupted() && readable(&early));
    }

    #[test]
    fn many_threads_leave_them_agreeing() {
        let handle = InterruptHandle::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        handle.interrupt();
                        handle.wake().unwrap();
                        handle.clear();
                    }
                });
            }
            thread::sleep(Duration::from_millis(1));
        });
        assert_eq!((handle.is_interrupted(), readable(&handle)), (false, false));
        handle.interrupt();
        assert!(readable(&handle));
    }

    #[test]
    fn a_thread_that_does_not_start_is_tried_again() {
        let mut stopping = Stopping { guests: Vec::new(), has_thread: false };
        let (first, second) = (Arc::new(Shared::default()), Arc::new(Shared::default()));
        stopping.add(&first, || Err(io::ErrorKind::WouldBlock.into()));
        assert!(!stopping.has_thread);
        stopping.add(&first, || Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(stopping.guests.len(), 1);
        stopping.add(&second, || Ok(()));
        assert!(stopping.has_thread, "the guests that had no thread have it now");
        assert_eq!(stopping.guests.len(), 2);
        stopping.add(&first, || panic!("one is enough"));
        drop(second);
        stopping.add(&first, || panic!("one is enough"));
        assert_eq!(stopping.guests.len(), 1, "a guest that is gone is forgotten");
    }

    #[test]
    fn a_handle_that_is_gone_has_stopped_the_guest_all_the_same() {
        let handle = InterruptHandle::new();
        assert!(handle.enter());
        handle.leave();
        let other = handle.clone();
        other.interrupt();
        drop(other);
        assert!(!handle.enter());
        handle.leave();
        handle.clear();
        assert!(handle.enter());
    }

    #[test]
    fn a_clone_makes_a_handle_shared() {
        let handle = InterruptHandle::new();
        assert!(!handle.is_shared());
        let other = handle.clone();
        assert!(handle.is_shared());
        drop(other);
        assert!(!handle.is_shared());
    }
}
