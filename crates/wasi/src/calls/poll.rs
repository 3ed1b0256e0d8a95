//! [`poll_oneoff`]: waits for clocks and descriptors at once.
//!
//! All subscriptions become one [`poll(2)`]: descriptors directly, clocks as the earliest deadline. Deadlines are points in
//! time, so that a signal or a spurious return shortens no wait. A subscription that cannot be waited for becomes an event
//! with the error at once; the other subscriptions are then polled without a wait. The call makes no system call if there is
//! no descriptor to watch and either an event is ready or a deadline has passed.
//!
//! Regular files, directories and streams within this process are always ready.
//!
//! [`poll_oneoff`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#poll_oneoff
//! [`poll(2)`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/poll.html

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use rustix::fs::{fstat, tell};
use rustix::io::ioctl_fionread;
use rustix::time::{ClockId, clock_gettime};
use wasmr_core::limits::MAX_SUBSCRIPTIONS;

use crate::abi::{Event, Subscription, Wanted, eventtype};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{FdTable, HostFile, Kind, Object};
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::time::nanoseconds;
use crate::wait::{Waits, Watched, first_of};

/// [`poll_oneoff`]: waits for the first of the subscriptions, writes a 32-byte event for each that is ready, and writes their
/// number. Each module has its own layout of subscriptions.
///
/// # Errors
/// `INVAL` for no subscription, for more than [`MAX_SUBSCRIPTIONS`], or for a malformed one.
///
/// [`poll_oneoff`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#poll_oneoff
pub(crate) fn poll_oneoff(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    subscriptions: Pointer,
    events: Pointer,
    count: u32,
    nevents: Pointer,
) -> Result<(), Fail> {
    poll(ctx, mem, (subscriptions, layout::SUBSCRIPTION.size, Subscription::read), events, count, nevents)
}

