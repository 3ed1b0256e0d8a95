//! Times in nanoseconds, as guests count them, and the host's times.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Returns a host time in nanoseconds, from 1970 for the realtime clock. Earlier times become 0, and times after the year 2554 the
/// largest number.
pub(crate) fn nanoseconds(time: Timespec) -> u64 {
    let Ok(seconds) = u64::try_from(time.tv_sec) else { return 0 };
    seconds.saturating_mul(SECOND).saturating_add(time.tv_nsec as u64)
}

/// Returns a number of nanoseconds as the host takes it.
pub(crate) fn timespec(nanoseconds: u64) -> Timespec {
    Timespec { tv_sec: (nanoseconds / SECOND) as i64, tv_nsec: (nanoseconds % SECOND) as _ }
}

/// Returns the time on the monotonic clock in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_range_of_wasi_are_clamped() {
        let of = |tv_sec, tv_nsec| nanoseconds(Timespec { tv_sec, tv_nsec });
        assert_eq!(of(-1, 999_999_999), 0);
        assert_eq!(of(i64::MIN, 0), 0);
        assert_eq!(of(1, 5), 1_000_000_005);
        assert_eq!(of(i64::MAX, 999_999_999), u64::MAX);
        for time in [0, 1, SECOND - 1, SECOND, u64::MAX] {
            assert_eq!(nanoseconds(timespec(time)), time);
        }
    }
}
