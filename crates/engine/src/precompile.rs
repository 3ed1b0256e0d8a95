//! [`Precompile`]: the vocabulary of compilation ahead of time. [`precompiled`](crate::precompiled) makes files of it.

/// A compilation ahead of time.
///
/// # Examples
/// ```
/// use wasmr::{FunctionsToCompile, Precompile};
///
/// let profiled = Precompile { functions: FunctionsToCompile::Profiled, ..Precompile::default() };
/// assert!(profiled.threads >= 1 && profiled.goes_on.is_none());
/// ```
#[derive(Clone, Copy)]
pub struct Precompile<'a> {
    /// The functions to compile; by default, all.
    pub functions: FunctionsToCompile,
    /// Number of threads; by default, one for each processor.
    pub threads: usize,
    /// Limit: returns false if no further function is to be compiled. By default, there is none.
    pub goes_on: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl Default for Precompile<'_> {
    fn default() -> Self {
        Precompile { functions: FunctionsToCompile::All, threads: crate::tuning::processors(), goes_on: None }
    }
}

impl std::fmt::Debug for Precompile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Precompile { functions, threads, goes_on } = self;
        f.debug_struct("Precompile")
            .field("functions", functions)
            .field("threads", threads)
            .field("is_limited", &goes_on.is_some())
            .finish()
    }
}

/// The functions to compile ahead of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionsToCompile {
    /// All functions that the module defines.
    All,
    /// The functions that earlier runs executed, according to the [cache](crate::Config::cache), the most worthwhile first.
    Profiled,
}

/// Result of a compilation ahead of time.
#[derive(Clone, Debug, Default)]
pub struct PrecompiledFunctions {
    /// Number of functions that were compiled.
    pub functions: usize,
    /// Bytes of machine code of these functions.
    pub code_bytes: usize,
    /// Functions that stay interpreted: index in the module, and the reason.
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
    /// There is no cache to compile into.
    #[error("there is no cache")]
    NoCache,
    /// The entry of the cache cannot be written.
    #[error("the cache cannot be written")]
    Unwritable(#[source] std::io::Error),
}
