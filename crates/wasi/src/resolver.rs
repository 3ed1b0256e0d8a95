//! [`Resolver`]: lookups of host names on threads of their own.
//!
//! In: a name. Out: an [`Answer`], whose descriptor becomes readable when the addresses are there. The guest goes on meanwhile,
//! and waits for the descriptor like for any other.
//!
//! The host's resolver (`getaddrinfo`) can neither be polled nor be interrupted, so it runs on threads `wasmr-resolve`. A context
//! has at most [`MAX_THREADS`] of them; further lookups wait for their turn. A thread ends when no lookup waits. A lookup whose
//! answer nobody keeps is left out, and a lookup at work ends by itself after the context is gone.
//!
//! # Why are failures told apart by their text?
//! The standard library calls `getaddrinfo` and reports its error number only as the C library's text for it. Both C libraries of
//! Linux translate these texts only for programs that call `setlocale`, which this one does not.

use std::collections::VecDeque;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::{fmt, io, thread};

use rustix::event::{EventfdFlags, eventfd};

use crate::abi::Filetype;
use crate::fd_table::{HostFd, HostFile, Kind};

/// Largest number of threads of one context.
const MAX_THREADS: usize = 8;

/// Largest number of lookups of one context that wait for a thread. A guest can start more than it can keep.
const MAX_WAITING: usize = 1024;

/// Largest number of addresses in an answer.
const MAX_ADDRESSES: usize = 256;

/// The reason why a name has no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// The name does not exist, or has no address.
    Unresolvable,
    /// The resolver failed, and may succeed later.
    Temporary,
    /// The resolver failed for good.
    Permanent,
}

/// Texts of failures: those of glibc, then those of musl.
const TEXTS: &[(&str, LookupError)] = &[
    ("Temporary failure in name resolution", LookupError::Temporary),
    ("Non-recoverable failure in name resolution", LookupError::Permanent),
    ("Memory allocation failure", LookupError::Temporary),
    ("Try again", LookupError::Temporary),
    ("Unrecoverable error", LookupError::Permanent),
    ("Out of memory", LookupError::Temporary),
];

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> LookupError {
        // A system call of the resolver failed.
        if error.raw_os_error().is_some() {
            return LookupError::Temporary;
        }
        let text = error.to_string();
        let known = TEXTS.iter().find(|(part, _)| text.contains(part));
        known.map_or(LookupError::Unresolvable, |(_, error)| *error)
    }
}

/// Addresses of a name, in the order of preference, or the failure.
pub(crate) type Addresses = Result<Vec<IpAddr>, LookupError>;

/// The answer to a lookup, now or later.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Becomes readable with the addresses.
    pub event: Arc<HostFile>,
    addresses: OnceLock<Addresses>,
}

impl Answer {
    /// Returns the addresses if they are there.
    pub(crate) fn addresses(&self) -> Option<&Addresses> {
        self.addresses.get()
    }

    fn set(&self, addresses: Addresses) {
        // Each answer is set once.
        let _ = self.addresses.set(addresses);
        // A counter of 1 never overflows, so the write succeeds.
        let _ = rustix::io::write(self.event.fd.as_fd(), &1u64.to_ne_bytes());
    }
}

/// Function that looks up a name and waits for the answer.
type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(String, Weak<Answer>)>,
    threads: usize,
}

