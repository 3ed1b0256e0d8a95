//! [`TryRegions`]: the `try_table`s, and legacy `try`s, in force at an instruction.
//!
//! Input are the regions in the order of translation, outer ones first. A search yields the regions in force at a code word,
//! inner ones first, and visits no other region: a guest that throws pays fuel for the visited ones alone
//! ([`wasmr_core::fuel`]).

use std::ops::Range;

/// The code inside a `try_table`, or inside a legacy `try` up to its first clause.
#[derive(Clone, Debug)]
pub(crate) struct TryRegion {
    /// Code words covered.
    pub(crate) range: Range<u32>,
    /// Index of the region whose clauses are tried next: the innermost one around this, or the one that a `delegate` names.
    pub(crate) outer: Option<usize>,
    /// Catch clauses, in order.
    pub(crate) catches: Vec<CatchClause>,
}

/// A catch clause.
#[derive(Clone, Debug)]
pub(crate) struct CatchClause {
    /// Tag of the exceptions that the clause catches, by index; `None` if it catches all.
    pub(crate) tag: Option<u32>,
    /// Code word at which execution continues.
    pub(crate) target: u32,
    /// First slot for the exception's payload.
    pub(crate) payload: i32,
    /// Slot for the reference of the exception, if the clause passes it on.
    pub(crate) reference: Option<i32>,
}

/// The regions of a function.
#[derive(Debug, Default)]
pub(crate) struct TryRegions {
    regions: Vec<TryRegion>,
    /// Code words at which the innermost region changes, in order, each with the index of the new innermost region.
    borders: Vec<(u32, Option<usize>)>,
}

impl TryRegions {
    /// Creates the table of regions that are nested or disjoint, given in the order of their starts, outer ones first.
    pub(crate) fn new(regions: Vec<TryRegion>) -> TryRegions {
        let mut these = TryRegions { regions, borders: Vec::new() };
        let mut open: Vec<usize> = Vec::new();
        for index in 0..these.regions.len() {
            let start = these.regions[index].range.start;
            these.close(&mut open, start);
            these.border(start, Some(index));
            open.push(index);
        }
        these.close(&mut open, u32::MAX);
        these
    }

    /// Closes the open regions that end at `word` or before it.
    fn close(&mut self, open: &mut Vec<usize>, word: u32) {
        while let Some(end) = open.last().map(|&index| self.regions[index].range.end)
            && end <= word
        {
            open.pop();
            self.border(end, open.last().copied());
        }
    }

    /// Notes that `innermost` is the innermost region from `word` on.
    fn border(&mut self, word: u32, innermost: Option<usize>) {
        let latest = self.borders.last().map_or(0, |&(word, _)| word);
        self.borders.push((word.max(latest), innermost));
    }

    /// Returns the regions in force at a code word, inner ones first.
    pub(crate) fn around(&self, word: u32) -> impl Iterator<Item = &TryRegion> {
        let after = self.borders.partition_point(|&(start, _)| start <= word);
        let innermost = after.checked_sub(1).and_then(|border| self.borders[border].1);
        std::iter::successors(innermost, |&index| self.regions[index].outer).map(|index| &self.regions[index])
    }

    /// Returns all regions, inner ones before those around them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TryRegion> {
        self.regions.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regions_around_a_word_are_found_from_inside() {
        // Regions nested, side by side, empty, and with a start or an end in common.
        let ranges = [2..40, 4..10, 4..6, 5..5, 10..20, 12..20, 12..12, 50..60, 60..60, 60..61];
        let outer = [None, Some(0), Some(1), Some(1), Some(0), Some(4), Some(4), None, None, None];
        let region = |(range, outer): (&Range<u32>, Option<usize>)| TryRegion {
            range: range.clone(),
            outer,
            catches: Vec::new(),
        };
        let regions = TryRegions::new(ranges.iter().zip(outer).map(region).collect());
        for word in 0..70 {
            let found: Vec<_> = regions.around(word).map(|region| region.range.clone()).collect();
            let expected: Vec<_> = ranges.iter().rev().filter(|range| range.contains(&word)).cloned().collect();
            assert_eq!(found, expected, "{word}");
        }
        assert!(regions.iter().map(|region| region.range.clone()).eq(ranges.iter().rev().cloned()));
        assert_eq!(TryRegions::default().around(0).count(), 0);
    }
    #[test]
    fn a_delegate_leaves_regions_out() {
        let region = |range, outer| TryRegion { range, outer, catches: Vec::new() };
        // The region at 10 delegates past the one around it.
        let regions = TryRegions::new(vec![region(0..40, None), region(5..30, Some(0)), region(10..20, Some(0))]);
        let found = |word| regions.around(word).map(|region| region.range.start).collect::<Vec<_>>();
        assert_eq!(found(15), [10, 0]);
        assert_eq!(found(25), [5, 0]);
    }
}
