//! [`Pause`]: when something that the host refused is tried again. No failure is remembered for ever that may pass: memory, threads
//! and room for code come back.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(50);
/// The longest: each is twice as long as the one before.
const LONGEST: Duration = Duration::from_secs(5);

/// A time in which something is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    length: Duration,
    end: Instant,
}

impl Pause {
    /// A pause from now on, longer than the one that came before if there was one.
    pub(crate) fn after(previous: Option<Pause>) -> Pause {
        let length = previous.map_or(FIRST, |previous| (previous.length * 2).min(LONGEST));
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
        let mut pause = Pause::after(None);
        assert_eq!(pause.length, FIRST);
        assert!(!pause.is_over());
        pause = Pause::after(Some(pause));
        assert_eq!(pause.length, 2 * FIRST);
        for _ in 0..20 {
            pause = Pause::after(Some(pause));
        }
        assert_eq!(pause.length, LONGEST);
        assert!(Pause { end: Instant::now(), ..pause }.is_over());
    }
}
