//! A vector that grows behind a shared reference and never moves an element, so that readers need no lock.
//!
//! The registry appends under its own lock; everyone reads at any time. An element is readable as soon as `set` has
//! returned. Chunk `k` holds `FIRST << k` elements, which bounds the number of chunks without moving anything.

use std::sync::OnceLock;

/// Elements of the first chunk.
const FIRST: usize = 64;
/// Enough chunks for any `u32` index.
const CHUNKS: usize = 27;

/// One allocation; its slots are filled in any order, each once.
type Chunk<T> = Box<[OnceLock<T>]>;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AppendVec<T> {
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
}

impl<T> AppendVec<T> {
    pub(crate) fn new() -> AppendVec<T> {
        AppendVec { chunks: [const { OnceLock::new() }; CHUNKS] }
    }

    /// Chunk and place in it.
    fn locate(index: u32) -> (usize, usize) {
        let block = index as usize / FIRST + 1;
        let chunk = block.ilog2() as usize;
        (chunk, index as usize - FIRST * ((1 << chunk) - 1))
    }

    /// The element, if it was set.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, place) = AppendVec::<T>::locate(index);
        self.chunks[chunk].get()?[place].get()
    }

    /// Sets an element. The first value set stays.
    pub(crate) fn set(&self, index: u32, value: T) -> &T {
        let (chunk, place) = AppendVec::<T>::locate(index);
        let slots = self.chunks[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| OnceLock::new()).collect());
        slots[place].get_or_init(|| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_fill_the_chunks_without_gaps() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(AppendVec::<u8>::locate(index), expected, "{index}");
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert!(AppendVec::<u8>::locate(u32::MAX).0 < CHUNKS);
    }

    #[test]
    fn elements_stay_where_they_are() {
        let vec = AppendVec::new();
        assert_eq!(vec.get(70), None);
        let first: *const u32 = vec.set(0, 7);
        for index in 1..1000 {
            vec.set(index, index);
        }
        assert_eq!(vec.get(999), Some(&999));
        assert_eq!(vec.get(0).map(|element| element as *const u32), Some(first));
        assert_eq!(vec.get(1000), None);
    }
}
