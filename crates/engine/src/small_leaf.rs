//! [`SmallLeaves`]: the small leaves of a module: functions so short that a tier transition costs an interpreted caller more than
//! interpreting them. For such a function the caller is compiled instead, with the function inlined or called directly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wasmr_module::Module;

use crate::tuning::SMALL_LEAF;

/// The functions examined so far, with true for each small leaf.
#[derive(Debug, Default)]
pub(crate) struct SmallLeaves {
    known: Mutex<HashMap<u32, bool>>,
}

impl SmallLeaves {
    /// Returns true if a function is small and has neither calls nor loops. `defined_index` counts from the first function that the
    /// module defines.
    pub(crate) fn contains(&self, module: &Module, defined_index: u32) -> bool {
        let body = module.body(defined_index);
        if body.bytes.len() > SMALL_LEAF {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(defined_index).or_insert_with(|| body.is_leaf())
    }
}
