//! [`Outcome`]: the result of making code for a function.

/// Outcome of making code for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The function has code.
    #[cfg(wasmr_baseline)]
    Done,
    /// The code memory is used up or refused by the system. A later attempt may succeed.
    NotNow,
    /// The function cannot have code.
    Never,
}
