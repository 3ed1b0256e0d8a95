//! [`Bitmap`]: one bit for each 8 bytes of the heap.

use std::ops::Range;

use super::memory::BLOCK;
use crate::slots::filled;

/// Words of the bitmap for a block.
const BLOCK_WORDS: usize = BLOCK as usize / 8 / 64;

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

    /// Sets the bits of the cells of `size` bytes in a range.
    pub(super) fn set_cells(&mut self, cells: Range<u32>, size: u32) {
        for at in cells.step_by(size as usize) {
            self.replace(at);
        }
    }

    /// Clears the bits of a range.
    pub(super) fn clear(&mut self, range: Range<u32>) {
        for at in range.step_by(8) {
            self.0[at as usize / 512] &= !(1 << (at / 8 % 64));
        }
    }

    /// Returns the first object at or after `at` and before `end`, or `end`.
    pub(super) fn next(&self, at: u32, end: u32) -> u32 {
        let mut bit = at / 8;
        while bit < end / 8 {
            let rest = self.0[bit as usize / 64] >> (bit % 64);
            if rest != 0 {
                return (8 * (bit + rest.trailing_zeros())).min(end);
            }
            bit = (bit / 64 + 1) * 64;
        }
        end
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
        let mut bits = Bitmap::new(BLOCK as usize).unwrap();
        bits.set_cells(24..96, 24);
        assert_eq!(bits.count(0), 3);
        assert!(bits.get(24) && bits.get(48) && bits.get(72));
    }
}
