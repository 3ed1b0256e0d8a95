//! The processor on which a thread begins.
//!
//! In a virtual machine, Linux often lets a new thread wait for the processor of the thread that made it, although another one is idle:
//! `available_idle_cpu` in [kernel/sched](https://elixir.bootlin.com/linux/v6.12/source/kernel/sched/syscalls.c) takes no virtual
//! processor that the host has preempted, and one that halts counts as preempted. The thread waits until the next timer tick, 1 to
//! 4 ms, and its maker waits for it in turn. [`spawn_elsewhere`] therefore forbids the new thread the processor of its maker until it
//! runs.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Spawns a thread that begins on another processor than the caller's, if the process may use another one and the system allows it.
/// From then on the thread may run on each processor that the caller may use.
///
/// # Errors
/// Returns an error if the system refuses to start the thread.
pub fn spawn_elsewhere(builder: Builder, main: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    #[cfg(all(target_os = "linux", not(miri)))]
    return linux::spawn_beside(builder, || {}, main);
    #[cfg(not(all(target_os = "linux", not(miri))))]
    builder.spawn(main)
}

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use std::io;
    use std::mem::size_of;
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::mpsc::sync_channel;
    use std::thread::{Builder, JoinHandle};

    use libc::cpu_set_t;

    /// As [`spawn_elsewhere`](super::spawn_elsewhere). The thread calls `begin` before it may use the caller's processor. If the caller
    /// may use no other one, `begin` is dropped.
    pub(super) fn spawn_beside(
        builder: Builder,
        begin: impl FnOnce() + Send + 'static,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let Some((all, others)) = allowed().and_then(|all| Some((all, without_this(all)?))) else {
            return builder.spawn(main);
        };
        let (placed, is_placed) = sync_channel::<()>(1);
        let thread = builder.spawn(move || {
            // An error is as good: the caller is past the call that needs this thread.
            let _ = is_placed.recv();
            begin();
            // SAFETY: `all` is a valid set of processors. If the system refuses, the thread keeps the others.
            unsafe { libc::sched_setaffinity(0, size_of::<cpu_set_t>(), &raw const all) };
            main();
        })?;
        // SAFETY: the thread has not ended, as it waits for `placed`, and `others` is a valid set of processors. If the system refuses,
        // the thread begins anywhere.
        unsafe { libc::pthread_setaffinity_np(thread.as_pthread_t(), size_of::<cpu_set_t>(), &raw const others) };
        let _ = placed.send(());
        Ok(thread)
    }

    /// Returns the processors that the calling thread may use; `None` if the system has more than a set has room for.
    fn allowed() -> Option<cpu_set_t> {
        // SAFETY: a set is valid with all bits 0, and the system writes no more than its size.
        unsafe {
            let mut all: cpu_set_t = std::mem::zeroed();
            (libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &raw mut all) == 0).then_some(all)
        }
    }

    /// Takes the processor on which the calling thread runs out of a set. Returns `None` if no other is left.
    fn without_this(mut set: cpu_set_t) -> Option<cpu_set_t> {
        // SAFETY: no preconditions.
        let here = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
        if here >= size_of::<cpu_set_t>() * 8 {
            return None;
        }
        // SAFETY: the set has a bit for this processor.
        let left = unsafe {
            libc::CPU_CLR(here, &mut set);
            libc::CPU_COUNT(&set)
        };
        (left > 0).then_some(set)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_thread_begins_beside_its_maker_and_may_then_run_anywhere() {
            // SAFETY: no preconditions.
            let count = || allowed().map(|set| unsafe { libc::CPU_COUNT(&set) });
            let all = count().unwrap();
            let (say, said) = sync_channel(2);
            let begun = say.clone();
            let thread =
                spawn_beside(Builder::new(), move || begun.send(count()).unwrap(), move || say.send(count()).unwrap());
            thread.unwrap().join().unwrap();
            let counts: Vec<_> = said.into_iter().collect();
            let expected = if all == 1 { vec![Some(1)] } else { vec![Some(all - 1), Some(all)] };
            assert_eq!(counts, expected);
        }
    }
}
