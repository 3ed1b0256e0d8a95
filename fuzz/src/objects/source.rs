//! Choices of the generator: the fuzzer's bytes first, then pseudo-random numbers.

use crate::value::Random;

/// A sequence of choices that depends on an input only.
pub struct Source<'a> {
    bytes: &'a [u8],
    random: Random,
}

impl<'a> Source<'a> {
    /// Creates the choices of an input.
    pub fn new(bytes: &'a [u8], seed: u64) -> Source<'a> {
        Source { bytes, random: Random::new(seed) }
    }

    /// Returns a number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        let number = match *self.bytes {
            [byte, ref rest @ ..] if count <= 256 => {
                self.bytes = rest;
                u64::from(byte)
            }
            _ => self.random.next(),
        };
        (number % count as u64) as usize
    }

    /// Returns true once in `count` times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Returns one of the items, of which there is one at least.
    pub fn pick<'b, T>(&mut self, items: &'b [T]) -> &'b T {
        &items[self.below(items.len())]
    }

    /// Returns a number of any size.
    pub fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(8) as u64,
            1 => self.below(256) as u64,
            2 => 1 << self.below(64),
            _ => self.random.next(),
        }
    }
}
