//! [`HeapMemory`]: the bytes of the heap, by their distance from its base.
//!
//! All other files of the collector are safe code: they access objects through the methods here, which check the bounds.
//!
//! The heap is 4 GiB of address space, of which the bytes in use are accessible. Compiled code computes addresses as the base plus
//! a 32-bit number, so that even an address computed on a mispredicted path stays in the heap. The bytes below
//! [`NULL_GUARD`] are never accessible.

use std::io;
use std::ops::Range;

use crate::sys::Reservation;
use crate::vm_gc::NULL_GUARD;

/// Bytes of a block, the unit in which the heap grows.
pub(super) const BLOCK: u32 = 32 << 10;

/// Address space of a heap.
const SPACE: usize = 1 << 32;

/// Least address space of a heap, for a process with a limit on it.
const MIN_SPACE: usize = 16 << 20;

/// The bytes of a heap.
#[derive(Debug)]
pub(super) struct HeapMemory {
    reservation: Reservation,
    /// End of the accessible bytes.
    end: usize,
    /// End of the address space.
    space: usize,
}

impl HeapMemory {
    /// Reserves the address space of a heap, or as much as the system gives.
    pub(super) fn reserve() -> io::Result<HeapMemory> {
        let front = NULL_GUARD as usize;
        let mut space = SPACE;
        loop {
            match Reservation::new(front, space - front, 0) {
                Ok(reservation) => return Ok(HeapMemory { reservation, end: front, space }),
                Err(error) if space <= MIN_SPACE => return Err(error),
                Err(_) => space /= 2,
            }
        }
    }

    /// Returns the address of byte 0, which is inaccessible.
    pub(super) fn base(&self) -> *mut u8 {
        self.reservation.base().as_ptr().wrapping_sub(NULL_GUARD as usize)
    }

    /// Returns the end of the accessible bytes.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Returns the end of the bytes that may become accessible. The last block is left out, so that the end of each block is a
    /// 32-bit number.
    pub(super) fn space(&self) -> usize {
        self.space - BLOCK as usize
    }

    /// Makes the bytes up to `end`, a multiple of the page size, accessible. New bytes are zero.
    pub(super) fn enlarge(&mut self, end: usize) -> io::Result<()> {
        self.reservation.enlarge(end - NULL_GUARD as usize)?;
        self.end = end;
        Ok(())
    }

    /// Returns the pages of a range to the system. They are zero afterwards.
    pub(super) fn discard(&mut self, range: Range<usize>) {
        let front = NULL_GUARD as usize;
        assert!(front <= range.start && range.end <= self.end, "the range is accessible");
        // If the system refuses, the pages stay. They belong to no object, so that their contents do not matter.
        let _ = self.reservation.discard(range.start - front..range.end - front);
    }

    /// Returns a pointer to `size` bytes at `at`.
    ///
    /// # Panics
    /// If they are not accessible.
    #[inline(always)]
    fn at(&self, at: u32, size: usize) -> *mut u8 {
        self.within(at, 0, size)
    }

    /// Returns a pointer to `size` bytes, `offset` bytes after `at`.
    ///
    /// # Panics
    /// If they are not accessible.
    #[inline(always)]
    fn within(&self, at: u32, offset: usize, size: usize) -> *mut u8 {
        let start = at as usize + offset;
        assert!(at >= NULL_GUARD && start + size <= self.end, "an object is in the heap");
        self.base().wrapping_add(start)
    }

    /// Asks the processor for the bytes at `at`, which are read soon.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: u32) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a prefetch reads nothing and never faults.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.base().wrapping_add(at as usize).cast());
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = at;
    }

    /// Reads the 32-bit number that is `offset` bytes after `at`.
    #[inline(always)]
    pub(super) fn read_u32_at(&self, at: u32, offset: usize) -> u32 {
        // SAFETY: `within` checks that the bytes are accessible. Every bit pattern is a number.
        unsafe { self.within(at, offset, 4).cast::<u32>().read_unaligned() }
    }

    /// Writes a 32-bit number.
    #[inline(always)]
    pub(super) fn write_u32(&mut self, at: u32, value: u32) {
        // SAFETY: `at` checks that the bytes are accessible. The exclusive borrow excludes other accesses.
        unsafe { self.at(at, 4).cast::<u32>().write_unaligned(value) }
    }

    /// Reads a 64-bit number.
    #[inline(always)]
    pub(super) fn read_u64(&self, at: u32) -> u64 {
        // SAFETY: as in `read_u32_at`.
        unsafe { self.at(at, 8).cast::<u64>().read_unaligned() }
    }

    /// Writes a 64-bit number.
    #[inline(always)]
    pub(super) fn write_u64(&mut self, at: u32, value: u64) {
        // SAFETY: as in `write_u32`.
        unsafe { self.at(at, 8).cast::<u64>().write_unaligned(value) }
    }

    /// Returns bytes of the heap.
    pub(super) fn bytes(&self, at: u32, len: usize) -> &[u8] {
        // SAFETY: `at` checks that the bytes are accessible. The shared borrow excludes writers: code that could write runs only
        // while its store is borrowed exclusively.
        unsafe { std::slice::from_raw_parts(self.at(at, len), len) }
    }

    /// Returns bytes of the heap for writing.
    pub(super) fn bytes_mut(&mut self, at: u32, len: usize) -> &mut [u8] {
        // SAFETY: `at` checks that the bytes are accessible, and the exclusive borrow excludes other accesses.
        unsafe { std::slice::from_raw_parts_mut(self.at(at, len), len) }
    }

    /// Returns words of the heap. `at` is a multiple of 8.
    pub(super) fn words(&self, at: u32, count: usize) -> &[u64] {
        assert!(at.is_multiple_of(8), "words are aligned");
        // SAFETY: as in `bytes`; the base is aligned to pages, so that the address is aligned.
        unsafe { std::slice::from_raw_parts(self.at(at, 8 * count).cast(), count) }
    }

    /// Copies `len` bytes, which may overlap.
    pub(super) fn copy(&mut self, to: u32, from: u32, len: usize) {
        let (to, from) = (self.at(to, len), self.at(from, len));
        // SAFETY: `at` checks that both ranges are accessible, and the exclusive borrow excludes other accesses.
        unsafe { std::ptr::copy(from, to, len) }
    }

    /// Reads a value that is laid out for native code.
    pub(super) fn read<T: Plain>(&self, at: u32) -> T {
        // SAFETY: `at` checks that the bytes are accessible, and every bit pattern is a `T`.
        unsafe { self.at(at, size_of::<T>()).cast::<T>().read_unaligned() }
    }

    /// Writes a value that is laid out for native code.
    pub(super) fn write<T: Plain>(&mut self, at: u32, value: T) {
        // SAFETY: `at` checks that the bytes are accessible, and the exclusive borrow excludes other accesses.
        unsafe { self.at(at, size_of::<T>()).cast::<T>().write_unaligned(value) }
    }
}

/// Types of which every bit pattern is a value.
///
/// # Safety
/// Every bit pattern of the type is a value.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: both consist of integers.
unsafe impl Plain for crate::vm_gc::VmObject {}
// SAFETY: as above.
unsafe impl Plain for crate::vm_gc::VmDescriptor {}
