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
    pub fn mark(&mut self, word: usize) {
        self.truncate(word);
        self.bits.resize(word / 64 + 1, 0);
        self.bits[word / 64] |= 1 << (word % 64);
        self.end = word + 1;
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
        self.bits.iter().enumerate().flat_map(|(index, &bits)| {
            std::iter::successors(Some(bits), |bits| Some(bits & (bits - 1)))
                .take_while(|bits| *bits != 0)
                .map(move |bits| index * 64 + bits.trailing_zeros() as usize)
        })
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
