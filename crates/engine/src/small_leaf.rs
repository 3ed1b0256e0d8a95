//! Small leaves: functions so short that a tier transition costs an interpreted caller more than interpreting them. For such a
//! function the caller is compiled instead, with the function inlined or called directly.

use wasmr_module::Module;

use crate::tuning::SMALL_LEAF;

/// Returns true if a function is small and has neither calls nor loops. `defined_index` counts from the first function that the
/// module defines.
pub(crate) fn is_small_leaf(module: &Module, defined_index: u32) -> bool {
    let body = module.body(defined_index);
    body.bytes.len() <= SMALL_LEAF && body.is_leaf()
}
