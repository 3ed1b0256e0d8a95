//! Address space behind guarded memories: made, known by address while it is in use, and kept for the next memory.
//!
//! Comes in: how much a memory needs at once, and how much around it must stay inaccessible. Goes out: a [`Reservation`];
//! [`is_guarded_address`] tells the addresses of those that are in use from all others.
//!
//! # Kept for the next one
//! To map, protect, touch and unmap such a space takes longer than to instantiate a small module, so up to
//! [`PLACES`](super::pool::PLACES) of them outlive their users. Invariants:
//!
//! - All bytes of a kept space are zero, and nobody knows its address.
//! - All beyond what its next user asks for is inaccessible again before he gets it. (What the last one had is not taken
//!   from it before that: the next often wants just as much.)
//! - At most [`RESIDENT`] bytes of each are in memory. Up to that size a memory is cleared where it is; all pages of a larger
//!   one go back to the system; one larger than [`LARGEST`] is not kept, for it cost more to fill than to map.
//! - None is kept if the process has a limit of address space.
//! - It is no guarded memory meanwhile: its addresses are nobody's.

use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pool::Pool;
use super::unix::{Mapping, address_space_is_limited};

/// Bytes that a kept space may have in memory.
pub(super) const RESIDENT: usize = 128 << 10;

/// Accessible bytes of the largest space that is kept.
pub(super) const LARGEST: usize = 16 << 20;

/// How many guarded memories a process may have at once. More would not fit into 47 bits of address space.
const MAX_RESERVATIONS: usize = 16_384;

/// First and one past the last address of every reservation in use; 0, 0 where there is none. Written under no lock: a
/// place is claimed by swapping its end from 0 to 1, which no address equals.
static RESERVATIONS: [(AtomicUsize, AtomicUsize); MAX_RESERVATIONS] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; MAX_RESERVATIONS];

/// Places of [`RESERVATIONS`] that were ever used.
static RESERVATIONS_USED: AtomicUsize = AtomicUsize::new(0);

/// The end in a claimed place whose range is not known now.
const CLAIMED: usize = 1;

static KEPT: Pool<Space> = Pool::new();

/// Address space behind one guarded memory: inaccessible bytes in front, then the memory, then the guard.
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
    /// Its place in [`RESERVATIONS`].
    place: usize,
    /// Whether it was kept before.
    was_kept: bool,
}

impl Reservation {
    /// Reserves `front + len` bytes. The memory begins behind the first `front`, and has `accessible` zeroed bytes now. All
    /// are multiples of the page size.
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

    /// First byte of the memory.
    pub fn base(&self) -> NonNull<u8> {
        // SAFETY: `front` is at most the length of the mapping.
        unsafe { self.0.mapping.base().add(self.0.front) }
    }

    /// Makes the first `len` bytes of the memory readable and writable, no fewer than there are already. Those that were not
    /// before are zero.
    pub fn enlarge(&mut self, len: usize) -> io::Result<()> {
        if len < self.0.accessible {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        self.0.set_accessible(len)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: taken once, as the value is going away.
        let mut space = unsafe { ManuallyDrop::take(&mut self.0) };
        RESERVATIONS[space.place].0.store(0, Ordering::Release);
        RESERVATIONS[space.place].1.store(CLAIMED, Ordering::Release);
        if space.make_fresh().is_ok() {
            let (front, size) = (space.front, space.mapping.size());
            drop(KEPT.put(space, |other| other.is_like(front, size)));
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
        // If the system refuses, there is nothing to be had from this one.
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
            .ok_or_else(|| io::Error::other("too many guarded memories in this process"))?;
        RESERVATIONS_USED.fetch_max(place + 1, Ordering::AcqRel);
        Ok(Space { mapping, front, accessible: 0, place, was_kept: false })
    }

    /// Makes just the first `len` bytes of the memory accessible.
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

    /// Makes all bytes zero, in a way that leaves few of them in memory. An error if it should not, or cannot, be kept.
    fn make_fresh(&mut self) -> io::Result<()> {
        if self.accessible > LARGEST || (!self.was_kept && address_space_is_limited()) {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let memory = self.front..self.front + self.accessible;
        if self.accessible <= RESIDENT {
            // SAFETY: just these bytes are accessible.
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

/// Whether an address lies in the reservation of a live guarded memory. Takes no lock and allocates nothing.
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
        // SAFETY: so many bytes are accessible, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(base.as_ptr(), len) }
    }

    /// Uses one space with each of the sizes in turn, which must be like a new one each time. `front` is the test's own, so
    /// that no other test gets in between unless it fills the pool: whether the spaces were indeed the same one.
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

    /// Other tests may take the place at the same time; they do not do so every time.
    fn sometimes(mut body: impl FnMut() -> bool) {
        assert!((0..100).any(|_| body()));
    }

    #[test]
    fn what_is_used_again_is_zero_and_ends_where_the_next_memory_does() {
        let page = page_size();
        sometimes(|| {
            reuse(
                page,
                &[
                    // Cleared in place, grown and shrunk; just as large; empty.
                    (page, 10 * page),
                    (page, page),
                    (0, 0),
                    (3 * page, 3 * page),
                    // Too large for that, and small again.
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
    fn what_grew_very_large_is_not_kept() {
        let page = page_size();
        let mut space = Space::map(2 * page, LEN).unwrap();
        space.set_accessible(LARGEST + page).unwrap();
        assert!(space.make_fresh().is_err());
        assert!(space.set_accessible(LEN + page).is_err());
    }

    #[test]
    fn little_of_a_kept_one_is_in_memory() {
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
    fn many_threads_never_share_one_nor_see_what_another_left() {
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
                        assert!(old.iter().all(|&byte| byte == thread as u8 + 1), "it is this thread's alone");
                        assert!(new.iter().all(|&byte| byte == 0));
                        new.fill(0xff);
                    }
                });
            }
        });
    }

    #[test]
    fn nothing_is_kept_of_a_limited_address_space() {
        const CHILD: &str = "WASMR_TEST_LIMITED_SPACE_CHILD";
        let this = "sys::reservation::tests::nothing_is_kept_of_a_limited_address_space";
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
