//! [`Pause`]: the time until something that the host refused is tried again. Memory, threads and code memory may become
//! available again, so a refusal for lack of them is not permanent.

use std::time::{Duration, Instant};

use crate::tuning::PAUSES;

/// A span of time before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    length: Duration,
    end: Instant,
}

impl Pause {
    /// Begins a pause now. If the host refused again after a `previous` pause, this one is longer.
    pub(crate) fn after(previous: Option<Pause>) -> Pause {
        let (first, longest) = PAUSES;
        let length = previous.map_or(first, |previous| (previous.length * 2).min(longest));
        Pause { length, end: Instant::now() + length }
    }

    /// Returns true if it is time to try again.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let (first, longest) = PAUSES;
        let mut pause = Pause::after(None);
        assert_eq!(pause.length, first);
        assert!(!pause.is_over());
        pause = Pause::after(Some(pause));
        assert_eq!(pause.length, 2 * first);
        for _ in 0..20 {
            pause = Pause::after(Some(pause));
        }
        assert_eq!(pause.length, longest);
        assert!(Pause { end: Instant::now(), ..pause }.is_over());
    }
}
