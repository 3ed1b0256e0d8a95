//! Address space of guard-paged memories: mapped, registered by address while in use, and kept for the next memory.
//!
//! In: the size of a memory, and the size of the inaccessible space around it. Out: a [`Reservation`].
//! [`is_guarded_address`] distinguishes the addresses of reservations in use from all others.
//!
//! # Kept for the next one
//! Mapping, protecting, touching and unmapping such a space takes longer than instantiating a small module. So up to
//! [`PLACES`](super::pool::PLACES) spaces outlive their users. Invariants:
//!
//! - All bytes of a kept space are zero, and no pointer to it exists outside of the pool.
//! - Before the next user gets a space, all of it beyond the requested size becomes inaccessible again. It keeps the
//!   accessible bytes of the last user until then, because the next one often wants the same size.
//! - At most [`RESIDENT`] bytes of each are in memory. A memory up to that size is cleared in place. All pages of a
//!   larger one go back to the system. One larger than [`LARGEST`] is not kept, because filling it cost more than
//!   mapping it.
//! - None is kept if the process has a limit of address space (`RLIMIT_AS`).
//! - [`is_guarded_address`] returns false for the addresses of a kept space.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pool::Pool;
use super::unix::{Mapping, address_space_is_limited, leave_out_of_forks};

/// Bytes of a kept space that may be in memory.
pub(super) const RESIDENT: usize = 128 << 10;

/// Accessible bytes of the largest space that is kept.
pub(super) const LARGEST: usize = 32 << 20;

/// Guard-paged memories that a process may have at once. More would not fit into 47 bits of address space.
const MAX_RESERVATIONS: usize = 16_384;

/// First address and end of every reservation in use; 0, 0 in a free place. Written without a lock: a thread claims a
/// place by changing its end from 0 to 1, which is no reservation's end.
static RESERVATIONS: [(AtomicUsize, AtomicUsize); MAX_RESERVATIONS] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; MAX_RESERVATIONS];

/// Number of places at the front of [`RESERVATIONS`] that were ever used.
static RESERVATIONS_USED: AtomicUsize = AtomicUsize::new(0);

/// The end in a claimed place while its range is not set.
const CLAIMED: usize = 1;

static KEPT: Pool<Space> = Pool::new();

/// Address space of one guard-paged memory: inaccessible bytes in front, then the memory, then inaccessible bytes
/// again.
#[derive(Debug)]
pub struct Reservation(ManuallyDrop<Space>);

/// The address space of a reservation, in use or kept.
#[derive(Debug)]
struct Space {
    mapping: Mapping,
    /// Bytes before the memory.
    front: usize,
    /// Bytes of the memory.
    accessible: usize,
    /// Index in [`RESERVATIONS`].
    place: usize,
    /// True if the space was in the pool before.
    was_kept: bool,
}

impl Reservation {
    /// Reserves `front + len` bytes. The memory begins after the first `front` bytes, and its first `accessible` bytes
    /// are readable, writable and zero. All sizes are multiples of the page size.
    pub fn new(front: usize, len: usize, accessible: usize) -> io::Result<Reservation> {
        let space = match Space::kept(front, len, accessible) {
            Some(space) => space,
            None => {
                let mut space = Space::map(front, len)?;
                space.set_accessible(accessible)?;
                space
            }
        };
        let start = space.mapping.base().as_ptr().addr();
        RESERVATIONS[space.place].0.store(start, Ordering::Release);
        RESERVATIONS[space.place].1.store(start + space.mapping.size(), Ordering::Release);
        Ok(Reservation(ManuallyDrop::new(space)))
    }

    /// Returns the first byte of the memory.
    pub fn base(&self) -> NonNull<u8> {
        // SAFETY: `front` is at most the length of the mapping: `Space::map` and `Space::kept` make it `front + len`.
        unsafe { self.0.mapping.base().add(self.0.front) }
    }

    /// Makes the first `len` bytes of the memory readable and writable. Bytes that were not before are zero.
    ///
    /// # Errors
    /// If `len` is less than the accessible size or more than the reserved size, or the system refuses.
    pub fn enlarge(&mut self, len: usize) -> io::Result<()> {
        if len < self.0.accessible {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        self.0.set_accessible(len)
    }
}

impl Reservation {
    /// Returns the pages of a range of the memory to the system. They are zero afterwards. The bounds are multiples of the page
    /// size, inside the accessible bytes.
    ///
    /// # Errors
    /// If the range is not accessible, or the system refuses.
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        if range.end > self.0.accessible {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let front = self.0.front;
        self.0.mapping.discard(front + range.start..front + range.end)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: taken once, in `drop`, and the field is not used afterwards.
        let mut space = unsafe { ManuallyDrop::take(&mut self.0) };
        RESERVATIONS[space.place].0.store(0, Ordering::Release);
        RESERVATIONS[space.place].1.store(CLAIMED, Ordering::Release);
        if space.make_fresh().is_ok() {
            let (front, size) = (space.front, space.mapping.size());
            drop(KEPT.put(space, |other| other.is_like(front, size)));
        }
    }
}

/// Leaves all guard-paged memories out of processes that are forked from now on, where their addresses are then not mapped. The
/// process that forks need not copy their page tables.
pub fn leave_memories_out_of_forks() {
    for (start, end) in &RESERVATIONS[..RESERVATIONS_USED.load(Ordering::Acquire).min(MAX_RESERVATIONS)] {
        let (start, end) = (start.load(Ordering::Acquire), end.load(Ordering::Acquire));
        if start != 0 && end > start {
            leave_out_of_forks(start, end - start);
        }
    }
}

impl Space {
    fn is_like(&self, front: usize, size: usize) -> bool {
        self.front == front && self.mapping.size() == size
    }

