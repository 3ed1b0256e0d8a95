//! [`Leaves`]: which functions of a module are so short that the way from an interpreted caller into compiled code and back costs
//! more than to interpret them. Then it is for the caller to be compiled, with the function as a part of it or called directly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wasmr_module::Module;

use crate::tuning::SHORT_LEAF;

/// What is known of a module's functions.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    known: Mutex<HashMap<u32, bool>>,
}

impl Leaves {
    /// Whether a function is short, calls nothing and repeats nothing; by its index among those that the module defines.
    pub(crate) fn is_short(&self, module: &Module, defined_index: u32) -> bool {
        let body = module.body(defined_index);
        if body.bytes.len() > SHORT_LEAF {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(defined_index).or_insert_with(|| body.is_leaf())
    }
}
