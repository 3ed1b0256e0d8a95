//! Pages for [Miri](https://github.com/rust-lang/miri), which interprets the tests of this crate and has no `mprotect`.
//! Plain allocations, always accessible, replace mappings.
//!
//! Only built by `scripts/miri.sh`. The functions have the contracts of those in `unix.rs`. Address space always has
//! memory, so that no memory is guard-paged.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ops::Range;
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// Bytes of the largest mapping. Miri uses three times as much for each.
const LARGEST: usize = 64 << 20;

/// Memory of the allocator, freed on drop.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory that the value owns. Its bytes are reached through raw pointers only, whose users
// answer for races.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`; no method writes through a shared reference.
unsafe impl Sync for Mapping {}

/// Returns the page size.
pub fn page_size() -> usize {
    PAGE
}

/// Returns 0: Miri has no clock of a thread's processor time.
pub fn thread_cpu_time() -> u64 {
    0
}

/// Does nothing: Miri has no thread priorities.
pub fn lower_priority() {}

/// Does nothing: Miri does not fork.
pub(super) fn leave_out_of_forks(_start: usize, _len: usize) {}

/// Returns true. No mapping is kept, so that Miri detects each use after the owner's end.
pub fn address_space_is_limited() -> bool {
    true
}

impl Mapping {
    /// Reserves `len` bytes, which are accessible here.
    pub fn reserve(len: usize) -> io::Result<Mapping> {
        Mapping::allocate(len)
    }

    /// Allocates `len` zeroed bytes, rounded up to pages; `len` must not be 0.
    pub fn allocate(len: usize) -> io::Result<Mapping> {
        let len = len.checked_next_multiple_of(PAGE).filter(|&len| len != 0 && len <= LARGEST).ok_or_else(invalid)?;
        // SAFETY: the size is not 0.
        let base = NonNull::new(unsafe { alloc_zeroed(layout(len)) });
        Ok(Mapping { base: base.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?, len })
    }

    /// Returns the first byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Returns the size in bytes, a multiple of the page size and not 0.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Checks that the range consists of pages of the mapping.
    pub fn make_accessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        self.check_pages(start, len)
    }

    /// Checks that the range consists of pages of the mapping.
    pub fn make_inaccessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        self.check_pages(start, len)
    }

    fn check_pages(&self, start: usize, len: usize) -> io::Result<()> {
        let inside = start.checked_add(len).is_some_and(|end| end <= self.len);
        if inside && start.is_multiple_of(PAGE) && len.is_multiple_of(PAGE) { Ok(()) } else { Err(invalid()) }
    }

    /// Makes the bytes of `range` zero.
    ///
    /// # Safety
    /// No reference to the bytes exists.
    pub unsafe fn clear(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len, "the range must be in the mapping");
        // SAFETY: the assertion keeps the range inside the mapping, and no reference to it exists, as the caller
        // promises.
        unsafe { self.base.add(range.start).write_bytes(0, range.len()) };
    }

    /// Makes the pages of `range` zero.
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        self.check_pages(range.start, range.len())?;
        // SAFETY: `check_pages` found the range inside the mapping, and the exclusive borrow leaves no reference to its
        // bytes.
        unsafe { self.clear(range) };
        Ok(())
    }

    /// Enlarges the mapping, keeps its contents and zeroes the rest. It always moves, so that Miri detects pointers to
    /// the old place.
    pub fn enlarge(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            let new = Mapping::allocate(len)?;
            // SAFETY: two allocations, each of at least `self.len` bytes.
            unsafe { new.base.copy_from_nonoverlapping(self.base, self.len) };
            *self = new;
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `base` was allocated with this layout, and the value that owns it is being dropped.
        unsafe { dealloc(self.base.as_ptr(), layout(self.len)) };
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, PAGE).expect("the size is bounded and the page size a power of two")
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}
