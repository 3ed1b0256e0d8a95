//! Pages for value stacks and native stacks: mapped, and kept for the next store.
//!
//! In: a size, and the end at which the stack begins. Out: [`StackPages`], all zero.
//!
//! # Kept for the next one
//! Up to [`PLACES`](super::pool::PLACES) stacks, of either direction, outlive their users, all zero. No code records
//! how far a stack was used. So the [`RESIDENT`] bytes at which it begins, all that most calls touch, are cleared in
//! place and stay in memory. All other pages go back to the system. A stack larger than [`LARGEST`] is not kept, and
//! none is if the process has a limit of address space (`RLIMIT_AS`).
//!
//! Giving back pages of which none was touched takes half as long if no page table covers them. So a large stack is
//! placed such that a new table begins with the first page that does not stay in memory.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;

use super::pool::Pool;
use super::unix::{Mapping, address_space_is_limited, page_size};

/// Bytes of a kept stack that may be in memory.
pub(super) const RESIDENT: usize = 16 << 10;

/// Bytes of the largest stack that is kept. The native stack of a store with default limits is smaller.
pub(super) const LARGEST: usize = 24 << 20;

/// Bytes that one page table maps on x86-64 and AArch64 with pages of 4 KiB; a multiple of the page size everywhere.
const TABLE: usize = 2 << 20;

static KEPT: Pool<Pages> = Pool::new();

/// Zeroed pages for one stack.
#[derive(Debug)]
pub struct StackPages(ManuallyDrop<Pages>);

#[derive(Debug)]
struct Pages {
    mapping: Mapping,
    /// Offset of the stack in the mapping.
    start: usize,
    shape: Shape,
    /// True if the pages were in the pool before.
    was_kept: bool,
}

/// Properties that must be equal for one stack to replace another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    size: usize,
    /// Inaccessible bytes at the lowest addresses.
    guard: usize,
    grows_down: bool,
}

impl StackPages {
    /// Returns `len` bytes, rounded up to pages, for a stack that begins at the lowest address.
    pub fn upward(len: usize) -> io::Result<StackPages> {
        let size = len.checked_next_multiple_of(page_size()).ok_or_else(invalid)?;
        StackPages::new(Shape { size, guard: 0, grows_down: false })
    }

    /// Returns `len` bytes for a stack that begins at the highest address. The lowest `guard` bytes are inaccessible.
    /// Both sizes are multiples of the page size.
    pub fn downward(guard: usize, len: usize) -> io::Result<StackPages> {
        StackPages::new(Shape { size: len, guard, grows_down: true })
    }

    fn new(shape: Shape) -> io::Result<StackPages> {
        let pages = match KEPT.take(|kept| kept.shape == shape) {
            Some(pages) => pages,
            None => shape.map()?,
        };
        Ok(StackPages(ManuallyDrop::new(pages)))
    }

    /// Returns the first byte, that of the guard if there is one.
    pub fn base(&self) -> NonNull<u8> {
        // SAFETY: `Shape::map` placed the stack inside the mapping, so `start` is at most its length.
        unsafe { self.0.mapping.base().add(self.0.start) }
    }

    /// Returns the size in bytes, a multiple of the page size, with the guard.
    pub fn size(&self) -> usize {
        self.0.shape.size
    }
}

impl Drop for StackPages {
    fn drop(&mut self) {
        // SAFETY: taken once, in `drop`, and the field is not used afterwards.
        let mut pages = unsafe { ManuallyDrop::take(&mut self.0) };
        if pages.make_fresh().is_ok() {
            let shape = pages.shape;
            drop(KEPT.put(pages, |other| other.shape == shape));
        }
    }
}

impl Shape {
    /// Returns the range that stays in memory and the accessible rest, both relative to the start of the stack.
    fn parts(self) -> (Range<usize>, Range<usize>) {
        let resident = RESIDENT.min(self.size - self.guard);
        if self.grows_down {
            (self.size - resident..self.size, self.guard..self.size - resident)
        } else {
            (self.guard..self.guard + resident, self.guard + resident..self.size)
        }
    }

