//! [`LoopSites`]: the places in a module's code at which budget interrupts came, and which loop is to be compiled for each.
//!
//! A place is watched until it was found often enough; then it turns out to be the start of a loop or not. If so, the outermost
//! loop around it is to be compiled first. Once that has code, control should come to it; if it does not for long, the next loop
//! further inside is compiled, and so on to the one at hand.

use std::collections::HashMap;
use std::sync::Arc;

use wasmr_interp::translate::loops::{Loop, LoopInfo};

use crate::tuning::LOOKED_AT;
use crate::work::Progress;

/// A place: a word of a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    /// The function, counted from the first that the module defines.
    pub index: u32,
    /// Whether its code is that for guarded memories.
    pub guarded: bool,
    pub position: u32,
}

#[derive(Debug, Default)]
pub(crate) struct LoopSites {
    known: HashMap<Site, Knowledge>,
}

#[derive(Debug)]
enum Knowledge {
    /// So many samples found it.
    Samples(u32),
    /// A loop, to be entered by some loop's code.
    Loop(Watch),
    /// No loop starts here, or none can be compiled.
    Nothing,
}

#[derive(Debug)]
struct Watch {
    info: Arc<LoopInfo>,
    /// Which loop of the nest starts here.
    here: usize,
    /// Which is to be entered.
    target: usize,
    /// How often an event came here while the target had code and was not come to.
    misses: u32,
}

/// What to do at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing: the code is being made.
    Wait,
    /// See whether control comes to the target soon.
    Hunt,
    /// Ask again: the target is another loop now.
    Inward,
    /// Enter the target's code: this is where it starts.
    Enter,
}

impl LoopSites {
    /// Counts an event, unless it came early; whether it is not known yet what the place is.
    pub(crate) fn sample(&mut self, site: Site, early: bool) -> bool {
        match self.known.entry(site).or_insert(Knowledge::Samples(0)) {
            Knowledge::Samples(samples) => {
                *samples = samples.saturating_add(u32::from(!early));
                !early
            }
            Knowledge::Loop(_) | Knowledge::Nothing => false,
        }
    }

    /// How many samples found a place of which nothing else is known.
    pub(crate) fn samples(&self, site: Site) -> u32 {
        match self.known.get(&site) {
            Some(Knowledge::Samples(samples)) => *samples,
            _ => 0,
        }
    }

    /// The places in a function of which nothing is known but that samples found them, the most often found first; not more than are
    /// worth looking at.
    pub(crate) fn unknown(&self, index: u32, guarded: bool) -> Vec<Site> {
        let mut found: Vec<(u32, Site)> = self
            .known
            .iter()
            .filter_map(|(site, known)| match known {
                Knowledge::Samples(samples) if site.index == index && site.guarded == guarded => {
                    Some((*samples, *site))
                }
                _ => None,
            })
            .collect();
        found.sort_unstable_by_key(|(samples, site)| (std::cmp::Reverse(*samples), site.position));
        found.into_iter().map(|(_, site)| site).take(LOOKED_AT).collect()
    }

    /// Notes what a place is; and of loops around it that they are loops, so that they can be entered at once.
    pub(crate) fn learn(&mut self, site: Site, info: Option<LoopInfo>) {
        self.learn_inside(site, info, 0);
    }

    /// The same, where the loops around the one with this index in the nest are not to be entered: nothing is known of them.
    pub(crate) fn learn_inside(&mut self, site: Site, info: Option<LoopInfo>, target: usize) {
        let Some(info) = info else {
            self.known.insert(site, Knowledge::Nothing);
            return;
        };
        let info = Arc::new(info);
        for (here, place) in info.nest.iter().enumerate().skip(target) {
            let known = self.known.entry(Site { position: place.word, ..site }).or_insert(Knowledge::Samples(0));
            if let Knowledge::Samples(_) = known {
                *known = Knowledge::Loop(Watch { info: info.clone(), here, target, misses: 0 });
            }
        }
    }

    /// The outermost loop around a place that samples found control at, by its index in the nest. With many samples: to others it
    /// hardly ever comes.
    pub(crate) fn outermost_found(&self, site: Site, info: &LoopInfo) -> usize {
        let is_found = |place: &Loop| self.samples(Site { position: place.word, ..site }) > 0;
        info.nest.iter().position(is_found).unwrap_or(info.nest.len() - 1)
    }

