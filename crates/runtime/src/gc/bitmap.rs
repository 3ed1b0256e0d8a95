//! [`Bitmap`]: one bit for each 8 bytes of the heap.

use std::ops::Range;

use super::memory::BLOCK;
use crate::slots::filled;
use crate::vm_gc::CELL_SIZES;

/// Words of the bitmap for a block.
const BLOCK_WORDS: usize = BLOCK as usize / 8 / 64;

/// The bits of the cells in a block.
pub(super) type CellBits = [u64; BLOCK_WORDS];

/// The bits of the cells in a block of each class.
pub(super) static CELL_BITS: [CellBits; CELL_SIZES.len()] = {
    let mut bits = [[0; BLOCK_WORDS]; CELL_SIZES.len()];
    let mut class = 0;
    while class < CELL_SIZES.len() {
        let mut at = 0;
        while at + CELL_SIZES[class] <= BLOCK {
            bits[class][at as usize / 512] |= 1 << (at / 8 % 64);
            at += CELL_SIZES[class];
        }
        class += 1;
    }
    bits
};

/// One bit for each possible object.
#[derive(Debug)]
pub(super) struct Bitmap(Vec<u64>);

impl Bitmap {
    /// Creates a bitmap for a heap of `space` bytes, with all bits 0; `None` if memory runs out. The system commits pages as
    /// they are used.
    pub(super) fn new(space: usize) -> Option<Bitmap> {
        filled((space / 8 / 64) as u64, 0).map(Bitmap)
    }

    /// Returns the bit of the object at `at`.
    #[inline(always)]
    pub(super) fn get(&self, at: u32) -> bool {
        self.0[at as usize / 512] >> (at / 8 % 64) & 1 != 0
    }

    /// Sets the bit of the object at `at`. Returns its value before.
    #[inline(always)]
    pub(super) fn replace(&mut self, at: u32) -> bool {
        let word = &mut self.0[at as usize / 512];
        let bit = 1 << (at / 8 % 64);
        let before = *word & bit != 0;
        *word |= bit;
        before
    }

    /// Sets the bits of the cells in a range within a block.
    pub(super) fn set_cells(&mut self, range: Range<u32>, cells: &CellBits) {
        for_each_word(range, |word, mask| self.0[word] |= cells[word % BLOCK_WORDS] & mask);
    }

    /// Clears the bits of a range.
    pub(super) fn clear(&mut self, range: Range<u32>) {
        for_each_word(range, |word, mask| self.0[word] &= !mask);
    }

    /// Returns the first object at or after `at` and before `end`, or `end`.
    pub(super) fn next(&self, at: u32, end: u32) -> u32 {
        first_bit(at, end, |word| self.0[word])
    }

    /// Returns the first cell without an object at or after `at` and before `end`, or `end`. All are in one block.
    pub(super) fn next_free(&self, at: u32, end: u32, cells: &CellBits) -> u32 {
        first_bit(at, end, |word| cells[word % BLOCK_WORDS] & !self.0[word])
    }

    /// Returns the number of objects that begin in a block.
    pub(super) fn count(&self, block: u32) -> u32 {
        let first = block as usize * BLOCK_WORDS;
        self.0[first..first + BLOCK_WORDS].iter().map(|word| word.count_ones()).sum()
    }

    /// Clears the bits of the blocks below `end`.
    pub(super) fn clear_blocks(&mut self, end: u32) {
        self.0[..end as usize * BLOCK_WORDS].fill(0);
    }
}

/// Calls `visit` with each word that has bits of a range, and with a mask of these bits.
fn for_each_word(range: Range<u32>, mut visit: impl FnMut(usize, u64)) {
    let (mut bit, end) = (range.start / 8, range.end / 8);
    while bit < end {
        let next = (bit / 64 + 1) * 64;
        let above = if next > end { u64::MAX << (end % 64) } else { 0 };
        visit(bit as usize / 64, u64::MAX << (bit % 64) & !above);
        bit = next;
    }
}

/// Returns the place of the first bit of `words` at or after `at` and before `end`, or `end`.
fn first_bit(at: u32, end: u32, words: impl Fn(usize) -> u64) -> u32 {
    let mut bit = at / 8;
    while bit < end / 8 {
        let rest = words(bit as usize / 64) >> (bit % 64);
        if rest != 0 {
            return (8 * (bit + rest.trailing_zeros())).min(end);
        }
        bit = (bit / 64 + 1) * 64;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_in_order() {
        let mut bits = Bitmap::new(4 * BLOCK as usize).unwrap();
        for at in [0, 8, 504, 512, 4096, BLOCK - 8, BLOCK] {
            assert!(!bits.replace(at) && bits.replace(at) && bits.get(at));
        }
        let mut found = vec![bits.next(0, 2 * BLOCK)];
        while let Some(&last) = found.last().filter(|&&last| last < 2 * BLOCK) {
            found.push(bits.next(last + 8, 2 * BLOCK));
        }
        assert_eq!(found, [0, 8, 504, 512, 4096, BLOCK - 8, BLOCK, 2 * BLOCK]);
        assert_eq!((bits.count(0), bits.count(1), bits.count(2)), (6, 1, 0));
        assert_eq!(bits.next(16, 256), 256);
        bits.clear(504..520);
        assert_eq!(bits.next(16, BLOCK), 4096);
        bits.clear_blocks(1);
        assert_eq!(bits.next(0, 2 * BLOCK), BLOCK);
    }

    #[test]
    fn cells_of_a_range() {
        for (cells, size) in CELL_BITS.iter().zip(CELL_SIZES) {
            let in_block = BLOCK / size;
            for (first, last) in [(0, in_block), (1, 2), (in_block - 1, in_block), (in_block / 2, in_block)] {
                // The second block, as the first one would hide a missing offset.
                let (start, end) = (BLOCK + first * size, BLOCK + last * size);
                let mut bits = Bitmap::new(2 * BLOCK as usize).unwrap();
                bits.set_cells(start..end, cells);
                assert_eq!((bits.count(0), bits.count(1)), (0, last - first), "{size}");
                assert!((first..last).all(|cell| bits.get(BLOCK + cell * size)), "{size}");
                assert_eq!(bits.next_free(start, end, cells), end, "{size}");
                bits.clear(end - size..end);
                assert_eq!(bits.next_free(start, end, cells), end - size, "{size}");
                assert_eq!(bits.count(1), last - first - 1, "{size}");
            }
        }
    }
}
