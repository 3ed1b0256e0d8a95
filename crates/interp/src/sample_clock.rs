//! [`SampleClock`]: the weight of a sample, by the time since the last one.
//!
//! Between two samples lie equally many calls and backward jumps, but not equally much time: a thousand rounds of a long loop body
//! take a hundred times as long as those of a short one. A sample that stands for a long time therefore counts several times.
//!
//! The wall clock is cheap, but its time may be that of other threads and processes. The clock of the thread needs a system call.
//! The wall clock therefore tells which intervals are long, and the thread's clock measures those that follow a long one. The first long
//! interval counts once.
//!
//! The clock is stopped for an interval in which a function is translated, and for some after a call of another tier: its time may be
//! that of compiled code.
//!
//! In a small loop of baseline code a thousand rounds take 1 or 2 µs, and a sample takes a tenth of that. After a brief interval the next
//! one therefore has more calls and backward jumps, up to [`MOST_STRETCH`] times as many. After a long one it has as many as usual.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

use wasmr_runtime::sys::thread_cpu_time;

/// The relation of samples to time and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleWeight {
    /// Time for which a sample of weight 1 stands, in nanoseconds.
    pub nanoseconds: u64,
    /// Words of a function's code for each unit of the largest weight that a sample gives the function: so many words, executed
    /// between each two calls or backward jumps, take that time.
    pub words: usize,
}

impl SampleWeight {
    /// Returns the weight of a sample for a function of so many code words, given the weight by time.
    pub(crate) fn for_function(self, by_time: u32, words: usize) -> u32 {
        by_time.min(u32::try_from(words / self.words.max(1)).unwrap_or(u32::MAX)).max(1)
    }
}

/// Weight from which an interval is long.
const LONG: u64 = 4;

/// Part of the time of a sample below which an interval is brief: one in so many.
const BRIEF: u64 = 4;

/// Largest factor on the calls and backward jumps of an interval.
pub(crate) const MOST_STRETCH: i32 = 4;

/// Returns the factor on the calls and backward jumps of the next interval, given that of an interval and the time that it took.
fn next_stretch(stretch: i32, time: u64, unit: u64) -> i32 {
    if time < unit / BRIEF {
        (stretch * 2).min(MOST_STRETCH)
    } else if time > unit {
        1
    } else {
        stretch
    }
}

/// The clock of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SampleClock {
    /// The next interval counts once, and so do as many others.
    Stopped(u32),
    /// The last interval was short and ended at this time of the wall clock.
    Wall(u64),
    /// The last interval was long and ended at this time of the thread's clock.
    Thread(u64),
}

impl SampleClock {
    /// Ends an interval. Returns its weight by time, at least 1, and the clock for the next one. Changes the factor on the calls and
    /// backward jumps of the next interval. The functions read the wall clock and the thread's.
    fn tick(
        self,
        unit: u64,
        stretch: &mut i32,
        wall: impl Fn() -> u64,
        thread: impl Fn() -> u64,
    ) -> (u32, SampleClock) {
        let unit = unit.max(1);
        if !matches!(self, SampleClock::Wall(_)) {
            *stretch = 1;
        }
        match self {
            SampleClock::Stopped(0) => (1, SampleClock::Wall(wall())),
            SampleClock::Stopped(others) => (1, SampleClock::Stopped(others - 1)),
            SampleClock::Wall(start) => {
                let now = wall();
                let time = now.saturating_sub(start);
                *stretch = next_stretch(*stretch, time, unit);
                let is_long = time >= LONG * unit;
                (1, if is_long { SampleClock::Thread(thread()) } else { SampleClock::Wall(now) })
            }
            SampleClock::Thread(start) => {
                let now = thread();
                let units = now.saturating_sub(start) / unit;
                let weight = u32::try_from(units).unwrap_or(u32::MAX).max(1);
                (weight, if units >= LONG { SampleClock::Thread(now) } else { SampleClock::Wall(wall()) })
            }
        }
    }
}

