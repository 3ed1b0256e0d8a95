//! [`LoopProfile`]: the samples of a module's loops, and the decision for each.
//!
//! The samples of a loop are counted until there are enough. Code with an entry at this loop is then requested, and entered at the
//! next budget interrupt at the loop after the code is ready. The code is that of the whole function, so the loops around the
//! loop continue in it.

use std::collections::HashMap;

/// A loop of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoopHeader {
    /// Index of the function, counted from the first that the module defines.
    pub index: u32,
    /// True for instances whose memory 0 is guard-paged.
    pub guarded: bool,
    /// Offset of the `loop` operator in the module.
    pub offset: usize,
}

#[derive(Debug, Default)]
pub(crate) struct LoopProfile {
    known: HashMap<LoopHeader, Decision>,
}

/// The state of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No decision yet; the number of samples that found the loop.
    Undecided(u32),
    /// Code for the loop was requested.
    Requested,
    /// The loop cannot be compiled.
    Refused,
}

impl LoopProfile {
    /// Counts a budget interrupt as `weight` samples, if the loop is undecided. Returns the state of the loop then.
    pub(crate) fn count(&mut self, header: LoopHeader, weight: u32) -> Decision {
        let known = self.known.entry(header).or_insert(Decision::Undecided(0));
        if let Decision::Undecided(samples) = known {
            *samples = samples.saturating_add(weight);
        }
        *known
    }

    /// Notes a decision.
    pub(crate) fn decide(&mut self, header: LoopHeader, decision: Decision) {
        self.known.insert(header, decision);
    }

    /// Returns the undecided loop of a function with the most samples; among equals, the first.
    pub(crate) fn hottest_undecided(&self, index: u32, guarded: bool) -> Option<LoopHeader> {
        let in_function = self.known.iter().filter(|(header, _)| header.index == index && header.guarded == guarded);
        let undecided = in_function.filter_map(|(header, decision)| match decision {
            Decision::Undecided(samples) => Some((*samples, *header)),
            _ => None,
        });
        undecided.max_by_key(|(samples, header)| (*samples, std::cmp::Reverse(header.offset))).map(|(_, header)| header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: LoopHeader = LoopHeader { index: 3, guarded: true, offset: 200 };
    const OUTER: LoopHeader = LoopHeader { index: 3, guarded: true, offset: 100 };

    #[test]
    fn samples_count_until_something_is_decided() {
        let mut loops = LoopProfile::default();
        assert_eq!([1, 7].map(|weight| loops.count(INNER, weight)), [Decision::Undecided(1), Decision::Undecided(8)]);
        for decision in [Decision::Requested, Decision::Refused] {
            loops.decide(INNER, decision);
            assert_eq!(loops.count(INNER, 1), decision);
        }
        assert_eq!(loops.count(OUTER, 1), Decision::Undecided(1), "each loop has its own decision");
    }

    #[test]
    fn the_second_entry_of_a_large_function_is_at_its_hottest_undecided_loop() {
        let mut loops = LoopProfile::default();
        for header in
            [OUTER, INNER, INNER, OUTER, LoopHeader { index: 4, ..INNER }, LoopHeader { guarded: false, ..INNER }]
        {
            loops.count(header, 1);
        }
        assert_eq!(loops.hottest_undecided(3, true), Some(OUTER), "the first of equals");
        loops.count(INNER, 1);
        assert_eq!(loops.hottest_undecided(3, true), Some(INNER));
        loops.decide(INNER, Decision::Requested);
        assert_eq!(loops.hottest_undecided(3, true), Some(OUTER));
        loops.decide(OUTER, Decision::Refused);
        assert_eq!(loops.hottest_undecided(3, true), None);
    }
}