    fn map(self) -> io::Result<Pages> {
        let accessible = self.size.checked_sub(self.guard).ok_or_else(invalid)?;
        let spare = if accessible >= TABLE { TABLE } else { 0 };
        let size = self.size.checked_add(spare).ok_or_else(invalid)?;
        let mut mapping = if self.guard == 0 { Mapping::allocate(size)? } else { Mapping::reserve(size)? };
        let mut start = 0;
        if spare != 0 {
            let (resident, rest) = self.parts();
            let border = mapping.base().as_ptr().addr() + resident.start.max(rest.start);
            start = border.next_multiple_of(TABLE) - border;
        }
        if self.guard != 0 {
            mapping.make_accessible(start + self.guard, accessible)?;
        }
        Ok(Pages { mapping, start, shape: self, was_kept: false })
    }
}

impl Pages {
    /// Makes all bytes zero and leaves few of them in memory. Returns an error if the pages should not, or cannot, be
    /// kept.
    fn make_fresh(&mut self) -> io::Result<()> {
        if self.mapping.size() > LARGEST || (!self.was_kept && address_space_is_limited()) {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let in_mapping = |part: Range<usize>| self.start + part.start..self.start + part.end;
        let (resident, rest) = self.shape.parts();
        let (resident, rest) = (in_mapping(resident), in_mapping(rest));
        self.mapping.discard(rest)?;
        // SAFETY: `resident` is outside of the guard, and `Shape::map` made all else accessible.
        unsafe { self.mapping.clear(resident) };
        self.was_kept = true;
        Ok(())
    }
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::sys::unix::probe::{is_readable, resident};

    fn bytes(stack: &mut StackPages) -> &mut [u8] {
        let Shape { size, guard, .. } = stack.0.shape;
        // SAFETY: all but the guard is accessible, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(stack.base().as_ptr().add(guard), size - guard) }
    }

    #[test]
    fn a_kept_stack_is_zero_and_has_its_guard() {
        let page = page_size();
        let same = (0..100).any(|_| {
            let bases = [(); 3].map(|()| {
                let mut up = StackPages::upward(37 * page).unwrap();
                let mut down = StackPages::downward(2 * page, 37 * page).unwrap();
                let (up_base, down_base) = [&up, &down].map(|stack| stack.base().as_ptr().expose_provenance()).into();
                assert_eq!((up.size(), down.size()), (37 * page, 37 * page));
                assert!(!is_readable(down_base) && !is_readable(down_base + 2 * page - 1));
                assert!(is_readable(down_base + 2 * page) && is_readable(up_base));
                for stack in [&mut up, &mut down] {
                    assert!(bytes(stack).iter().all(|&byte| byte == 0));
                    bytes(stack).fill(0xaa);
                }
                (up_base, down_base)
            });
            bases[0] == bases[1] && bases[1] == bases[2]
        });
        assert!(same, "no stack was ever reused");
    }

    #[test]
    fn little_of_a_kept_stack_is_in_memory() {
        let page = page_size();
        for mut stack in [StackPages::upward(100 * page), StackPages::downward(page, 101 * page)].map(Result::unwrap) {
            bytes(&mut stack).fill(0xaa);
            assert_eq!(resident(&stack.0.mapping), 100 * page);
            stack.0.make_fresh().unwrap();
            assert!(resident(&stack.0.mapping) <= RESIDENT);
            assert!(bytes(&mut stack).iter().all(|&byte| byte == 0));
        }
        let mut large = StackPages::upward(LARGEST + page).unwrap();
        assert!(large.0.make_fresh().is_err());
    }

    #[test]
    fn kept_and_returned_pages_share_no_page_table() {
        let page = page_size();
        for _ in 0..3 {
            let up = StackPages::upward(3 * TABLE + page).unwrap();
            assert!((up.base().as_ptr().addr() + RESIDENT).is_multiple_of(TABLE));
            let mut down = StackPages::downward(page, 3 * TABLE).unwrap();
            assert!((down.base().as_ptr().addr() + down.size() - RESIDENT).is_multiple_of(TABLE));
            assert_eq!((up.size(), down.size()), (3 * TABLE + page, 3 * TABLE));
            assert!(bytes(&mut down).iter().all(|&byte| byte == 0));
            bytes(&mut down).fill(0xaa);
        }
    }

    #[test]
    fn small_and_impossible_sizes() {
        let page = page_size();
        for _ in 0..3 {
            let mut stack = StackPages::upward(1).unwrap();
            assert_eq!(stack.size(), page);
            bytes(&mut stack)[0] = 1;
            drop(StackPages::downward(page, 2 * page).unwrap());
        }
        assert!(StackPages::upward(0).is_err());
        assert!(StackPages::upward(usize::MAX).is_err());
        assert!(StackPages::downward(2 * page, page).is_err());
    }
}
