//! [`CopyOutcome`]: the result of copying a function.

/// Outcome of copying a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// The function has copied code.
    #[cfg(wasmr_copy_patch)]
    Done,
    /// The code memory is used up or refused by the system. A later attempt may succeed.
    NotNow,
    /// The function cannot be copied.
    Never,
}