thread_local! {
    static CLOCK: Cell<SampleClock> = const { Cell::new(SampleClock::Stopped(0)) };
    static STRETCH: Cell<i32> = const { Cell::new(1) };
}

/// Returns the nanoseconds since the first call.
fn wall_time() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Stops the clock until the next sample and for some samples more.
pub(crate) fn stop(more: u32) {
    let more = match CLOCK.get() {
        SampleClock::Stopped(others) => others.max(more),
        SampleClock::Wall(_) | SampleClock::Thread(_) => more,
    };
    CLOCK.set(SampleClock::Stopped(more));
}

/// Returns the weight by time of a sample that this thread takes now, and the factor on the calls and backward jumps before the next
/// sample.
pub(crate) fn weight_by_time(weight: SampleWeight) -> (u32, i32) {
    let mut stretch = STRETCH.get();
    let (units, clock) = CLOCK.get().tick(weight.nanoseconds, &mut stretch, wall_time, thread_cpu_time);
    CLOCK.set(clock);
    STRETCH.set(stretch);
    (units, stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the weights of samples at these times of the wall clock and of the thread's clock.
    fn weights(times: &[(u64, u64)]) -> Vec<u32> {
        let mut clock = SampleClock::Stopped(0);
        let tick = |&(wall, thread): &(u64, u64)| {
            let (weight, next) = clock.tick(10, &mut 1, || wall, || thread);
            clock = next;
            weight
        };
        times.iter().map(tick).collect()
    }

    #[test]
    fn short_intervals_count_once() {
        assert_eq!(weights(&[(0, 0), (10, 10), (20, 20), (59, 59)]), [1; 4]);
    }

    #[test]
    fn long_intervals_count_by_their_time_after_the_first_one() {
        assert_eq!(
            weights(&[(0, 0), (100, 100), (200, 200), (300, 350), (310, 360), (320, 370)]),
            [1, 1, 10, 15, 1, 1]
        );
    }

    #[test]
    fn time_of_other_threads_does_not_count() {
        // The thread waited for its processor, or the host waited for input.
        assert_eq!(weights(&[(0, 0), (100, 10), (200, 20), (300, 30), (400, 40)]), [1; 5]);
        assert_eq!(weights(&[(0, 0), (100, 100), (90, 90)]), [1; 3], "clocks that go back do no harm");
    }

    #[test]
    fn a_stopped_clock_counts_once() {
        let mut clock = SampleClock::Stopped(2);
        for now in [1000, 2000, 3000] {
            assert!(matches!(clock, SampleClock::Stopped(_)));
            let (weight, next) = clock.tick(10, &mut 1, || now, || now);
            assert_eq!(weight, 1);
            clock = next;
        }
        assert_eq!(clock, SampleClock::Wall(3000));
    }

    #[test]
    fn after_brief_intervals_samples_are_rarer() {
        let (mut clock, mut stretch) = (SampleClock::Stopped(0), 1);
        let mut stretches = |times: &[u64]| -> Vec<i32> {
            let tick = |&now: &u64| {
                clock = clock.tick(20, &mut stretch, || now, || now).1;
                stretch
            };
            times.iter().map(tick).collect()
        };
        assert_eq!(stretches(&[0, 4, 8, 12, 17]), [1, 2, 4, MOST_STRETCH, MOST_STRETCH]);
        assert_eq!(
            stretches(&[37, 58, 62]),
            [MOST_STRETCH, 1, 2],
            "an interval of middling length, a longer one, a brief one"
        );
        assert_eq!(stretches(&[162, 262, 263]), [1; 3], "the thread's clock measures intervals that are not brief");
    }

    #[test]
    fn the_size_of_a_function_limits_the_weight() {
        let weight = SampleWeight { nanoseconds: 10, words: 16 };
        assert_eq!([0, 16, 160, 1600].map(|words| weight.for_function(50, words)), [1, 1, 10, 50]);
        assert_eq!(weight.for_function(0, 1600), 1);
    }
}
