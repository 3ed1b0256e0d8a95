//! Waiting: the one place where a host call sleeps.
//!
//! In: a descriptor and what it should become ready for. Out: readiness, or [`Exit::Interrupted`]. All waiting goes through
//! `poll(2)`, never a loop that spins, and every wait also watches the [`Interrupter`], so that a time limit ends a guest
//! that sleeps or reads from a silent terminal as surely as one that computes.
//!
//! Two kinds of "would block" are kept apart. The guest's is `NONBLOCK` in its descriptor flags, and `AGAIN` to the guest. The
//! host's is ours alone: every descriptor that was opened for a guest is non-blocking on the host, so an operation that
//! would block comes back and waits here, where it can be interrupted. The standard streams are the exception: they are
//! shared with whoever started us and keep the mode they have, so readiness is asked before they are touched.

use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as HostErrno;

use crate::errno::Errno;
use crate::exit::{Exit, Fail};

/// Ends the waits of the guests it was given to, now and forever. Clones act on the same guests.
#[derive(Clone, Debug)]
pub struct Interrupter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    raised: AtomicBool,
    /// Becomes readable when raised and is never drained, so that any number of waits see it.
    wake: PipeReader,
    raise: PipeWriter,
}

impl Interrupter {
    /// A fresh one; fails when the host is out of descriptors.
    pub fn new() -> std::io::Result<Self> {
        let (wake, raise) = std::io::pipe()?;
        Ok(Interrupter { shared: Arc::new(Shared { raised: AtomicBool::new(false), wake, raise }) })
    }

    /// Makes every wait of the guests, present and future, end with [`Exit::Interrupted`]. Any thread may call it.
    pub fn interrupt(&self) {
        if !self.shared.raised.swap(true, Ordering::SeqCst) {
            // One byte into an empty pipe neither blocks nor fails while we hold its other end.
            let _ = (&self.shared.raise).write_all(&[1]);
        }
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::SeqCst)
    }
}

/// `Interrupted` if the guest was told to stop.
pub(crate) fn check(interrupter: Option<&Interrupter>) -> Result<(), Exit> {
    match interrupter {
        Some(interrupter) if interrupter.is_raised() => Err(Exit::Interrupted),
        _ => Ok(()),
    }
}

/// Waits until one of `fds` is ready or `timeout` has passed; `None` waits without end. A signal ends the wait early with
/// no descriptor ready: the caller knows its deadlines and calls again.
pub(crate) fn poll_once<'a>(
    interrupter: Option<&'a Interrupter>,
    fds: &mut Vec<PollFd<'a>>,
    timeout: Option<Timespec>,
) -> Result<(), Fail> {
    check(interrupter)?;
    let result = match interrupter {
        None => poll(fds, timeout.as_ref()),
        Some(interrupter) => {
            let wake = interrupter.shared.wake.as_fd();
            let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(fds.len() + 1);
            watched.append(fds);
            watched.push(PollFd::from_borrowed_fd(wake, PollFlags::IN));
            let result = poll(&mut watched, timeout.as_ref());
            watched.pop();
            *fds = watched;
            result
        }
    };
    check(interrupter)?;
    match result {
        Ok(_) | Err(HostErrno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until `fd` is ready for `wanted`.
pub(crate) fn until_ready(
    interrupter: Option<&Interrupter>,
    fd: BorrowedFd<'_>,
    wanted: PollFlags,
) -> Result<(), Fail> {
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(fd, wanted)];
        poll_once(interrupter, &mut fds, None)?;
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
    pub interrupter: Option<&'a Interrupter>,
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
            } else if self.interrupter.is_some() {
                until_ready(self.interrupter, fd, wanted)?;
            }
        }
        loop {
            match operation() {
                Err(HostErrno::INTR) => check(self.interrupter)?,
                Err(HostErrno::AGAIN) if self.may_wait && !self.nonblock => until_ready(self.interrupter, fd, wanted)?,
                result => return Ok(result?),
            }
        }
    }
}
