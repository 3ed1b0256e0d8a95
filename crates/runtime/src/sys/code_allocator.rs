//! [`CodeAllocator`]: divides one [`CodeMapping`] into chunks. A [`CodeRegion`] owns chunks and frees them together
//! when it is dropped.
//!
//! The baseline compiler and the optimising compiler have one allocator per process each. Every module or linker has a region of its own.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::CodeMapping;
use super::code_mapping::HUGE_PAGE;

/// A code mapping and its free chunks.
#[derive(Debug)]
pub struct CodeAllocator {
    mapping: CodeMapping,
    /// Bytes per chunk.
    chunk: usize,
    /// For each chunk, true if a region owns it.
    taken: Mutex<Vec<bool>>,
}

impl CodeAllocator {
    /// Returns an allocator for `mapping`. A region takes at least `chunk` bytes at a time, a multiple of the page
    /// size.
    pub fn new(mapping: CodeMapping, chunk: usize) -> CodeAllocator {
        let taken = Mutex::new(vec![false; mapping.size() / chunk]);
        CodeAllocator { mapping, chunk, taken }
    }

    /// Returns the mapping that the chunks are parts of.
    pub fn mapping(&self) -> &CodeMapping {
        &self.mapping
    }

    /// Returns true if the address is in the mapping. Takes no lock and allocates nothing.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.mapping.base()) < self.mapping.size()
    }

    /// Returns an empty region.
    pub fn region(&'static self) -> CodeRegion {
        CodeRegion { allocator: self, chunks: Vec::new(), mapped: Vec::new(), free: 0..0, row: 0..0 }
    }

    /// Returns the number of chunks that regions own.
    pub fn taken(&self) -> usize {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|taken| **taken).count()
    }

    /// Takes neighbouring chunks for `size` bytes. Returns their range in the mapping.
    fn take(&self, size: usize) -> Option<Range<usize>> {
        let count = size.div_ceil(self.chunk).max(1);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.windows(count).position(|window| window.iter().all(|taken| !taken))?;
        taken[first..first + count].fill(true);
        Some(first * self.chunk..(first + count) * self.chunk)
    }

    fn free(&self, range: &Range<usize>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken[range.start / self.chunk..range.end / self.chunk].fill(false);
    }
}

/// Chunks of an allocator. No code in a region may run any more when it is dropped.
#[derive(Debug)]
pub struct CodeRegion {
    allocator: &'static CodeAllocator,
    chunks: Vec<Range<usize>>,
    /// Chunks over which a file is mapped.
    mapped: Vec<Range<usize>>,
    /// The unused end of the last chunk.
    free: Range<usize>,
    /// The latest chunks that are neighbours, but for those that are in huge pages.
    row: Range<usize>,
}

/// Adds a chunk to a row of neighbours. Returns the huge pages before the chunk that the row fills, and takes them off the row.
fn full_huge_pages(row: &mut Range<usize>, chunk: &Range<usize>) -> Option<Range<usize>> {
    if row.end != chunk.start {
        row.start = chunk.start;
    }
    row.end = chunk.end;
    let full = row.start.next_multiple_of(HUGE_PAGE)..chunk.start / HUGE_PAGE * HUGE_PAGE;
    if full.is_empty() {
        return None;
    }
    row.start = full.end;
    Some(full)
}

impl CodeRegion {
    /// Returns the allocator of the chunks.
    pub fn allocator(&self) -> &'static CodeAllocator {
        self.allocator
    }

    /// Returns the ranges of the chunks, as offsets in the mapping.
    pub fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    /// Returns the offset, a multiple of `align`, of `size` free bytes, and takes further chunks if the last one has
    /// too few. The bytes stay free until [`use_up_to`](CodeRegion::use_up_to) marks them as used.
    ///
    /// # Errors
    /// If the allocator has too few free chunks next to one another.
    pub fn find(&mut self, size: usize, align: usize) -> io::Result<usize> {
        let at = self.free.start.next_multiple_of(align);
        if !self.chunks.is_empty() && at <= self.free.end && self.free.end - at >= size {
            return Ok(at);
        }
        // Chunks start at multiples of the page size, which suits every alignment of code.
        let chunk = self.allocator.take(size).ok_or(io::ErrorKind::OutOfMemory)?;
        if let Some(full) = full_huge_pages(&mut self.row, &chunk) {
            // If the system refuses, the pages stay small.
            self.allocator.mapping.use_huge_pages(full);
        }
        self.free = chunk.clone();
        self.chunks.push(chunk);
        Ok(self.free.start)
    }

    /// Maps `len` bytes of a file from `offset` on, a multiple of the page size, over the executable view of chunks that it takes.
    /// They are mapped privately: later changes of the file by the system's `write` may or may not show, so the file must not be
    /// changed. Returns the offset in the mapping.
    ///
    /// # Errors
    /// If the allocator has too few free chunks next to one another, or the system refuses to map the file.
    pub fn map_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        let chunk = self.allocator.take(len).ok_or(io::ErrorKind::OutOfMemory)?;
        self.mapped.push(chunk.clone());
        // SAFETY: this region has just taken the chunks, so they have no code.
        unsafe { self.allocator.mapping.map_file(chunk.start, file, offset, len)? };
        Ok(chunk.start)
    }

    /// Marks all bytes of the last chunk before the offset `end` as used.
    ///
    /// # Panics
    /// If the offset is not in the free part of the last chunk.
    pub fn use_up_to(&mut self, end: usize) {
        assert!(self.free.start <= end && end <= self.free.end, "only the last chunk has free bytes");
        self.free.start = end;
    }
}

