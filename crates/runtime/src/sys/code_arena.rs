//! [`CodeArena`]: a [`CodeSpace`] that modules share. It is handed out in chunks, which come back when their owner is dropped.
//!
//! Each maker of machine code has one arena a process, and one [`CodeRoom`] of it for what it frees at once.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::CodeSpace;

/// A space for code and its free chunks.
#[derive(Debug)]
pub struct CodeArena {
    space: CodeSpace,
    /// Bytes of a chunk.
    chunk: usize,
    /// Which chunks are taken.
    taken: Mutex<Vec<bool>>,
}

impl CodeArena {
    /// Makes an arena of a space. `chunk` is what a room takes at a time, at least; a multiple of the size of a page.
    pub fn new(space: CodeSpace, chunk: usize) -> CodeArena {
        let taken = Mutex::new(vec![false; space.size() / chunk]);
        CodeArena { space, chunk, taken }
    }

    /// The space.
    pub fn space(&self) -> &CodeSpace {
        &self.space
    }

    /// Returns true if code at this address belongs to the arena. Takes no lock and allocates nothing.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.space.base()) < self.space.size()
    }

    /// Returns an empty room.
    pub fn room(&'static self) -> CodeRoom {
        CodeRoom { arena: self, chunks: Vec::new(), free: 0..0 }
    }

    /// Returns the number of chunks that rooms have.
    pub fn taken(&self) -> usize {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|taken| **taken).count()
    }

    /// Takes as many chunks as hold `size` bytes. Returns their positions in the space.
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

/// Chunks of an arena. The code in them must not be executed any more when this is dropped.
#[derive(Debug)]
pub struct CodeRoom {
    arena: &'static CodeArena,
    chunks: Vec<Range<usize>>,
    /// The unused end of the last chunk.
    free: Range<usize>,
}

impl CodeRoom {
    /// The arena.
    pub fn arena(&self) -> &'static CodeArena {
        self.arena
    }

    /// Positions of the chunks in the arena's space.
    pub fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    /// Returns a position with `size` free bytes behind it, a multiple of `align`, from another chunk if need be. They stay free
    /// until [`use_up_to`](CodeRoom::use_up_to) says otherwise.
    ///
    /// # Errors
    /// If the arena has no room.
    pub fn find(&mut self, size: usize, align: usize) -> io::Result<usize> {
        let at = self.free.start.next_multiple_of(align);
        if !self.chunks.is_empty() && at <= self.free.end && self.free.end - at >= size {
            return Ok(at);
        }
        // Chunks start at multiples of pages.
        let chunk = self.arena.take(size).ok_or(io::ErrorKind::OutOfMemory)?;
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

impl Drop for CodeRoom {
    fn drop(&mut self) {
        self.chunks.iter().for_each(|chunk| self.arena.give_back(chunk));
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::sys::{Image, page_size};

    #[test]
    fn rooms_take_chunks_and_give_them_back() {
        let image = Image::around(page_size as fn() -> usize as usize).unwrap();
        let chunk = page_size();
        let space = CodeSpace::near(image.all, 4 * chunk).unwrap();
        let arena: &'static CodeArena = Box::leak(Box::new(CodeArena::new(space, chunk)));
        let base = arena.space().base();
        assert!(arena.contains(base) && arena.contains(base + 4 * chunk - 1));
        assert!(!arena.contains(base - 1) && !arena.contains(base + 4 * chunk));

        let (mut first, mut second) = (arena.room(), arena.room());
        let at = first.find(10, 16).unwrap();
        assert_eq!(first.find(10, 16).unwrap(), at, "nothing is used yet");
        first.use_up_to(at + 10);
        assert_eq!(first.find(10, 16).unwrap(), at + 16);
        first.use_up_to(at + chunk);
        assert_eq!(second.find(2 * chunk, 16).unwrap(), chunk, "chunks that follow one another");
        assert_eq!(first.find(1, 16).unwrap(), 3 * chunk);
        assert_eq!(first.chunks(), [0..chunk, 3 * chunk..4 * chunk]);
        assert_eq!(arena.taken(), 4);
        assert_eq!(arena.room().find(1, 16).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        drop(second);
        assert_eq!(arena.taken(), 2);
        let mut third = arena.room();
        assert!(third.find(3 * chunk, 16).is_err(), "there is an end to it");
        assert_eq!(third.find(2 * chunk, 16).unwrap(), chunk);
    }
}
