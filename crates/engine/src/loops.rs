//! [`LoopProfile`]: the samples of a module's loops, and the loop to compile for each.
//!
//! The samples of a loop are counted until there are enough. The loop is then *watched*, and the outermost loop around it is
//! compiled first. Once that loop has code, a budget interrupt should soon come at its header. If none comes for long, the next
//! loop further inside is compiled, and so on inward to the watched loop.

use std::collections::HashMap;
use std::sync::Arc;

use crate::work::Progress;

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

#[derive(Debug)]
enum Decision {
    /// No decision yet; the number of samples that found the loop.
    Undecided(u32),
    /// Code for a loop of the nest is to be entered.
    Watched(Watch),
    /// Neither the loop nor one around it can be compiled.
    Refused,
}

#[derive(Debug)]
struct Watch {
    /// Offsets of the loops around this one, outermost first, and this one.
    nest: Arc<[usize]>,
    /// Index in `nest` of this loop.
    here: usize,
    /// Index in `nest` of the loop to enter.
    target: usize,
    /// Budget interrupts at this loop while the target, another loop, had code.
    misses: u32,
}

/// Next step at a loop header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Continue interpreting: the code is not ready, or control may still come to the target.
    Wait,
    /// Continue interpreting with an outer-loop watch: control may come to the target.
    WatchOuterLoop,
    /// Ask for advice again: the target is now a loop further inside, because of this thread or another one.
    Inward,
    /// Enter the target's code: control is at its header.
    Enter,
}

impl LoopProfile {
    /// Counts a budget interrupt as a sample, if it did not come early and the loop is undecided. Returns the number of samples
    /// in that case.
    pub(crate) fn count(&mut self, header: LoopHeader, early: bool) -> Option<u32> {
        match self.known.entry(header).or_insert(Decision::Undecided(0)) {
            Decision::Undecided(samples) if !early => {
                *samples = samples.saturating_add(1);
                Some(*samples)
            }
            _ => None,
        }
    }