impl Drop for CodeRegion {
    fn drop(&mut self) {
        self.chunks.iter().for_each(|chunk| self.allocator.free(chunk));
        for chunk in &self.mapped {
            // SAFETY: no code of the region runs any more. Chunks that cannot be restored stay taken.
            if unsafe { self.allocator.mapping.unmap_file(chunk.start, chunk.len()) }.is_ok() {
                self.allocator.free(chunk);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::sys::{ProgramImage, page_size};

    #[test]
    fn a_region_that_fills_huge_pages_moves_into_them() {
        let (mut row, page) = (0..0, HUGE_PAGE);
        let mut full = |start, end| full_huge_pages(&mut row, &(start..end));
        assert_eq!(full(page / 2, page), None);
        assert_eq!(full(page, page + 100), None, "the first one began before the region");
        assert_eq!(full(page + 100, 2 * page), None);
        assert_eq!(full(2 * page, 3 * page + 100), Some(page..2 * page));
        assert_eq!(full(3 * page + 100, 5 * page), Some(2 * page..3 * page));
        assert_eq!(full(6 * page, 8 * page), None, "chunks between are another region's");
        assert_eq!(full(8 * page, 9 * page), Some(6 * page..8 * page));
    }

    #[test]
    fn the_code_of_a_large_program_is_in_huge_pages() {
        // The system may refuse some pages and then not others. A region that never asks has none in any attempt.
        assert!((0..5).any(|_| fills_huge_pages_or_is_refused()));
    }

    /// Fills a region. Returns true if its code is in huge pages, or if the system refuses one more.
    fn fills_huge_pages_or_is_refused() -> bool {
        let image = ProgramImage::around(page_size as fn() -> usize as usize).unwrap();
        let mapping = CodeMapping::near(image.all, 4 * HUGE_PAGE).unwrap();
        let allocator: &'static CodeAllocator = Box::leak(Box::new(CodeAllocator::new(mapping, HUGE_PAGE / 4)));
        let mut region = allocator.region();
        for _ in 0..9 {
            let at = region.find(HUGE_PAGE / 4, 16).unwrap();
            // SAFETY: the chunk is new.
            unsafe { allocator.mapping().write(at, &[0xcc]).unwrap() };
            region.use_up_to(at + HUGE_PAGE / 4);
        }
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let (_, ours) = maps.split_once(&format!("{:x}-", allocator.mapping().base())).expect("it is mapped");
        let huge = ours.lines().find_map(|line| line.strip_prefix("ShmemPmdMapped:")).expect("a size");
        huge.trim() == "4096 kB" || !allocator.mapping().use_huge_pages(2 * HUGE_PAGE..3 * HUGE_PAGE)
    }

    #[test]
    fn a_dropped_region_frees_its_chunks() {
        let image = ProgramImage::around(page_size as fn() -> usize as usize).unwrap();
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
        assert_eq!(second.find(2 * chunk, 16).unwrap(), chunk, "neighbouring chunks");
        assert_eq!(first.find(1, 16).unwrap(), 3 * chunk);
        assert_eq!(first.chunks(), [0..chunk, 3 * chunk..4 * chunk]);
        assert_eq!(allocator.taken(), 4);
        assert_eq!(allocator.region().find(1, 16).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        drop(second);
        assert_eq!(allocator.taken(), 2);
        let mut third = allocator.region();
        assert!(third.find(3 * chunk, 16).is_err(), "three neighbouring chunks are more than are free");
        assert_eq!(third.find(2 * chunk, 16).unwrap(), chunk);
    }
}