    fn kept(front: usize, len: usize, accessible: usize) -> Option<Space> {
        let size = front.checked_add(len)?;
        let mut space = KEPT
            .take(|kept| kept.is_like(front, size) && kept.accessible == accessible)
            .or_else(|| KEPT.take(|kept| kept.is_like(front, size)))?;
        // If the system refuses, this space is dropped and the caller maps a new one.
        space.set_accessible(accessible).ok()?;
        Some(space)
    }

    fn map(front: usize, len: usize) -> io::Result<Space> {
        let size = front.checked_add(len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mapping = Mapping::reserve(size)?;
        let place = RESERVATIONS
            .iter()
            .position(|(_, end)| {
                end.load(Ordering::Relaxed) == 0
                    && end.compare_exchange(0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            })
            .ok_or_else(|| io::Error::other("too many guard-paged memories in this process"))?;
        RESERVATIONS_USED.fetch_max(place + 1, Ordering::AcqRel);
        Ok(Space { mapping, front, accessible: 0, place, was_kept: false })
    }

    /// Makes exactly the first `len` bytes of the memory accessible.
    fn set_accessible(&mut self, len: usize) -> io::Result<()> {
        let (before, most) = (self.accessible, self.mapping.size() - self.front);
        if len > most {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        if len >= before {
            self.mapping.make_accessible(self.front + before, len - before)?;
        } else {
            self.mapping.make_inaccessible(self.front + len, before - len)?;
        }
        self.accessible = len;
        Ok(())
    }

    /// Makes all bytes zero and leaves few of them in memory. Returns an error if the space should not, or cannot, be
    /// kept.
    fn make_fresh(&mut self) -> io::Result<()> {
        if self.accessible > LARGEST || (!self.was_kept && address_space_is_limited()) {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let memory = self.front..self.front + self.accessible;
        if self.accessible <= RESIDENT {
            // SAFETY: exactly the bytes of `memory` are accessible: `set_accessible` alone changes `accessible`.
            unsafe { self.mapping.clear(memory) };
        } else {
            self.mapping.discard(memory)?;
        }
        self.was_kept = true;
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        RESERVATIONS[self.place].1.store(0, Ordering::Release);
    }
}

/// Returns true if the address is in the reservation of a live guard-paged memory. Takes no lock and allocates nothing.
pub fn is_guarded_address(address: usize) -> bool {
    let used = RESERVATIONS_USED.load(Ordering::Acquire);
    RESERVATIONS[..used].iter().any(|(start, end)| {
        let (start, end) = (start.load(Ordering::Acquire), end.load(Ordering::Acquire));
        start != 0 && start <= address && address < end
    })
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::sys::page_size;
    use crate::sys::unix::probe::{is_readable, resident};

    const LEN: usize = 1 << 30;

    fn bytes(reservation: &mut Reservation) -> &mut [u8] {
        let (base, len) = (reservation.base(), reservation.0.accessible);
        // SAFETY: the first `accessible` bytes are readable and writable, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(base.as_ptr(), len) }
    }

    /// Uses a space with each of the sizes in turn, and checks that it is like a new one each time. Returns true if it
    /// was the same space throughout. `front` is the test's own, so that no other test takes the space unless it fills
    /// the pool.
    fn reuse(front: usize, sizes: &[(usize, usize)]) -> bool {
        let mut bases = Vec::new();
        for &(at_first, later) in sizes {
            let mut reservation = Reservation::new(front, LEN, at_first).unwrap();
            let base = reservation.base().as_ptr().expose_provenance();
            bases.push(base);
            assert!(is_guarded_address(base) && is_guarded_address(base - 1) && is_guarded_address(base + LEN - 1));
            assert!(!is_readable(base - 1) && !is_readable(base + LEN - 1));
            for len in [at_first, later] {
                reservation.enlarge(len).unwrap();
                assert!(len == 0 || is_readable(base + len - 1), "{len:#x} of {sizes:x?}");
                assert!(!is_readable(base + len), "{len:#x} of {sizes:x?}");
                let dirty = if len == later { at_first } else { 0 };
                assert!(bytes(&mut reservation)[dirty..].iter().all(|&byte| byte == 0), "{len:#x} of {sizes:x?}");
                bytes(&mut reservation).fill(0xaa);
            }
        }
        bases.iter().all(|base| *base == bases[0])
    }

    /// Repeats `body` until it returns true: other tests may take the place at the same time, but not every time.
    fn sometimes(mut body: impl FnMut() -> bool) {
        assert!((0..100).any(|_| body()));
    }

    #[test]
    fn a_kept_space_is_zero_and_ends_with_the_next_memory() {
        let page = page_size();
        sometimes(|| {
            reuse(
                page,
                &[
                    // Cleared in place, then grown and shrunk; the same size; empty.
                    (page, 10 * page),
                    (page, page),
                    (0, 0),
                    (3 * page, 3 * page),
                    // Too large to be cleared in place, and small again.
                    (RESIDENT, RESIDENT),
                    (RESIDENT + page, 4 * RESIDENT),
                    (page, 2 * page),
                    (8 * RESIDENT, LARGEST),
                    (page, page),
                ],
            )
        });
    }

    #[test]
    fn a_very_large_space_is_not_kept() {
        let page = page_size();
        let mut space = Space::map(2 * page, LEN).unwrap();
        space.set_accessible(LARGEST + page).unwrap();
        assert!(space.make_fresh().is_err());
        assert!(space.set_accessible(LEN + page).is_err());
    }

    #[test]
    fn little_of_a_kept_space_is_in_memory() {
        for (len, most) in [(RESIDENT, RESIDENT), (LARGEST, 0), (RESIDENT / 2, RESIDENT / 2)] {
            let mut used = Reservation::new(3 * page_size(), LEN, len).unwrap();
            bytes(&mut used).fill(0xaa);
            assert!(resident(&used.0.mapping) >= len);
            used.0.make_fresh().unwrap();
            assert!(resident(&used.0.mapping) <= most, "{len:#x}");
        }
    }

    #[test]
    fn an_address_is_guarded_only_while_its_memory_lives() {
        let page = page_size();
        let reservation = Reservation::new(page, page * 2, page).unwrap();
        let base = reservation.base().as_ptr().addr();
        assert!(is_guarded_address(base));
        assert!(is_guarded_address(base - 1), "the front guard belongs to it");
        assert!(is_guarded_address(base + page * 2 - 1));
        assert!(!is_guarded_address(0) && !is_guarded_address(CLAIMED));
        assert!(!is_guarded_address(&raw const base as usize));
        drop(reservation);
        sometimes(|| {
            let reservation = Reservation::new(page, page * 2, page).unwrap();
            let base = reservation.base().as_ptr().addr();
            drop(reservation);
            !is_guarded_address(base)
        });
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let page = page_size();
        assert!(Reservation::new(usize::MAX, page, 0).is_err());
        assert!(Reservation::new(0, page, 2 * page).is_err());
        let mut reservation = Reservation::new(0, 2 * page, page).unwrap();
        assert!(reservation.enlarge(3 * page).is_err());
        assert!(reservation.enlarge(0).is_err(), "a memory does not shrink");
        reservation.enlarge(2 * page).unwrap();
    }

    #[test]
    fn threads_share_no_space_and_see_no_bytes_of_others() {
        let page = page_size();
        std::thread::scope(|scope| {
            for thread in 0..12 {
                scope.spawn(move || {
                    for round in 0..100 {
                        let len = (thread * 7 + round * 3) % 40 * page;
                        let mut reservation = Reservation::new(5 * page, LEN, len).unwrap();
                        let base = reservation.base().as_ptr().addr();
                        assert!(is_guarded_address(base));
                        assert!(bytes(&mut reservation).iter().all(|&byte| byte == 0));
                        bytes(&mut reservation).fill(thread as u8 + 1);
                        reservation.enlarge(len + 2 * page).unwrap();
                        std::thread::yield_now();
                        let (old, new) = bytes(&mut reservation).split_at_mut(len);
                        assert!(old.iter().all(|&byte| byte == thread as u8 + 1), "only this thread writes to it");
                        assert!(new.iter().all(|&byte| byte == 0));
                        new.fill(0xff);
                    }
                });
            }
        });
    }

    #[test]
    fn no_space_is_kept_under_a_limit_of_address_space() {
        const CHILD: &str = "WASMR_TEST_LIMITED_SPACE_CHILD";
        let this = "sys::reservation::tests::no_space_is_kept_under_a_limit_of_address_space";
        if std::env::var_os(CHILD).is_none() {
            let output = std::process::Command::new("sh")
                .args(["-c", "ulimit -v 40000000 && exec \"$0\" --exact \"$1\" --test-threads=1"])
                .arg(std::env::current_exe().unwrap())
                .arg(this)
                .env(CHILD, "1")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            return;
        }
        drop(Reservation::new(0, LEN, page_size()).unwrap());
        assert!(KEPT.take(|_| true).is_none());
    }
}
