//! [`Precompile`]: the vocabulary of compilation ahead of time. [`precompiled`](crate::precompiled) makes files of it.

/// The functions to compile ahead of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precompile {
    /// All functions that the module defines.
    #[default]
    All,
    /// The functions that earlier runs found hot, according to the [cache](crate::Config::cache).
    Profiled,
}

/// Functions that were compiled ahead of time.
pub(crate) struct PrecompiledFunctions {
    pub functions: usize,
    pub code_bytes: usize,
    /// Functions without code, by index among the defined ones, each with the reason.
    pub refused: Vec<(u32, String)>,
}

/// Reason why a module cannot be compiled ahead of time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrecompileError {
    /// There is nothing to compile for: the mode only interprets, or this build or host has no compiler.
    #[error("nothing can be compiled: {0}")]
    Unavailable(String),
    /// The program has no build id, by which a later process could recognise the build.
    #[error("this build of wasmr has no build id; link it with the option --build-id")]
    NoBuildId,
    /// The cache has no profile of the module.
    #[error("no earlier run left a profile of the module in the cache; run it first, or compile all functions")]
    NoProfile,
}
