//! Where stitched code is: one [`CodeSpace`] a process, handed out in chunks to modules, which give them back when dropped.
//!
//! Comes in: code. Goes out: its address, or nothing when there is no room or the system lets nobody execute what they
//! wrote; whoever asks then does without. Takes no memory before the first code.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use wasmr_runtime::sys::CodeSpace;

use super::decode;

/// Address space for all code of the process: some ten million cells.
const SIZE: usize = 64 << 20;
/// What a module gets at a time, at least.
const CHUNK: usize = 16 << 10;
/// Code starts at multiples of this.
const ALIGN: usize = 16;

struct Arena {
    space: CodeSpace,
    /// Which chunks are taken.
    taken: Mutex<Vec<bool>>,
}

/// First address of the arena, 0 before there is one; its size is [`SIZE`].
static START: AtomicUsize = AtomicUsize::new(0);

fn arena() -> Option<&'static Arena> {
    static ARENA: OnceLock<Option<Arena>> = OnceLock::new();
    let arena = ARENA.get_or_init(|| {
        let space = CodeSpace::near(decode::image(), SIZE).ok()?;
        START.store(space.base(), Ordering::Release);
        Some(Arena { space, taken: Mutex::new(vec![false; SIZE / CHUNK]) })
    });
    arena.as_ref()
}

/// Whether code can be made at all.
pub fn is_available() -> bool {
    arena().is_some()
}

/// Whether an address is in the arena. Takes no lock and allocates nothing.
pub fn contains(address: usize) -> bool {
    let start = START.load(Ordering::Acquire);
    start != 0 && address.wrapping_sub(start) < SIZE
}

impl Arena {
    /// Takes as many chunks as hold `size` bytes: their positions in the space.
    fn take(&self, size: usize) -> Option<Range<usize>> {
        let count = size.div_ceil(CHUNK);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.windows(count).position(|window| window.iter().all(|taken| !taken))?;
        taken[first..first + count].fill(true);
        Some(first * CHUNK..(first + count) * CHUNK)
    }

    fn give_back(&self, range: &Range<usize>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken[range.start / CHUNK..range.end / CHUNK].fill(false);
    }
}

/// Room for the code of one module. The code must not be executed any more when it is dropped.
#[derive(Debug, Default)]
pub struct Room {
    chunks: Vec<Range<usize>>,
    /// What is left of the last of them.
    free: Range<usize>,
}

impl Room {
    /// Places code that `make` makes for the address it is given; at most `size` bytes. Gives the address.
    pub fn place(&mut self, size: usize, make: impl FnOnce(u64) -> Option<Vec<u8>>) -> Option<u64> {
        let arena = arena()?;
        if self.free.len() < size {
            self.free = arena.take(size)?;
            self.chunks.push(self.free.clone());
        }
        let at = self.free.start;
        let address = (arena.space.base() + at) as u64;
        let code = make(address)?;
        assert!(code.len() <= size, "code is as long as was said");
        // SAFETY: the chunk is this module's, and nobody has been given an address behind what is in use of it.
        unsafe { arena.space.write(at, &code) }.ok()?;
        self.free.start = (at + code.len()).next_multiple_of(ALIGN).min(self.free.end);
        Some(address)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(arena) = arena().filter(|_| !self.chunks.is_empty()) {
            self.chunks.iter().for_each(|chunk| arena.give_back(chunk));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_get_chunks_of_their_own_and_give_them_back() {
        if !is_available() {
            return;
        }
        let mut room = Room::default();
        let first = room.place(100, |at| Some(vec![at as u8; 100])).unwrap();
        let second = room.place(100, |_| Some(vec![1; 90])).unwrap();
        assert_eq!(second - first, 112);
        assert!(contains(first as usize) && contains(second as usize + 99) && !contains(first as usize - SIZE));
        let mut other = Room::default();
        let third = other.place(3 * CHUNK, |_| Some(vec![2; 3 * CHUNK])).unwrap();
        assert!(third >= second + 90 || third + 3 * CHUNK as u64 <= first);
        assert!(room.place(SIZE + 1, |_| None).is_none(), "there is an end to it");
    }
}
