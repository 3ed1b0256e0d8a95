//! Decodes a module with the features that it needs: those without which it would not be valid.
//!
//! Comes from [`Inspection`](crate::Inspection); asks the validator itself, as no second list of what belongs to which feature
//! could be trusted.
//!
//! # How
//! The module is validated with no feature at all. What refuses it names the feature that is off, which is one that it needs;
//! that is switched on, and so forth until it is valid. Most of these validations end early; the last is the one that counts.
//! A refusal that names no feature is the module's fault if all features together do not help either (few do). Else it is
//! settled the other way round: by a feature without which all the others are not enough.
//!
//! Features are switched one by one here, without those that go with them: a module of the garbage collection proposal that
//! uses no bulk operator does not need those.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::bytes::ModuleBytes;
use crate::error::ModuleError;
use crate::execution::Purpose;
use crate::features::{Feature, Features};
use crate::module::Module;

/// Decodes and validates a module with the features that it needs and no others; [`Module::features`] has them. Errors are
/// those of a validation with every feature.
pub(crate) fn decode_with_needed(bytes: &ModuleBytes, name: &str, threads: usize) -> Result<Module, ModuleError> {
    let decode = |features: &Features| {
        // A registry of its own each time: what is refused must leave nothing in the one that counts.
        Module::decode(bytes.clone(), name, features, &Arc::new(TypeRegistry::new()), threads, Purpose::Inspect)
    };
    let all = Features::all();
    let mut is_valid = false;
    let mut needed = Features::NONE;
    loop {
        let error = match decode(&needed) {
            Ok(module) => return Ok(module),
            Err(error) => error,
        };
        let mut missing = error.missing_feature().filter(|&feature| !needed.contains(feature));
        if missing.is_none() {
            if !is_valid {
                decode(&all)?;
                is_valid = true;
            }
            let is_needed =
                |&feature: &Feature| !needed.contains(feature) && decode(&all.with_alone(feature, false)).is_err();
            missing = all.iter().find(is_needed);
        }
        match missing {
            Some(feature) => needed = needed.with_alone(feature, true),
            // Only several features together help, which none of the table's do.
            None => return decode(&all),
        }
    }
}