    /// The loop to enter from a place, by its offset in the module; and whether it starts there.
    pub(crate) fn target(&self, site: Site) -> Option<(Arc<LoopInfo>, usize, bool)> {
        match self.known.get(&site) {
            Some(Knowledge::Loop(watch)) => {
                let offset = watch.info.nest[watch.target].offset;
                Some((watch.info.clone(), offset, watch.target == watch.here))
            }
            _ => None,
        }
    }

    /// What to do at a place, given what has become of the target's code.
    pub(crate) fn advise(&mut self, site: Site, progress: &Progress, early: bool, patience: u32) -> Advice {
        let Some(known) = self.known.get_mut(&site) else { return Advice::Wait };
        let Knowledge::Loop(watch) = known else { return Advice::Wait };
        let is_here = watch.target == watch.here;
        match progress {
            Progress::Waiting(_) | Progress::Postponed => Advice::Wait,
            Progress::Ready if is_here => Advice::Enter,
            Progress::Refused if is_here => {
                *known = Knowledge::Nothing;
                Advice::Wait
            }
            Progress::Ready if watch.misses < patience => {
                watch.misses += 1;
                if early { Advice::Wait } else { Advice::Hunt }
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

    use wasmr_runtime::frame::FrameMap;

    use super::*;

    const INNER: Site = Site { index: 3, guarded: true, position: 20 };
    const OUTER: Site = Site { index: 3, guarded: true, position: 10 };

    fn nest() -> LoopSites {
        let nest = vec![Loop { offset: 100, word: 10 }, Loop { offset: 200, word: 20 }];
        let mut sites = LoopSites::default();
        assert!(sites.sample(INNER, false));
        sites.learn(INNER, Some(LoopInfo { nest, frame: FrameMap { locals: Vec::new(), operands: 0 } }));
        sites
    }

    fn target(sites: &LoopSites, site: Site) -> Option<(usize, bool)> {
        sites.target(site).map(|(_, offset, here)| (offset, here))
    }

    #[test]
    fn samples_count_until_it_is_known_what_is_there() {
        let mut sites = LoopSites::default();
        assert!(sites.sample(INNER, false) && sites.sample(INNER, false));
        assert!(!sites.sample(INNER, true), "an early event is no sample");
        assert_eq!(sites.samples(INNER), 2);
        sites.learn(INNER, None);
        assert!(!sites.sample(INNER, false));
        assert_eq!(target(&sites, INNER), None);
    }

    #[test]
    fn the_outermost_loop_is_entered_where_it_starts() {
        let mut sites = nest();
        assert_eq!(target(&sites, INNER), Some((100, false)));
        assert_eq!(target(&sites, OUTER), Some((100, true)));
        let waiting = Progress::Waiting(Arc::new(AtomicU32::new(1)));
        assert_eq!(sites.advise(INNER, &waiting, false, 9), Advice::Wait);
        assert_eq!(sites.advise(INNER, &Progress::Ready, false, 9), Advice::Hunt);
        assert_eq!(sites.advise(INNER, &Progress::Ready, true, 9), Advice::Wait);
        assert_eq!(sites.advise(OUTER, &Progress::Ready, true, 9), Advice::Enter);
    }

    #[test]
    fn what_does_not_come_to_the_outer_loop_enters_the_inner_one() {
        let mut sites = nest();
        for _ in 0..3 {
            assert_eq!(sites.advise(INNER, &Progress::Ready, false, 3), Advice::Hunt);
        }
        assert_eq!(sites.advise(INNER, &Progress::Ready, false, 3), Advice::Inward);
        assert_eq!(target(&sites, INNER), Some((200, true)));
        assert_eq!(sites.advise(INNER, &Progress::Ready, false, 3), Advice::Enter);
    }

    #[test]
    fn postponed_loops_are_asked_for_again() {
        let mut sites = nest();
        assert_eq!(sites.advise(INNER, &Progress::Postponed, false, 0), Advice::Wait);
        assert_eq!(sites.advise(OUTER, &Progress::Postponed, false, 0), Advice::Wait);
        assert_eq!(target(&sites, INNER), Some((100, false)));
        assert_eq!(sites.advise(OUTER, &Progress::Ready, false, 0), Advice::Enter);
    }

    #[test]
    fn refused_loops_are_passed_over() {
        let mut sites = nest();
        assert_eq!(sites.advise(INNER, &Progress::Refused, false, 3), Advice::Inward);
        assert_eq!(sites.advise(INNER, &Progress::Refused, false, 3), Advice::Wait);
        assert_eq!(target(&sites, INNER), None);
    }
}
