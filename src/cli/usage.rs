//! What the process took of the machine so far: processor time and memory. Unsafe: asks the system by a C structure.

use std::time::Duration;

/// What the process took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all threads, the system's on their behalf included.
    pub cpu: Duration,
    /// The most memory that was resident at once.
    pub peak_bytes: u64,
}

impl Usage {
    /// Until now; `None` where the system does not say.
    #[cfg(unix)]
    pub fn now() -> Option<Usage> {
        // SAFETY: the structure is plain data for which zero is a valid value.
        let mut used: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the call only writes to the structure it is given.
        if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut used) } != 0 {
            return None;
        }
        let peak_bytes = peak_of_this_program().unwrap_or(used.ru_maxrss as u64 * PEAK_UNIT);
        Some(Usage { cpu: duration(used.ru_utime) + duration(used.ru_stime), peak_bytes })
    }

    /// Other systems are not asked.
    #[cfg(not(unix))]
    pub fn now() -> Option<Usage> {
        None
    }
}

/// What `ru_maxrss` counts.
#[cfg(unix)]
const PEAK_UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

#[cfg(unix)]
fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or_default())
}

/// The peak without that of the program that started this one, which Linux counts in `ru_maxrss`.
#[cfg(unix)]
fn peak_of_this_program() -> Option<u64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(unix)]
fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_seen() {
        let before = Usage::now().unwrap();
        let taken = vec![1_u8; 64 << 20];
        let sum: u64 = taken.iter().map(|&byte| u64::from(byte)).sum();
        let after = Usage::now().unwrap();
        assert_eq!(sum, 64 << 20);
        assert!(after.cpu > before.cpu && after.peak_bytes >= 64 << 20, "{before:?} {after:?}");
    }

    #[test]
    fn the_peak_is_one_line_of_many() {
        assert_eq!(peak_in("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1234 * 1024));
        assert_eq!(peak_in("Name:\tx\n"), None);
    }
}
