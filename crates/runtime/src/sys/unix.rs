//! Pages and address space on Unix.
//!
//! Comes in: sizes that the caller has already bounded. Goes out: [`Mapping`]s and [`Reservation`]s; an error of the
//! operating system is an `io::Error`, never a panic, because address space runs out in containers and under `ulimit
//! -v`.
//!
//! Fresh pages are zero, always: nothing is ever recycled between two owners, so nothing of an earlier guest can show.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages obtained from the operating system, returned on drop.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory that the value owns; who may touch its contents is the business of its user.
unsafe impl Send for Mapping {}
// SAFETY: as above; no method writes through a shared reference.
unsafe impl Sync for Mapping {}

/// The host's page size.
pub fn page_size() -> usize {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(4096)
}

impl Mapping {
    /// `len` bytes of address space that may not be accessed yet. `len` is rounded up to pages and must not be 0.
    pub fn reserve(len: usize) -> io::Result<Mapping> {
        Mapping::map(len, libc::PROT_NONE)
    }

    /// `len` bytes of zeroed memory, committed by the system as they are touched. `len` is rounded up to pages and must
    /// not be 0.
    pub fn allocate(len: usize) -> io::Result<Mapping> {
        Mapping::map(len, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn map(len: usize, protection: libc::c_int) -> io::Result<Mapping> {
        let len = round_to_pages(len)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address of the system's choice touches nothing that exists.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Mapping { base, len })
    }

    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Size in bytes, a multiple of the page size and not 0.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Makes `start..start + len` readable and writable. Both must be multiples of the page size, inside the mapping.
    pub fn make_accessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let inside = start.checked_add(len).is_some_and(|end| end <= self.len);
        if !inside || !start.is_multiple_of(page_size()) || !len.is_multiple_of(page_size()) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: the range lies in this mapping; giving more access cannot invalidate a reference into it.
        let result =
            unsafe { libc::mprotect(self.base.as_ptr().add(start).cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Enlarges an allocated mapping, keeping its contents and zeroing the rest. It may move.
    pub fn enlarge(&mut self, len: usize) -> io::Result<()> {
        let len = round_to_pages(len)?;
        if len <= self.len {
            return Ok(());
        }
        self.enlarge_to_pages(len)
    }

    #[cfg(target_os = "linux")]
    fn enlarge_to_pages(&mut self, len: usize) -> io::Result<()> {
        // SAFETY: the old range is this whole mapping, which we own; the borrow is exclusive, so nothing points into it
        // that the caller does not know of.
        let base = unsafe { libc::mremap(self.base.as_ptr().cast(), self.len, len, libc::MREMAP_MAYMOVE) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mremap returned address 0"))?;
        self.len = len;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn enlarge_to_pages(&mut self, len: usize) -> io::Result<()> {
        let new = Mapping::allocate(len)?;
        // SAFETY: both mappings are readable or writable for at least `self.len` bytes and distinct.
        unsafe { ptr::copy_nonoverlapping(self.base.as_ptr(), new.base.as_ptr(), self.len) };
        *self = new;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what was mapped, and its owner is going away.
        let result = unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0, "munmap of our own mapping");
    }
}

fn round_to_pages(len: usize) -> io::Result<usize> {
    match len.checked_next_multiple_of(page_size()) {
        Some(len) if len != 0 => Ok(len),
        _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    }
}

/// Address space behind one guarded memory: `front` inaccessible bytes, then the memory, then the guard.
#[derive(Debug)]
pub struct Reservation {
    mapping: Mapping,
    front: usize,
    slot: usize,
}

/// How many guarded memories a process may have at once. More would not fit into 47 bits of address space.
const MAX_RESERVATIONS: usize = 16_384;

/// First and one past the last address of every live reservation; 0, 0 where there is none. Written under no lock: a
/// slot is claimed by swapping its end from 0 to 1, which no address equals.
static RESERVATIONS: [(AtomicUsize, AtomicUsize); MAX_RESERVATIONS] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; MAX_RESERVATIONS];

/// Slots of [`RESERVATIONS`] that were ever used.
static RESERVATIONS_USED: AtomicUsize = AtomicUsize::new(0);

/// A claimed slot whose range is not known yet.
const CLAIMED: usize = 1;

impl Reservation {
    /// Reserves `front + len` bytes; `front` must be a multiple of the page size.
    pub fn new(front: usize, len: usize) -> io::Result<Reservation> {
        let total = front.checked_add(len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mapping = Mapping::reserve(total)?;
        let slot = RESERVATIONS
            .iter()
            .position(|(_, end)| {
                end.load(Ordering::Relaxed) == 0
                    && end.compare_exchange(0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            })
            .ok_or_else(|| io::Error::other("too many guarded memories in this process"))?;
        RESERVATIONS_USED.fetch_max(slot + 1, Ordering::AcqRel);
        let start = mapping.base.as_ptr().addr();
        RESERVATIONS[slot].0.store(start, Ordering::Release);
        RESERVATIONS[slot].1.store(start + mapping.len, Ordering::Release);
        Ok(Reservation { mapping, front, slot })
    }

    /// First byte of the memory.
    pub fn base(&self) -> NonNull<u8> {
        // SAFETY: `front` is at most the length of the mapping.
        unsafe { self.mapping.base.add(self.front) }
    }

    /// Makes `start..start + len`, counted from [`base`](Reservation::base), readable and writable.
    pub fn make_accessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        let start = start.checked_add(self.front).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.mapping.make_accessible(start, len)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        RESERVATIONS[self.slot].0.store(0, Ordering::Release);
        RESERVATIONS[self.slot].1.store(0, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocated_pages_are_zero_and_survive_enlarging() {
        let mut mapping = Mapping::allocate(1).unwrap();
        assert_eq!(mapping.size(), page_size());
        // SAFETY: the first page is ours, readable and writable.
        unsafe {
            assert_eq!(*mapping.base().as_ptr(), 0);
            *mapping.base().as_ptr() = 7;
        }
        mapping.enlarge(1 << 20).unwrap();
        // SAFETY: the mapping now has 1 MiB.
        unsafe {
            assert_eq!(*mapping.base().as_ptr(), 7);
            assert_eq!(*mapping.base().as_ptr().add((1 << 20) - 1), 0);
        }
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(Mapping::allocate(0).is_err());
        assert!(Mapping::allocate(usize::MAX).is_err());
        assert!(Mapping::reserve(1 << 60).is_err());
    }

    #[test]
    fn access_is_given_inside_the_mapping_only() {
        let mut mapping = Mapping::reserve(page_size() * 4).unwrap();
        assert!(mapping.make_accessible(0, page_size() * 5).is_err());
        assert!(mapping.make_accessible(1, page_size()).is_err());
        mapping.make_accessible(page_size(), page_size()).unwrap();
    }

    #[test]
    fn a_reservation_is_known_while_it_lives() {
        let reservation = Reservation::new(page_size(), page_size() * 2).unwrap();
        let base = reservation.base().as_ptr().addr();
        assert!(is_guarded_address(base));
        assert!(is_guarded_address(base - 1), "the front guard belongs to it");
        assert!(is_guarded_address(base + page_size() * 2 - 1));
        assert!(!is_guarded_address(0));
        assert!(!is_guarded_address(&raw const base as usize));
        drop(reservation);
        // A test on another thread may have reserved the same place just now; it does not do so every time.
        assert!((0..100).any(|_| {
            let reservation = Reservation::new(0, page_size()).unwrap();
            let base = reservation.base().as_ptr().addr();
            drop(reservation);
            !is_guarded_address(base)
        }));
    }
}
