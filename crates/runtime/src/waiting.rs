//! The waits of one shared memory: `memory.atomic.wait32`, `wait64` and `notify`
//! ([proposal](https://github.com/WebAssembly/threads/blob/main/proposals/threads/Overview.md#wait-and-notify-operators)).
//!
//! In: a thread that found the expected value at an address. Out: the reason why it goes on: a notification, the timeout, or
//! an interrupt. Nothing else ends a wait.
//!
//! Waiting threads are in queues by address. An address belongs to one of a fixed number of buckets, each with a lock, so that
//! a guest makes the host allocate no more than one entry for each of its threads.
//!
//! # Why is no notification lost?
//! The comparison with the expected value happens under the lock of the bucket. A thread that changes the value and then
//! notifies takes the same lock afterwards. So either the comparison sees the new value, or the notification finds the waiter
//! in the queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::interrupt::InterruptHandle;

/// Number of buckets, so that threads that wait at different addresses seldom meet at a lock.
const BUCKETS: usize = 32;

/// The reason why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitResult {
    /// Another thread notified this one. The operator's result is 0.
    Ok = 0,
    /// The memory had another value, so the thread did not wait. The operator's result is 1.
    Mismatch = 1,
    /// The time was over. The operator's result is 2.
    TimedOut = 2,
}

/// The guest was interrupted while it waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// A thread in a queue.
#[derive(Debug)]
struct Waiter {
    /// Address in the memory.
    address: u64,
    thread: Thread,
    /// Set under the lock of the bucket, by the thread that takes the waiter from the queue.
    notified: AtomicBool,
}

/// The queues of one memory.
#[derive(Debug, Default)]
pub(crate) struct WaitQueues([Mutex<VecDeque<Arc<Waiter>>>; BUCKETS]);

impl WaitQueues {
    fn bucket(&self, address: u64) -> MutexGuard<'_, VecDeque<Arc<Waiter>>> {
        // Addresses are multiples of at least 4.
        self.0[(address >> 2) as usize % BUCKETS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at `address` if `has_expected_value` returns true, which is called under the lock of the address.
    ///
    /// # Errors
    /// [`Interrupted`] if `interrupt` was raised before or during the wait.
    pub(crate) fn wait(
        &self,
        address: u64,
        has_expected_value: impl FnOnce() -> bool,
        timeout: Option<Duration>,
        interrupt: Option<&InterruptHandle>,
    ) -> Result<WaitResult, Interrupted> {
        // A time beyond the range of the clock is no limit.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let waiter = Arc::new(Waiter { address, thread: thread::current(), notified: AtomicBool::new(false) });
        let mut queue = self.bucket(address);
        if !has_expected_value() {
            return Ok(WaitResult::Mismatch);
        }
        queue.push_back(waiter.clone());
        drop(queue);

        let watch = interrupt.map(InterruptHandle::unpark_when_raised);
        let is_interrupted = || interrupt.is_some_and(InterruptHandle::is_interrupted);
        // `park` also returns without a reason, so the conditions decide alone.
        while !waiter.notified.load(Ordering::Acquire) && !is_interrupted() {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
        drop(watch);

        let mut queue = self.bucket(address);
        let was_notified = waiter.notified.load(Ordering::Acquire);
        if !was_notified {
            queue.retain(|other| !Arc::ptr_eq(other, &waiter));
        }
        match was_notified {
            _ if is_interrupted() => Err(Interrupted),
            true => Ok(WaitResult::Ok),
            false => Ok(WaitResult::TimedOut),
        }
    }

    /// Ends up to `count` waits at `address`, the longest first. Returns their number.
    pub(crate) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut woken = Vec::new();
        let mut queue = self.bucket(address);
        queue.retain(|waiter| {
            let is_woken = woken.len() < count as usize && waiter.address == address;
            if is_woken {
                waiter.notified.store(true, Ordering::Release);
                woken.push(waiter.thread.clone());
            }
            !is_woken
        });
        drop(queue);
        for thread in &woken {
            thread.unpark();
        }
        woken.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn waiting(queues: &WaitQueues) -> usize {
        queues.0.iter().map(|bucket| bucket.lock().unwrap().len()).sum()
    }

    /// Waits until so many threads are in the queues.
    fn until_waiting(queues: &WaitQueues, count: usize) {
        while waiting(queues) < count {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_wait_ends_by_notification_mismatch_or_time() {
        let queues = WaitQueues::default();
        assert_eq!(queues.wait(8, || false, None, None), Ok(WaitResult::Mismatch));
        let before = Instant::now();
        assert_eq!(queues.wait(8, || true, Some(Duration::from_millis(20)), None), Ok(WaitResult::TimedOut));
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert_eq!(queues.wait(8, || true, Some(Duration::ZERO), None), Ok(WaitResult::TimedOut));
        assert_eq!((waiting(&queues), queues.notify(8, 1)), (0, 0));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| queues.wait(8, || true, Some(Duration::MAX), None));
            until_waiting(&queues, 1);
            assert_eq!(
                (queues.notify(8, 0), queues.notify(12, 5), queues.notify(8 + 4 * BUCKETS as u64, 5)),
                (0, 0, 0)
            );
            waiter.thread().unpark();
            assert_eq!(queues.notify(8, 5), 1);
            assert_eq!(waiter.join().unwrap(), Ok(WaitResult::Ok));
        });
    }

    #[test]
    fn waiters_are_woken_in_the_order_of_their_waits() {
        let queues = WaitQueues::default();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..4 {
                let (queues, order) = (&queues, &order);
                scope.spawn(move || {
                    queues.wait(16, || true, None, None).unwrap();
                    order.lock().unwrap().push(number);
                });
                until_waiting(queues, number + 1);
            }
            for number in 0..4 {
                assert_eq!(queues.notify(16, 1), 1);
                while order.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn an_interrupt_ends_a_wait() {
        let queues = WaitQueues::default();
        let interrupt = InterruptHandle::new();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| queues.wait(8, || true, None, Some(&interrupt)));
            until_waiting(&queues, 1);
            interrupt.interrupt();
            assert_eq!(waiter.join().unwrap(), Err(Interrupted));
        });
        assert_eq!(queues.wait(8, || true, None, Some(&interrupt)), Err(Interrupted), "it was raised before");
        assert_eq!(waiting(&queues), 0);
    }

    #[test]
    fn no_notification_is_lost() {
        let queues = WaitQueues::default();
        let turn = AtomicU32::new(0);
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        thread::scope(|scope| {
            for me in 0..2 {
                let (queues, turn) = (&queues, &turn);
                scope.spawn(move || {
                    for _ in 0..rounds {
                        while turn.load(Ordering::SeqCst) != me {
                            let is_others = || turn.load(Ordering::SeqCst) != me;
                            queues.wait(64, is_others, None, None).unwrap();
                        }
                        turn.store(1 - me, Ordering::SeqCst);
                        queues.notify(64, 1);
                    }
                });
            }
        });
        assert_eq!(waiting(&queues), 0);
    }
}
