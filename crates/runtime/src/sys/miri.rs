//! Pages for [Miri](https://github.com/rust-lang/miri), which interprets the tests of this crate and has no `mprotect`: plain
//! allocations in the place of mappings, all of which may always be accessed.
//!
//! Only built by `scripts/miri.sh`. The functions are those of the file for Unix, with the same contracts; there is no address
//! space without memory behind it, and so no guarded memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ops::Range;
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// Bytes of the largest mapping. Miri keeps three times as many for each.
const LARGEST: usize = 64 << 20;

/// Memory obtained from the allocator, returned on drop.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory that the value owns; who may touch its contents is the business of its user.
unsafe impl Send for Mapping {}
// SAFETY: as above; no method writes through a shared reference.
unsafe impl Sync for Mapping {}

/// Returns the page size.
pub fn page_size() -> usize {
    PAGE
}

/// Does nothing: priorities are the system's.
pub fn lower_priority() {}

/// Returns true: no mapping is kept, so that each use after its owner's end is seen.
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

    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Size in bytes, a multiple of the page size and not 0.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Checks that the range is one of pages of the mapping.
    pub fn make_accessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        self.check_pages(start, len)
    }

    /// Checks that the range is one of pages of the mapping.
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
    /// Nobody has a reference to them.
    pub unsafe fn clear(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len, "the range must be in the mapping");
        // SAFETY: inside the mapping; the borrow is exclusive.
        unsafe { self.base.add(range.start).write_bytes(0, range.len()) };
    }

    /// Makes the pages of `range` zero.
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        self.check_pages(range.start, range.len())?;
        // SAFETY: inside the mapping; the borrow is exclusive.
        unsafe { self.clear(range) };
        Ok(())
    }

    /// Enlarges the mapping, keeping its contents and zeroing the rest. It moves, so that pointers to the old place are seen.
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
        // SAFETY: allocated with this layout, and its owner is going away.
        unsafe { dealloc(self.base.as_ptr(), layout(self.len)) };
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, PAGE).expect("the size is bounded and the page size a power of two")
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}