    /// Returns the number of samples of an undecided loop; 0 for any other.
    fn samples(&self, header: LoopHeader) -> u32 {
        match self.known.get(&header) {
            Some(Decision::Undecided(samples)) => *samples,
            _ => 0,
        }
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

    /// Decides to enter code for a loop. `nest` lists the loops around it, outermost first, and the loop itself last. The
    /// outermost loop is the first target. The decision holds for all undecided loops of the nest: code is then entered at the
    /// first budget interrupt at the target's header.
    pub(crate) fn watch(&mut self, header: LoopHeader, nest: Vec<usize>) {
        self.watch_inside(header, nest, 0);
    }

    /// As [`watch`](LoopProfile::watch), with the loop at index `target` of the nest as the first target. The loops around the
    /// target stay undecided.
    pub(crate) fn watch_inside(&mut self, header: LoopHeader, nest: Vec<usize>, target: usize) {
        let nest: Arc<[usize]> = nest.into();
        for (here, &offset) in nest.iter().enumerate().skip(target) {
            let known = self.known.entry(LoopHeader { offset, ..header }).or_insert(Decision::Undecided(0));
            if let Decision::Undecided(_) = known {
                *known = Decision::Watched(Watch { nest: nest.clone(), here, target, misses: 0 });
            }
        }
    }

    /// Returns the index of the outermost loop of a nest that samples found; of the innermost loop if they found none. The
    /// samples are enough to find every loop to whose header control comes often.
    pub(crate) fn outermost_found(&self, header: LoopHeader, nest: &[usize]) -> usize {
        let is_found = |&offset: &usize| self.samples(LoopHeader { offset, ..header }) > 0;
        nest.iter().position(is_found).unwrap_or(nest.len().saturating_sub(1))
    }

    /// Returns the offset of the loop to enter; `None` if no code is to be entered here.
    pub(crate) fn target(&self, header: LoopHeader) -> Option<usize> {
        match self.known.get(&header) {
            Some(Decision::Watched(watch)) => Some(watch.nest[watch.target]),
            _ => None,
        }
    }

    /// Returns the next step at a loop, given the progress of the code of `target`, which [`target`](LoopProfile::target)
    /// returned. Another thread at the same loop may have changed the target since: its progress says nothing then.
    pub(crate) fn advise(
        &mut self,
        header: LoopHeader,
        target: usize,
        progress: &Progress,
        early: bool,
        patience: u32,
    ) -> Advice {
        let Some(known) = self.known.get_mut(&header) else { return Advice::Wait };
        let Decision::Watched(watch) = known else { return Advice::Wait };
        if watch.nest[watch.target] != target {
            return Advice::Inward;
        }
        let is_here = watch.target == watch.here;
        match progress {
            Progress::Waiting(_) | Progress::Postponed => Advice::Wait,
            Progress::Ready if is_here => Advice::Enter,
            Progress::Refused if is_here => {
                *known = Decision::Refused;
                Advice::Wait
            }
            Progress::Ready if watch.misses < patience => {
                watch.misses += 1;
                if early { Advice::Wait } else { Advice::WatchOuterLoop }
            }
            Progress::Ready | Progress::Refused => {
                watch.target += 1;
                watch.misses = 0;
                Advice::Inward
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    const INNER: LoopHeader = LoopHeader { index: 3, guarded: true, offset: 200 };
    const OUTER: LoopHeader = LoopHeader { index: 3, guarded: true, offset: 100 };

    fn nest() -> LoopProfile {
        let mut loops = LoopProfile::default();
        assert_eq!(loops.count(INNER, false), Some(1));
        loops.watch(INNER, vec![100, 200]);
        loops
    }

    #[test]
    fn samples_count_until_something_is_decided() {
        let mut loops = LoopProfile::default();
        assert_eq!([loops.count(INNER, false), loops.count(INNER, false)], [Some(1), Some(2)]);
        assert_eq!(loops.count(INNER, true), None, "an early event is no sample");
        assert_eq!(loops.samples(INNER), 2);
        loops.watch(INNER, vec![200]);
        assert_eq!(loops.count(INNER, false), None);
        assert_eq!(loops.target(INNER), Some(200));
    }

    #[test]
    fn the_outermost_loop_is_entered_at_its_header() {
        let mut loops = nest();
        assert_eq!(loops.target(INNER), Some(100));
        assert_eq!(loops.target(OUTER), Some(100));
        let waiting = Progress::Waiting(Arc::new(AtomicU32::new(1)));
        assert_eq!(loops.advise(INNER, 100, &waiting, false, 9), Advice::Wait);
        assert_eq!(loops.advise(INNER, 100, &Progress::Ready, false, 9), Advice::WatchOuterLoop);
        assert_eq!(loops.advise(INNER, 100, &Progress::Ready, true, 9), Advice::Wait);
        assert_eq!(loops.advise(OUTER, 100, &Progress::Ready, true, 9), Advice::Enter);
    }

    #[test]
    fn the_inner_loop_is_entered_if_control_does_not_come_to_the_outer_one() {
        let mut loops = nest();
        for _ in 0..3 {
            assert_eq!(loops.advise(INNER, 100, &Progress::Ready, false, 3), Advice::WatchOuterLoop);
        }
        assert_eq!(loops.advise(INNER, 100, &Progress::Ready, false, 3), Advice::Inward);
        assert_eq!(loops.target(INNER), Some(200));
        assert_eq!(loops.advise(INNER, 200, &Progress::Ready, false, 3), Advice::Enter);
    }

    #[test]
    fn postponed_loops_are_requested_again() {
        let mut loops = nest();
        assert_eq!(loops.advise(INNER, 100, &Progress::Postponed, false, 0), Advice::Wait);
        assert_eq!(loops.advise(OUTER, 100, &Progress::Postponed, false, 0), Advice::Wait);
        assert_eq!(loops.target(INNER), Some(100));
        assert_eq!(loops.advise(OUTER, 100, &Progress::Ready, false, 0), Advice::Enter);
    }

    #[test]
    fn refused_loops_are_passed_over() {
        let mut loops = nest();
        assert_eq!(loops.advise(INNER, 100, &Progress::Refused, false, 3), Advice::Inward);
        assert_eq!(loops.advise(INNER, 200, &Progress::Refused, false, 3), Advice::Wait);
        assert_eq!(loops.target(INNER), None);
    }

    #[test]
    fn the_progress_of_a_former_target_is_no_reason_to_enter() {
        // Two threads are at the inner loop, and both ask for the code of the outer one. The first turns inward.
        let mut loops = nest();
        assert_eq!(loops.target(INNER), Some(100));
        assert_eq!(loops.advise(INNER, 100, &Progress::Ready, false, 0), Advice::Inward);
        assert_eq!(loops.advise(INNER, 100, &Progress::Ready, false, 0), Advice::Inward);
        assert_eq!(loops.advise(INNER, 100, &Progress::Refused, false, 0), Advice::Inward);
        assert_eq!(loops.target(INNER), Some(200));
        assert_eq!(loops.advise(INNER, 200, &Progress::Ready, false, 0), Advice::Enter);
    }

    #[test]
    fn the_second_entry_of_a_large_function_is_at_the_outermost_loop_that_samples_found() {
        let mut loops = LoopProfile::default();
        let middle = LoopHeader { offset: 150, ..INNER };
        for header in [INNER, middle, INNER, LoopHeader { index: 4, ..OUTER }] {
            assert!(loops.count(header, false).is_some());
        }
        assert_eq!(loops.hottest_undecided(3, true), Some(INNER));
        assert_eq!(loops.outermost_found(INNER, &[100, 150, 200]), 1);
        loops.watch_inside(INNER, vec![100, 150, 200], 1);
        assert_eq!([OUTER, middle, INNER].map(|header| loops.target(header).is_some()), [false, true, true]);
        assert_eq!(loops.hottest_undecided(3, true), None);
        assert_eq!(loops.outermost_found(OUTER, &[100]), 0);
    }
}
