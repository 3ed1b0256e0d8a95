//! Processor time and memory that the process has used. Unsafe: calls `getrusage`.

use std::time::Duration;

/// Resource usage of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all threads, in user and kernel mode.
    pub cpu: Duration,
    /// Peak of the resident memory, in bytes.
    pub peak_bytes: u64,
}

impl Usage {
    /// Returns the usage until now, or `None` if the system does not report it.
    #[cfg(unix)]
    pub fn now() -> Option<Usage> {
        // SAFETY: the structure is plain data for which zero is a valid value.
        let mut used: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the structure outlives the call, which only writes to it.
        if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut used) } != 0 {
            return None;
        }
        let peak_bytes = peak_of_this_program().unwrap_or(used.ru_maxrss as u64 * PEAK_UNIT);
        Some(Usage { cpu: duration(used.ru_utime) + duration(used.ru_stime), peak_bytes })
    }

    /// Returns `None`: wasmr does not ask other systems.
    #[cfg(not(unix))]
    pub fn now() -> Option<Usage> {
        None
    }
}

/// Unit of `ru_maxrss` in bytes.
#[cfg(unix)]
const PEAK_UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

#[cfg(unix)]
fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or_default())
}

/// Returns the peak of this program alone. On Linux, `ru_maxrss` includes the peak of the program that started it by `exec`.
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
