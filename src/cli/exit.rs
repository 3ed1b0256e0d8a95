//! Exit codes, and the error types of the command line that select one. [`signals`](super::signals) ends the process by a
//! signal, without an exit code.

/// A command line that makes no sense. Its exit code is [`USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// A help text that an option asks for, such as `-W help`. Nothing runs, and the exit code is [`SUCCESS`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct HelpRequest(pub(super) String);

/// Success.
pub const SUCCESS: u8 = 0;
/// A module that is missing, invalid or cannot be linked, a directory that cannot be opened, or no function to run.
pub const FAILURE: u8 = 1;
/// A command line that makes no sense.
pub const USAGE: u8 = 2;
/// The end of a run by `--timeout`, as in `timeout(1)`.
pub const TIMEOUT: u8 = 124;
/// A trap: the code that a shell reports for a process that aborted.
pub const TRAP: u8 = 134;

/// Returns the exit code for a guest's `proc_exit(code)`: the low byte, as for a native program.
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
