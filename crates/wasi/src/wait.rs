//! Waiting: the one place where a host call sleeps.
//!
//! In: a descriptor and the readiness to wait for. Out: readiness, or [`Exit::Interrupted`]. All waiting goes through
//! [`poll(2)`], never through a loop that spins. Every wait also watches the store's [`InterruptHandle`], if there is one. So
//! a time limit ends a guest that sleeps, or that reads from a silent terminal, as surely as a guest that computes.
//!
//! Guests with threads share one context, behind a lock ([`crate::shared`]). Their calls do not sleep here: the first wait ends
//! the call with [`Exit::Deferred`], the thread sleeps without the lock, and makes the same call again. [`Deferral`] has the
//! wait. Its copies of the descriptors stay open until that second call has returned, so that a FIFO whose other end just
//! appeared does not lose it. A [`Transfer`] of a regular file ends the call in the same way, and completes it.
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

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno as HostErrno, fcntl_dupfd_cloexec};
use wasmr_runtime::InterruptHandle;

use crate::errno::Errno;
use crate::exit::{Exit, Fail};
use crate::fd_table::{HostFile, Kind};
use crate::time::{monotonic, timespec};
use crate::transfer::{Transfer, What};

/// The conditions under which the calls of a context wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Handle that ends a wait from outside.
    pub interrupt: Option<InterruptHandle>,
    /// The place for what the caller of the host function is to do; `None` if calls wait themselves.
    pub deferral: Option<OnceLock<Deferral>>,
    /// True if a call may leave its transfer to the caller.
    may_leave: bool,
    /// Time on the monotonic clock, in nanoseconds, from which the call counts spans.
    began: OnceLock<u64>,
}

/// The part of a call that the call left to its caller.
#[derive(Debug)]
pub(crate) enum Deferral {
    /// A wait, after which the call is to be made again.
    Sleep(Sleep),
    /// A transfer that completes the call.
    Transfer(Transfer),
}

/// A wait that a call left to its caller.
#[derive(Debug)]
pub(crate) struct Sleep {
    /// Copies of the descriptors, with the readiness to wait for.
    fds: Vec<(OwnedFd, PollFlags)>,
    timeout: Option<Timespec>,
    began: u64,
}

impl Waits {
    /// Returns the conditions for a call that waits itself, until `interrupt` is raised.
    pub(crate) fn until(interrupt: Option<InterruptHandle>) -> Waits {
        Waits { interrupt, ..Waits::default() }
    }

    /// Returns the conditions for a call of a thread that shares its context. `last` is the wait after the previous try. With
    /// `may_leave`, the call may leave its transfer to the caller.
    pub(crate) fn deferring(interrupt: Option<InterruptHandle>, last: Option<&Sleep>, may_leave: bool) -> Waits {
        let began = last.map_or_else(OnceLock::new, |last| OnceLock::from(last.began));
        Waits { interrupt, deferral: Some(OnceLock::new()), may_leave, began }
    }

    /// Returns the time at which the call began, in nanoseconds of the monotonic clock: that of its first question, if it is
    /// tried again.
    pub(crate) fn began(&self) -> u64 {
        if self.deferral.is_some() { *self.began.get_or_init(monotonic) } else { monotonic() }
    }

    /// Returns true if something ends a wait early, so that no call may block elsewhere.
    pub(crate) fn are_watched(&self) -> bool {
        self.interrupt.is_some() || self.deferral.is_some()
    }

    /// Returns true if a call may leave its transfer to the caller.
    pub(crate) fn may_leave(&self) -> bool {
        self.may_leave
    }

    /// Ends the call with a transfer for its caller, if that is to make it and the file is a regular one.
    ///
    /// # Errors
    /// [`Exit::Deferred`].
    pub(crate) fn leave(&self, file: &Arc<HostFile>, what: What) -> Result<(), Exit> {
        match &self.deferral {
            Some(place) if self.may_leave && file.kind == Kind::File => {
                // A call ends at its first deferral, so the place is empty.
                let _ = place.set(Deferral::Transfer(Transfer { file: file.clone(), what }));
                Err(Exit::Deferred)
            }
            _ => Ok(()),
        }
    }

    /// Ends the call with a wait for its caller.
    ///
    /// # Errors
    /// [`Exit::Deferred`]. Returns without an error if the host has no descriptor left for the copies.
    fn defer(&self, place: &OnceLock<Deferral>, fds: &[Watched<'_>], timeout: Option<Timespec>) -> Result<(), Exit> {
        let copy = |watched: &Watched<'_>| Ok((fcntl_dupfd_cloexec(watched.fd, 0)?, watched.wanted));
        let Ok(fds) = fds.iter().map(copy).collect::<rustix::io::Result<_>>() else { return Ok(()) };
        // A call ends at its first deferral, so the place is empty.
        let _ = place.set(Deferral::Sleep(Sleep { fds, timeout, began: self.began() }));
        Err(Exit::Deferred)
    }
}

impl Sleep {
    /// Sleeps until one of the descriptors is ready, the time has passed, or the guest is interrupted.
    pub(crate) fn sleep(&self, interrupt: Option<InterruptHandle>) -> Result<(), Fail> {
        let mut fds: Vec<_> = self.fds.iter().map(|(fd, wanted)| Watched::new(fd.as_fd(), *wanted)).collect();
        poll_once(&Waits::until(interrupt), &mut fds, self.timeout)
    }
}

/// Returns [`Exit::Interrupted`] if the guest was interrupted.
pub(crate) fn check(waits: &Waits) -> Result<(), Exit> {
    match &waits.interrupt {
        Some(interrupt) if interrupt.is_interrupted() => Err(Exit::Interrupted),
        _ => Ok(()),
    }
}

/// A descriptor to wait for.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    fd: BorrowedFd<'a>,
    wanted: PollFlags,
    /// The readiness that the last wait found.
    pub seen: PollFlags,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(fd: BorrowedFd<'a>, wanted: PollFlags) -> Self {
        Watched { fd, wanted, seen: PollFlags::empty() }
    }
}