/// Address of the subscriptions, size of one, and function that reads one.
pub(crate) type Input = (Pointer, u32, fn(&GuestMemory<'_>, Pointer) -> Result<Subscription, Fail>);

/// Subscription to a clock.
struct Deadline {
    userdata: u64,
    clock: ClockId,
    /// Time on that clock, in nanoseconds.
    at: u64,
}

/// Subscription to a descriptor of the host.
struct Watch<'c> {
    userdata: u64,
    eventtype: u8,
    file: &'c HostFile,
}

/// Implements `poll_oneoff` for either layout.
pub(crate) fn poll(
    ctx: &WasiCtx,
    mem: &mut GuestMemory<'_>,
    (subscriptions, size, read): Input,
    events: Pointer,
    count: u32,
    nevents: Pointer,
) -> Result<(), Fail> {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    let mut ready = Vec::new();
    let mut deadlines = Vec::new();
    let mut watches = Vec::new();
    for index in 0..count {
        let Subscription { userdata, wanted } = read(mem, subscriptions.offset(index * size))?;
        match wanted {
            Wanted::Clock { id, timeout, absolute } => match deadline(&ctx.waits, id, timeout, absolute)? {
                Ok((clock, at)) => deadlines.push(Deadline { userdata, clock, at }),
                Err(error) => ready.push(event(userdata, eventtype::CLOCK, error)),
            },
            Wanted::Read(fd) => watch(&ctx.fds, userdata, fd, eventtype::FD_READ, &mut ready, &mut watches),
            Wanted::Write(fd) => watch(&ctx.fds, userdata, fd, eventtype::FD_WRITE, &mut ready, &mut watches),
        }
    }

    let mut may_wait = ready.is_empty();
    loop {
        let timeout = if may_wait { earliest(&deadlines) } else { Some(0) };
        let mut fds: Vec<Watched<'_>> = watches.iter().map(Watch::watched).collect();
        first_of(&ctx.waits, &mut fds, timeout)?;
        for (watch, fd) in watches.iter().zip(&fds) {
            if !fd.seen.is_empty() {
                ready.push(watch.event(fd.seen));
            }
        }
        for deadline in &deadlines {
            if nanoseconds(clock_gettime(deadline.clock)) >= deadline.at {
                ready.push(event(deadline.userdata, eventtype::CLOCK, Errno::Success));
            }
        }
        may_wait = ready.is_empty();
        if !may_wait {
            break;
        }
    }

    for (index, event) in ready.iter().enumerate() {
        event.write(mem, events.offset(index as u32 * layout::EVENT.size))?;
    }
    Ok(mem.write_u32(nevents, ready.len() as u32)?)
}

/// Returns an event without a byte count.
fn event(userdata: u64, eventtype: u8, error: Errno) -> Event {
    Event { userdata, error, eventtype, nbytes: 0, hangup: false }
}

/// Returns the clock and the time at which a clock subscription is due.
///
/// # Errors
/// The outer error is for the call, the inner one for this event. CPU time does not pass while the guest waits, so a wait for
/// it is `NOTSUP`.
fn deadline(waits: &Waits, id: u32, timeout: u64, absolute: bool) -> Result<Result<(ClockId, u64), Errno>, Errno> {
    let clock = match id {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        2 | 3 => return Ok(Err(Errno::Notsup)),
        _ => return Err(Errno::Inval),
    };
    if absolute {
        return Ok(Ok((clock, timeout)));
    }
    // A span is measured on the monotonic clock, so that setting the realtime clock does not change it.
    Ok(Ok((ClockId::Monotonic, waits.began().saturating_add(timeout))))
}

/// Returns the nanoseconds until the first deadline.
fn earliest(deadlines: &[Deadline]) -> Option<u64> {
    deadlines.iter().map(|deadline| deadline.at.saturating_sub(nanoseconds(clock_gettime(deadline.clock)))).min()
}

/// Adds a descriptor subscription to the events that are ready, or to the descriptors to watch.
fn watch<'c>(
    fds: &'c FdTable,
    userdata: u64,
    fd: u32,
    eventtype: u8,
    ready: &mut Vec<Event>,
    watches: &mut Vec<Watch<'c>>,
) {
    let checked = fds.get(fd).and_then(|descriptor| descriptor.require(rights::POLL_FD_READWRITE).map(|()| descriptor));
    let always = |nbytes: u64| Event { nbytes, ..event(userdata, eventtype, Errno::Success) };
    match checked.map(|descriptor| &descriptor.object) {
        Err(error) => ready.push(event(userdata, eventtype, error)),
        Ok(Object::Host(file)) if file.kind != Kind::File => watches.push(Watch { userdata, eventtype, file }),
        Ok(Object::Host(file)) if eventtype == eventtype::FD_READ => ready.push(always(left_in(file))),
        Ok(Object::Input(input)) if eventtype == eventtype::FD_READ => ready.push(always(input.left() as u64)),
        Ok(_) => ready.push(always(1)),
    }
}

/// Returns the number of bytes between a regular file's position and its end.
fn left_in(file: &HostFile) -> u64 {
    let size = fstat(&file.fd).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    size.saturating_sub(tell(&file.fd).unwrap_or(0))
}

impl Watch<'_> {
    fn watched(&self) -> Watched<'_> {
        let wanted = if self.eventtype == eventtype::FD_READ { PollFlags::IN } else { PollFlags::OUT };
        let fd: BorrowedFd<'_> = self.file.fd.as_fd();
        Watched::new(fd, wanted)
    }

    /// Returns the event of a descriptor that `poll` reports.
    ///
    /// An error on the descriptor makes it ready: the read or write that follows reports which error. The host gives no byte
    /// count for writing or for a connection to accept, so it is 1.
    fn event(&self, revents: PollFlags) -> Event {
        if revents.contains(PollFlags::NVAL) {
            return event(self.userdata, self.eventtype, Errno::Badf);
        }
        let nbytes = if self.eventtype == eventtype::FD_WRITE || self.file.kind == Kind::Listener {
            1
        } else {
            ioctl_fionread(&self.file.fd).unwrap_or(0)
        };
        let hangup = revents.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::RDHUP);
        Event { nbytes, hangup, ..event(self.userdata, self.eventtype, Errno::Success) }
    }
}
