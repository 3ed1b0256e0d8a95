//! [`Interest`]: a condition that a guest waits for, and [`wait_any`], the wait for the first of several.
//!
//! In: interests in any order, also the same one twice. Out: the indices of those that are fulfilled. All waits of WASI 0.2 go
//! through this function, and it sleeps in [`crate::wait`] alone.
//!
//! # Why are equal descriptors merged?
//! `poll(2)` refuses more entries than the process may have descriptors, and a guest may name one pollable any number of times.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::event::PollFlags;

use crate::exit::Fail;
use crate::time::monotonic;
use crate::wait::{Waits, Watched, first_of};

/// A condition to wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Interest<'a> {
    /// Fulfilled now.
    Ready,
    /// Fulfilled from this time on the monotonic clock, in nanoseconds.
    Until(u64),
    /// Fulfilled as soon as the descriptor is ready for this, has an error, or has no other end any more.
    Fd(BorrowedFd<'a>, PollFlags),
}

/// Waits until at least one of the interests is fulfilled, or returns at once if `may_wait` is false. Returns the indices of the
/// fulfilled ones in ascending order. A signal may end the wait early, with no index.
///
/// # Errors
/// [`Exit::Interrupted`](crate::exit::Exit), or an error of `poll(2)`.
pub(crate) fn wait_any(waits: &Waits, interests: &[Interest<'_>], may_wait: bool) -> Result<Vec<u32>, Fail> {
    let mut watched: Vec<Watched<'_>> = Vec::new();
    let mut places: HashMap<(RawFd, PollFlags), usize> = HashMap::new();
    let mut first_deadline: Option<u64> = None;
    let mut is_ready = !may_wait;
    for interest in interests {
        match *interest {
            Interest::Ready => is_ready = true,
            Interest::Until(at) => first_deadline = Some(first_deadline.map_or(at, |first| first.min(at))),
            Interest::Fd(fd, wanted) => {
                places.entry((fd.as_raw_fd(), wanted)).or_insert_with(|| {
                    watched.push(Watched::new(fd, wanted));
                    watched.len() - 1
                });
            }
        }
    }
    let nanoseconds = match first_deadline {
        _ if is_ready => Some(0),
        Some(at) => Some(at.saturating_sub(monotonic())),
        None => None,
    };
    first_of(waits, &mut watched, nanoseconds)?;
    let now = first_deadline.map(|_| monotonic());
    let is_fulfilled = |interest: &Interest<'_>| match *interest {
        Interest::Ready => true,
        Interest::Until(at) => now.is_some_and(|now| now >= at),
        Interest::Fd(fd, wanted) => {
            places.get(&(fd.as_raw_fd(), wanted)).is_some_and(|place| !watched[*place].seen.is_empty())
        }
    };
    Ok((0..).zip(interests).filter(|(_, interest)| is_fulfilled(interest)).map(|(index, _)| index).collect())
}

/// Waits until the interest is fulfilled.
///
/// # Errors
/// As for [`wait_any`].
pub(crate) fn wait_for(waits: &Waits, interest: Interest<'_>) -> Result<(), Fail> {
    while wait_any(waits, &[interest], true)?.is_empty() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn all_fulfilled_interests_are_found_in_order() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let waits = Waits::default();
        let readable = Interest::Fd(reader.as_fd(), PollFlags::IN);
        let writable = Interest::Fd(writer.as_fd(), PollFlags::OUT);
        let never = Interest::Until(u64::MAX);
        let past = Interest::Until(0);
        let found = |interests: &[Interest<'_>]| wait_any(&waits, interests, true).unwrap();
        assert_eq!(found(&[readable, writable, never, past, Interest::Ready, writable]), [1, 3, 4, 5]);
        assert_eq!(wait_any(&waits, &[readable, never], false).unwrap(), [0; 0]);
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(found(&[never, readable, readable]), [1, 2]);
    }

    #[test]
    fn the_first_deadline_ends_the_wait() {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let began = Instant::now();
        let soon = Interest::Until(monotonic() + 20_000_000);
        let late = Interest::Until(monotonic() + 60_000_000_000);
        let silent = Interest::Fd(reader.as_fd(), PollFlags::IN);
        let found = loop {
            match wait_any(&Waits::default(), &[late, silent, soon], true).unwrap() {
                found if found.is_empty() => {}
                found => break found,
            }
        };
        assert_eq!(found, [2]);
        assert!(began.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn one_descriptor_may_be_named_more_often_than_descriptors_exist() {
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        let many = vec![Interest::Fd(writer.as_fd(), PollFlags::OUT); 1 << 17];
        assert_eq!(wait_any(&Waits::default(), &many, true).unwrap().len(), 1 << 17);
    }
}
