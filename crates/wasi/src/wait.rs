//! Waiting: the one place where a host call sleeps.
//!
//! In: a descriptor and what it should become ready for. Out: readiness, or [`Exit::Interrupted`]. All waiting goes through
//! `poll(2)`, never a loop that spins, and every wait also watches the store's [`InterruptHandle`], if somebody has one, so
//! that a time limit ends a guest that sleeps or reads from a silent terminal as surely as one that computes.
//!
//! Two kinds of "would block" are kept apart. The guest's is `NONBLOCK` in its descriptor flags, and `AGAIN` to the guest. The
//! host's is ours alone: every descriptor that was opened for a guest is non-blocking on the host, so an operation that
//! would block comes back and waits here, where it can be interrupted. The standard streams are the exception: they are
//! shared with whoever started us and keep the mode they have, so readiness is asked before they are touched.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as HostErrno;
use wasmr_runtime::InterruptHandle;

use crate::errno::Errno;
use crate::exit::{Exit, Fail};

/// `Interrupted` if the guest was told to stop.
pub(crate) fn check(interrupt: Option<&InterruptHandle>) -> Result<(), Exit> {
    match interrupt {
        Some(interrupt) if interrupt.is_interrupted() => Err(Exit::Interrupted),
        _ => Ok(()),
    }
}

/// How long a wait lasts at most when there is no descriptor left to watch the interrupt with.
const SLICE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Waits until one of `fds` is ready or `timeout` has passed; `None` waits without end. A signal, and a lack of host
/// descriptors, end the wait early with no descriptor ready: the caller knows its deadlines and calls again.
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

/// The pauses between looks at what `poll(2)` cannot watch: short at first, so that what comes soon is seen soon.
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
    /// The longest one.
    const LONGEST: i64 = 16_000_000;

    /// Sleeps until one of `fds` is ready, or for twice as long as the last time.
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

/// Whether `fd` is ready for `wanted` at this moment.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, wanted: PollFlags) -> Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    Ok(!fds[0].revents().is_empty())
}

/// How an operation on a descriptor may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// Ends the wait from outside.
    pub interrupt: Option<&'a InterruptHandle>,
    /// The operation can wait at all: not so for regular files, whose reads and writes always return.
    pub may_wait: bool,
    /// The guest wants `AGAIN` instead.
    pub nonblock: bool,
    /// The host's descriptor may block, as its mode is not ours to set.
    pub host_blocks: bool,
}

impl Patience<'_> {
    /// Runs `operation` until it succeeds, fails for good, or may not wait any longer.
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
