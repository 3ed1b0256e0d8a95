//! [`CodeAllocator`]: a [`CodeMapping`] that modules share. It is handed out in chunks, which come back when their owner is dropped.
//!
//! Each maker of machine code has one allocator a process, and one [`CodeRegion`] of it for what it frees at once.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::CodeMapping;

/// A code mapping and its free chunks.
#[derive(Debug)]
pub struct CodeAllocator {
    mapping: CodeMapping,
    /// Bytes of a chunk.
    chunk: usize,
    /// Which chunks are taken.
    taken: Mutex<Vec<bool>>,
}

impl CodeAllocator {
    /// Makes an allocator for a mapping. `chunk` is what a region takes at a time, at least; a multiple of the size of a page.
    pub fn new(mapping: CodeMapping, chunk: usize) -> CodeAllocator {
        let taken = Mutex::new(vec![false; mapping.size() / chunk]);
        CodeAllocator { mapping, chunk, taken }
    }

    /// The mapping.
    pub fn mapping(&self) -> &CodeMapping {
        &self.mapping
    }

    /// Returns true if code at this address belongs to the allocator. Takes no lock and allocates nothing.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.mapping.base()) < self.mapping.size()
    }

    /// Returns an empty region.
    pub fn region(&'static self) -> CodeRegion {
        CodeRegion { allocator: self, chunks: Vec::new(), free: 0..0 }
    }

    /// Returns the number of chunks that regions have.
    pub fn taken(&self) -> usize {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|taken| **taken).count()
    }

    /// Takes as many chunks as hold `size` bytes. Returns their positions in the mapping.
    fn take(&self, size: usize) -> Option<Range<usize>> {
        let count = size.div_ceil(self.chunk).max(1);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.windows(count).position(|window| window.iter().all(|taken| !taken))?;
        taken[first..first + count].fill(true);
        Some(first * self.chunk..(first + count) * self.chunk)
    }

    fn give_back(&self, range: &Range<usize>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken[range.start / self.chunk..range.end / self.chunk].fill(false);
    }
}

/// Chunks of an allocator. The code in them must not be executed any more when this is dropped.
#[derive(Debug)]
pub struct CodeRegion {
    allocator: &'static CodeAllocator,
    chunks: Vec<Range<usize>>,
    /// The unused end of the last chunk.
    free: Range<usize>,
}

impl CodeRegion {
    /// The allocator.
    pub fn allocator(&self) -> &'static CodeAllocator {
        self.allocator
    }

    /// Positions of the chunks in the allocator's mapping.
    pub fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    /// Returns a position with `size` free bytes behind it, a multiple of `align`, from another chunk if need be. They stay free
    /// until [`use_up_to`](CodeRegion::use_up_to) says otherwise.
    ///
    /// # Errors
    /// If the allocator has no free chunks.
    pub fn find(&mut self, size: usize, align: usize) -> io::Result<usize> {
        let at = self.free.start.next_multiple_of(align);
        if !self.chunks.is_empty() && at <= self.free.end && self.free.end - at >= size {
            return Ok(at);
        }
        // Chunks start at multiples of pages.
        let chunk = self.allocator.take(size).ok_or(io::ErrorKind::OutOfMemory)?;
        self.free = chunk.clone();
        self.chunks.push(chunk);
        Ok(self.free.start)
    }

    /// Notes that all bytes before a position in the last chunk are in use.
    ///
    /// # Panics
    /// If the position is not in the free part of the last chunk.
    pub fn use_up_to(&mut self, end: usize) {
        assert!(self.free.start <= end && end <= self.free.end, "only the last chunk has free bytes");
        self.free.start = end;
    }
}

impl Drop for CodeRegion {
    fn drop(&mut self) {
        self.chunks.iter().for_each(|chunk| self.allocator.give_back(chunk));
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::sys::{Image, page_size};

    #[test]
    fn regions_take_chunks_and_give_them_back() {
        let image = Image::around(page_size as fn() -> usize as usize).unwrap();
        let chunk = page_size();
        let mapping = CodeMapping::near(image.all, 4 * chunk).unwrap();
        let allocator: &'static CodeAllocator = Box::leak(Box::new(CodeAllocator::new(mapping, chunk)));
        let base = allocator.mapping().base();
        assert!(allocator.contains(base) && allocator.contains(base + 4 * chunk - 1));
        assert!(!allocator.contains(base - 1) && !allocator.contains(base + 4 * chunk));

        let (mut first, mut second) = (allocator.region(), allocator.region());
        let at = first.find(10, 16).unwrap();
        assert_eq!(first.find(10, 16).unwrap(), at, "nothing is used yet");
        first.use_up_to(at + 10);
        assert_eq!(first.find(10, 16).unwrap(), at + 16);
        first.use_up_to(at + chunk);
        assert_eq!(second.find(2 * chunk, 16).unwrap(), chunk, "chunks that follow one another");
        assert_eq!(first.find(1, 16).unwrap(), 3 * chunk);
        assert_eq!(first.chunks(), [0..chunk, 3 * chunk..4 * chunk]);
        assert_eq!(allocator.taken(), 4);
        assert_eq!(allocator.region().find(1, 16).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        drop(second);
        assert_eq!(allocator.taken(), 2);
        let mut third = allocator.region();
        assert!(third.find(3 * chunk, 16).is_err(), "there is an end to it");
        assert_eq!(third.find(2 * chunk, 16).unwrap(), chunk);
    }
}
