//! Waiting: the one place where a host call sleeps.
//!
//! In: a descriptor and the readiness to wait for. Out: readiness, or [`Exit::Interrupted`]. All waiting goes through
//! [`poll(2)`], never through a loop that spins. Every wait also watches the store's [`InterruptHandle`], if there is one. So
//! a time limit ends a guest that sleeps, or that reads from a silent terminal, as surely as a guest that computes.
//!
//! Two kinds of non-blocking are distinct:
//!
//! - The guest's is `NONBLOCK` in its descriptor flags. An operation that would block returns `AGAIN` to the guest.
//! - The host's is an implementation detail. Every host descriptor opened for a guest is non-blocking. An operation that would
//!   block returns to this file, which waits in a `poll(2)` that an interrupt can end.
//!
//! The standard streams are an exception. This process shares them with the process that started it and must not change their
//! mode ([POSIX fcntl]: file status flags belong to the open file description). Calls therefore ask for readiness before they
//! use one.
//!
//! [`poll(2)`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/poll.html
//! [POSIX fcntl]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/fcntl.html

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as HostErrno;
use wasmr_runtime::InterruptHandle;

use crate::errno::Errno;
use crate::exit::{Exit, Fail};

/// Returns [`Exit::Interrupted`] if the guest was interrupted.
pub(crate) fn check(interrupt: Option<&InterruptHandle>) -> Result<(), Exit> {
    match interrupt {
        Some(interrupt) if interrupt.is_interrupted() => Err(Exit::Interrupted),
        _ => Ok(()),
    }
}

/// Longest single wait, 50 ms, if the host has no descriptor left with which `poll` could watch the interrupt.
const SLICE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Waits until one of `fds` is ready or `timeout` has passed; `None` waits without end. A signal, or a lack of host
/// descriptors, ends the wait early with no descriptor ready. The caller then checks its deadlines and calls again.
pub(crate) fn poll_once<'a>(
    interrupt: Option<&'a InterruptHandle>,
    fds: &mut Vec<PollFd<'a>>,
    timeout: Option<Timespec>,
) -> Result<(), Fail> {
    check(interrupt)?;
    let result = match interrupt.map(InterruptHandle::wake) {
        None => poll(fds, timeout.as_ref()),
        Some(Err(_)) => {
            let slice = timeout.map_or(SLICE, |timeout| timeout.min(SLICE));
            poll(fds, Some(&slice))
        }
        Some(Ok(wake)) => {
            let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(fds.len() + 1);
            watched.append(fds);
            watched.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
            let result = poll(&mut watched, timeout.as_ref());
            watched.pop();
            *fds = watched;
            result
        }
    };
    check(interrupt)?;
    match result {
        Ok(_) | Err(HostErrno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Pauses between two tries of an operation that `poll(2)` cannot watch. The first is 1 ms, and each is twice as long as the
/// one before, so that an early success is found early.
#[derive(Debug)]
pub(crate) struct Pauses {
    nanoseconds: i64,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses { nanoseconds: 1_000_000 }
    }
}

impl Pauses {
    /// Longest pause: 16 ms.
    const LONGEST: i64 = 16_000_000;

    /// Sleeps for the next pause, or until one of `fds` is ready.
    pub(crate) fn pause<'a>(
        &mut self,
        interrupt: Option<&'a InterruptHandle>,
        fds: &mut Vec<PollFd<'a>>,
    ) -> Result<(), Fail> {
        let pause = Timespec { tv_sec: 0, tv_nsec: self.nanoseconds };
        self.nanoseconds = (2 * self.nanoseconds).min(Pauses::LONGEST);
        poll_once(interrupt, fds, Some(pause))
    }
}

/// Waits until `fd` is ready for `wanted`.
pub(crate) fn until_ready(
    interrupt: Option<&InterruptHandle>,
    fd: BorrowedFd<'_>,
    wanted: PollFlags,
) -> Result<(), Fail> {
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(fd, wanted)];
        poll_once(interrupt, &mut fds, None)?;
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}

/// Returns true if `fd` is ready for `wanted` now.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, wanted: PollFlags) -> Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    Ok(!fds[0].revents().is_empty())
}

/// Wait mode: whether an operation on a descriptor may block, and what ends the wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitMode<'a> {
    /// Handle that ends the wait from outside.
    pub interrupt: Option<&'a InterruptHandle>,
    /// False for regular files, whose reads and writes always return.
    pub may_wait: bool,
    /// True if the guest wants `AGAIN` instead of a wait.
    pub nonblock: bool,
    /// True if the host's descriptor may block, because this process must not change its mode.
    pub host_blocks: bool,
}

impl WaitMode<'_> {
    /// Runs `operation` on `fd`. If it would block and the mode permits a wait, waits until `fd` is ready for `wanted` and
    /// runs it again.
    pub(crate) fn run<T>(
        self,
        fd: BorrowedFd<'_>,
        wanted: PollFlags,
        mut operation: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T, Fail> {
        if self.may_wait && self.host_blocks {
            if self.nonblock {
                if !is_ready(fd, wanted)? {
                    return Err(Errno::Again.into());
                }
            } else if self.interrupt.is_some() {
                until_ready(self.interrupt, fd, wanted)?;
            }
        }
        loop {
            match operation() {
                Err(HostErrno::INTR) => check(self.interrupt)?,
                Err(HostErrno::AGAIN) if self.may_wait && !self.nonblock => until_ready(self.interrupt, fd, wanted)?,
                result => return Ok(result?),
            }
        }
    }
}