/// Longest single wait, 50 ms, if the host has no descriptor left with which `poll` could watch the interrupt.
const SLICE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// No time.
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Waits until one of `fds` is ready or so many nanoseconds have passed; `None` waits without end. A signal, or a lack of host
/// descriptors, ends the wait early with no descriptor ready. The caller then checks its deadlines and calls again.
///
/// # Errors
/// [`Exit::Interrupted`]. [`Exit::Deferred`] if none is ready and the caller of the host function is to wait.
pub(crate) fn first_of(waits: &Waits, fds: &mut [Watched<'_>], nanoseconds: Option<u64>) -> Result<(), Fail> {
    if fds.is_empty() && nanoseconds == Some(0) {
        // No descriptor is watched and the time is over: a system call would add nothing.
        return Ok(check(waits)?);
    }
    poll_once(waits, fds, nanoseconds.map(timespec))
}

/// [`first_of`] with the host's time, and a system call in any case.
fn poll_once(waits: &Waits, fds: &mut [Watched<'_>], timeout: Option<Timespec>) -> Result<(), Fail> {
    check(waits)?;
    let mut timeout = timeout;
    if let Some(place) = &waits.deferral
        && timeout != Some(NOW)
    {
        poll_all(fds, None, Some(NOW))?;
        if fds.iter().any(|watched| !watched.seen.is_empty()) {
            return Ok(());
        }
        waits.defer(place, fds, timeout)?;
        timeout = Some(timeout.map_or(SLICE, |timeout| timeout.min(SLICE)));
    }
    match waits.interrupt.as_ref().map(InterruptHandle::wake) {
        None => poll_all(fds, None, timeout)?,
        Some(Err(_)) => poll_all(fds, None, Some(timeout.map_or(SLICE, |timeout| timeout.min(SLICE))))?,
        Some(Ok(wake)) => poll_all(fds, Some(wake.as_fd()), timeout)?,
    }
    Ok(check(waits)?)
}

/// Calls `poll(2)` for `fds`, and for `wake` to become readable.
fn poll_all(fds: &mut [Watched<'_>], wake: Option<BorrowedFd<'_>>, timeout: Option<Timespec>) -> Result<(), Errno> {
    let watched = fds.iter().map(|watched| PollFd::from_borrowed_fd(watched.fd, watched.wanted));
    let wake = wake.map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN));
    let mut all: Vec<PollFd<'_>> = watched.chain(wake).collect();
    match poll(&mut all, timeout.as_ref()) {
        Ok(_) | Err(HostErrno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    for (watched, polled) in fds.iter_mut().zip(&all) {
        watched.seen = polled.revents();
    }
    Ok(())
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
    pub(crate) fn pause(&mut self, waits: &Waits, fds: &mut [Watched<'_>]) -> Result<(), Fail> {
        let pause = Timespec { tv_sec: 0, tv_nsec: self.nanoseconds };
        self.nanoseconds = (2 * self.nanoseconds).min(Pauses::LONGEST);
        poll_once(waits, fds, Some(pause))
    }
}

/// Waits until `fd` is ready for `wanted`.
pub(crate) fn until_ready(waits: &Waits, fd: BorrowedFd<'_>, wanted: PollFlags) -> Result<(), Fail> {
    loop {
        let mut fds = [Watched::new(fd, wanted)];
        poll_once(waits, &mut fds, None)?;
        if !fds[0].seen.is_empty() {
            return Ok(());
        }
    }
}

/// Returns true if `fd` is ready for `wanted` now.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, wanted: PollFlags) -> Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&NOW)))?;
    Ok(!fds[0].revents().is_empty())
}

/// Wait mode: whether an operation on a descriptor may block, and what ends the wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitMode<'a> {
    /// The conditions of waits.
    pub waits: &'a Waits,
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
            } else if self.waits.are_watched() {
                until_ready(self.waits, fd, wanted)?;
            }
        }
        loop {
            match operation() {
                Err(HostErrno::INTR) => check(self.waits)?,
                Err(HostErrno::AGAIN) if self.may_wait && !self.nonblock => until_ready(self.waits, fd, wanted)?,
                result => return Ok(result?),
            }
        }
    }
}
