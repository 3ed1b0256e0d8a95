//! [`Work`]: something to compile, and [`Progress`]: its state.
//!
//! The words that `tier_up`, which has things compiled, and `loops`, which advises it, have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Something to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    /// The function, counted from the first that the module defines.
    pub index: u32,
    /// Whether for instances whose memory 0 is guarded.
    pub guarded: bool,
    /// The offset of the loop to start at, if not at the beginning.
    pub at_loop: Option<usize>,
}

/// What has become of it.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// It waits, or is being compiled; with the samples that found it.
    Waiting(Arc<AtomicU32>),
    Ready,
    Refused,
    /// There is none now, and nothing waits: the host has no means for it. To be asked for again.
    Postponed,
}
