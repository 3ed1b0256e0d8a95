//! [`Work`]: a unit of compilation, and [`Progress`]: its state. `module_tiers` requests work, `loops` advises by its progress.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// A function or loop to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    /// Index of the function, counted from the first that the module defines.
    pub index: u32,
    /// True if the code is for instances whose memory 0 is guard-paged.
    pub guarded: bool,
    /// Offset of the loop at which the code starts; `None` for the function's start.
    pub at_loop: Option<usize>,
}

/// State of some work that was requested.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// In the queue or being compiled; with its hotness.
    Waiting(Arc<AtomicU32>),
    /// The code is there.
    Ready,
    /// There will be no code.
    Refused,
    /// The host lacked memory, code memory or a thread. The work is to be requested again.
    Postponed,
}
