//! [`EarlierRuns`]: the knowledge of a module that earlier processes left. [`warm_start`](crate::warm_start) uses it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use wasmr_cache::Container;

use crate::module_cache::PROFILE;
use crate::saved_profile::{RefusedWork, SavedProfile};
use crate::work::{Progress, Work};

/// Functions of a module, each with its kind of memory 0, and their samples.
type Samples = HashMap<(u32, bool), u32>;

/// Knowledge of a module that earlier processes left: its entry in the cache, or the sections of a precompiled module.
#[derive(Debug, Default)]
pub(crate) struct EarlierRuns {
    pub(crate) entry: Option<Arc<Container>>,
    profile: OnceLock<SavedProfile>,
    /// Samples in earlier runs of functions that had no code.
    samples: OnceLock<Samples>,
    /// For each kind of memory 0, the bytes of code in the entry, once that was loaded.
    pub(crate) loaded: [OnceLock<usize>; 2],
}

impl EarlierRuns {
    /// Returns the runs that left this entry; without one there were none.
    pub(crate) fn new(entry: Option<Arc<Container>>) -> EarlierRuns {
        EarlierRuns { entry, ..EarlierRuns::default() }
    }

    /// Returns the profile.
    pub(crate) fn profile(&self, defined_funcs: u32) -> &SavedProfile {
        self.profile.get_or_init(|| {
            let section = self.entry.as_ref().and_then(|entry| entry.section(PROFILE));
            section.and_then(|bytes| SavedProfile::decode(bytes, defined_funcs)).unwrap_or_default()
        })
    }

    /// Returns the samples of functions that had no code.
    pub(crate) fn samples(&self, defined_funcs: u32) -> &Samples {
        self.samples.get_or_init(|| {
            let functions = self.profile(defined_funcs).functions.iter();
            functions.map(|function| ((function.index, function.guarded), function.samples)).collect()
        })
    }
}

/// Converts work that the compiler refused to the form in which it is stored.
pub(crate) fn refused_work(work: &Work, progress: &Progress) -> Option<RefusedWork> {
    let Work { index, guarded, at_loop } = *work;
    matches!(progress, Progress::Refused).then(|| RefusedWork {
        index,
        guarded,
        at_loop: at_loop.map(|offset| offset as u32),
    })
}
