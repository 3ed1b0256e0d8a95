//! Exit codes: the one table of how a run's end becomes the process's status. [`signals`](super::signals) has the ends that are no
//! exits.

/// A command line that makes no sense: ends with [`USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// A module is missing, invalid or does not link; a directory cannot be opened; no function to run.
pub const FAILURE: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// `--timeout` passed, as `timeout(1)` has it.
pub const TIMEOUT: u8 = 124;
/// The guest trapped: what a shell shows for a process that aborted.
pub const TRAP: u8 = 134;

/// The status for a guest's `proc_exit(code)`: its low byte, as a native program's.
pub fn of_guest(code: u32) -> u8 {
    code as u8
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guests_code_keeps_its_low_byte() {
        assert_eq!([0, 3, 126, 255, 256, 257, u32::MAX].map(super::of_guest), [0, 3, 126, 255, 0, 1, 255]);
    }
}