/// Lookups of a context.
pub(crate) struct Resolver {
    queue: Arc<Mutex<Queue>>,
    lookup: Lookup,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl Default for Resolver {
    fn default() -> Resolver {
        Resolver::with(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Resolver {
    /// Returns a resolver that asks `lookup`.
    pub(crate) fn with(lookup: Lookup) -> Resolver {
        Resolver { queue: Arc::default(), lookup }
    }

    /// Starts a lookup.
    ///
    /// # Errors
    /// An error of the host, which has no descriptor or no thread left, or too many lookups waiting.
    pub(crate) fn start(&self, name: &str) -> io::Result<Arc<Answer>> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let event =
            HostFile { fd: HostFd::Owned(event), kind: Kind::Pipe, filetype: Filetype::Unknown, read_only: false };
        let answer = Arc::new(Answer { event: event.into(), addresses: OnceLock::new() });
        let mut queue = lock(&self.queue);
        if queue.waiting.len() == MAX_WAITING {
            queue.waiting.retain(|(_, answer)| answer.strong_count() > 0);
            if queue.waiting.len() == MAX_WAITING {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
        }
        if queue.threads < MAX_THREADS {
            let (jobs, lookup) = (self.queue.clone(), self.lookup);
            let started = thread::Builder::new().name("wasmr-resolve".into()).spawn(move || work(&jobs, lookup));
            match started {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => return Err(error),
                Err(_) => {}
            }
        }
        queue.waiting.push_back((name.to_owned(), Arc::downgrade(&answer)));
        Ok(answer)
    }
}

fn lock(queue: &Mutex<Queue>) -> std::sync::MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers lookups until none waits.
fn work(queue: &Mutex<Queue>, lookup: Lookup) {
    loop {
        let (name, answer) = {
            let mut queue = lock(queue);
            match queue.waiting.pop_front() {
                Some(next) => next,
                None => {
                    queue.threads -= 1;
                    return;
                }
            }
        };
        if answer.strong_count() == 0 {
            continue;
        }
        let addresses = lookup(&name).map(listed).map_err(LookupError::from);
        if let Some(answer) = answer.upgrade() {
            answer.set(match addresses {
                Ok(addresses) if addresses.is_empty() => Err(LookupError::Unresolvable),
                addresses => addresses,
            });
        }
    }
}

/// Returns the addresses in their order, each once, and IPv4 addresses as such.
fn listed(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut listed = Vec::new();
    for address in addresses.into_iter().map(|address| address.to_canonical()) {
        if listed.len() < MAX_ADDRESSES && !listed.contains(&address) {
            listed.push(address);
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wait::{Waits, until_ready};
    use rustix::event::PollFlags;

    fn wait(answer: &Answer) -> Addresses {
        until_ready(&Waits::default(), answer.event.fd.as_fd(), PollFlags::IN).unwrap();
        answer.addresses().unwrap().clone()
    }

    #[test]
    fn addresses_are_listed_once_and_mapped_ones_as_ipv4() {
        let resolver = Resolver::with(|name| {
            assert_eq!(name, "a.example");
            Ok(["::ffff:1.2.3.4", "::1", "1.2.3.4", "::1"].map(|address| address.parse().unwrap()).into())
        });
        let answer = resolver.start("a.example").unwrap();
        let expected = ["1.2.3.4", "::1"].map(|address| address.parse().unwrap());
        assert_eq!(wait(&answer), Ok(expected.to_vec()));
        assert_eq!(wait(&answer), Ok(expected.to_vec()), "the event stays");
        let none = Resolver::with(|_| Ok(vec![]));
        assert_eq!(wait(&none.start("x").unwrap()), Err(LookupError::Unresolvable));
    }

    #[test]
    fn failures_are_told_apart() {
        for (text, error) in [
            ("failed to lookup address information: Name or service not known", LookupError::Unresolvable),
            ("failed to lookup address information: Temporary failure in name resolution", LookupError::Temporary),
            ("failed to lookup address information: Unrecoverable error", LookupError::Permanent),
        ] {
            assert_eq!(LookupError::from(io::Error::other(text)), error, "{text}");
        }
        assert_eq!(LookupError::from(io::Error::from_raw_os_error(24)), LookupError::Temporary);
    }

    #[test]
    fn threads_are_few_and_end() {
        let resolver = Resolver::with(|_| {
            thread::sleep(Duration::from_millis(20));
            Ok(vec!["::1".parse().unwrap()])
        });
        let answers: Vec<_> = (0..4 * MAX_THREADS).map(|_| resolver.start("x").unwrap()).collect();
        assert!(lock(&resolver.queue).threads <= MAX_THREADS);
        for answer in &answers {
            assert!(wait(answer).is_ok());
        }
        // Lookups that nobody waits for are left out.
        for _ in 0..5000 {
            resolver.start("x").unwrap();
            assert!(lock(&resolver.queue).waiting.len() <= MAX_WAITING);
        }
        while lock(&resolver.queue).threads > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
