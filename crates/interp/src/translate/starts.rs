//! At which words of a function's code cells start: a bit a word, noted as the cells are emitted.

/// The starts of cells.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    bits: Vec<u64>,
    /// One past the last start.
    end: usize,
}

impl Starts {
    /// Notes that a cell starts at a word. What was noted of that word and those behind it is void: a cell may have been
    /// absorbed by another.
    #[inline]
    pub fn mark(&mut self, word: usize) {
        if word < self.end {
            self.truncate(word);
        }
        match self.bits.get_mut(word / 64) {
            Some(bits) => *bits |= 1 << (word % 64),
            None => self.extend(word),
        }
        self.end = word + 1;
    }

    /// Notes that a cell starts at a word for which there is no room yet.
    #[cold]
    fn extend(&mut self, word: usize) {
        self.bits.resize(word / 64 + 1, 0);
        self.bits[word / 64] |= 1 << (word % 64);
    }

    /// Forgets the starts from a word on.
    pub fn truncate(&mut self, word: usize) {
        if word < self.end {
            self.bits.truncate(word / 64 + 1);
            self.bits[word / 64] &= (1 << (word % 64)) - 1;
            self.end = word;
        }
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.from(0)
    }

    /// The words from one on, in order.
    pub fn from(&self, word: usize) -> impl Iterator<Item = usize> {
        let first = word / 64;
        self.bits.iter().enumerate().skip(first).flat_map(move |(index, &bits)| {
            let bits = if index == first { bits >> (word % 64) << (word % 64) } else { bits };
            std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)))
                .take_while(|bits| *bits != 0)
                .map(move |bits| index * 64 + bits.trailing_zeros() as usize)
        })
    }

    /// The last one before a word.
    pub fn before(&self, word: usize) -> Option<usize> {
        let bits = |index: usize| self.bits.get(index).copied().unwrap_or(0);
        let here = bits(word / 64) & ((1 << (word % 64)) - 1);
        std::iter::once((word / 64, here))
            .chain((0..word / 64).rev().map(|index| (index, bits(index))))
            .find(|(_, bits)| *bits != 0)
            .map(|(index, bits)| index * 64 + 63 - bits.leading_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Starts;

    #[test]
    fn later_marks_void_those_behind_them() {
        let mut starts = Starts::default();
        for word in [0, 2, 63, 64, 70, 200, 1000] {
            starts.mark(word);
        }
        assert_eq!(starts.iter().collect::<Vec<_>>(), [0, 2, 63, 64, 70, 200, 1000]);
        assert_eq!(starts.from(64).collect::<Vec<_>>(), [64, 70, 200, 1000]);
        assert_eq!(starts.from(201).collect::<Vec<_>>(), [1000]);
        assert_eq!(
            [0, 1, 64, 70, 71, 1000, 5000].map(|word| starts.before(word)),
            [None, Some(0), Some(63), Some(64), Some(70), Some(200), Some(1000)]
        );
        starts.mark(70);
        starts.mark(72);
        assert_eq!(starts.iter().collect::<Vec<_>>(), [0, 2, 63, 64, 70, 72]);
        starts.truncate(64);
        assert_eq!(starts.iter().collect::<Vec<_>>(), [0, 2, 63]);
        starts.truncate(100);
        starts.mark(130);
        assert_eq!(starts.iter().collect::<Vec<_>>(), [0, 2, 63, 130]);
        starts.truncate(0);
        assert_eq!(starts.iter().next(), None);
    }
}
