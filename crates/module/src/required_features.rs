//! Decodes a module with its *required features*: the features without which it is not valid.
//!
//! [`Inspection`](crate::Inspection) uses this file. The answer comes from the validator, because a second list of the
//! operators and types of each feature could contradict it.
//!
//! # Method
//! The first validation has no feature switched on. If it fails, the error names the missing feature, which is required. The
//! next validation has that feature switched on, and so on until the module is valid. Most of these validations end early;
//! the last one yields the module.
//!
//! An error that names no feature may still be due to a missing one. The module is then validated with all features. If that
//! fails, its error is reported. Otherwise a feature is required if the module is not valid with all features but this one.
//!
//! Features are switched on one by one, without the features that they imply: a module of the garbage collection
//! proposal that uses no bulk operator does not require bulk memory.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::bytes::ModuleBytes;
use crate::error::ModuleError;
use crate::features::{Feature, Features};
use crate::module::Module;

/// Decodes and validates a module with its required features and no others. [`Module::features`] returns them.
///
/// # Errors
/// The error of a validation with all features.
pub(crate) fn decode_with_required(bytes: &ModuleBytes, name: &str, threads: usize) -> Result<Module, ModuleError> {
    let decode = |features: &Features| {
        // A new registry each time, as a failed attempt may leave types in its registry.
        Module::decode(bytes.clone(), name, features, &Arc::new(TypeRegistry::new()), threads)
    };
    let all = Features::all();
    let mut is_valid = false;
    let mut required = Features::NONE;
    loop {
        let error = match decode(&required) {
            Ok(module) => return Ok(module),
            Err(error) => error,
        };
        let mut missing = error.missing_feature().filter(|&feature| !required.contains(feature));
        if missing.is_none() {
            if !is_valid {
                decode(&all)?;
                is_valid = true;
            }
            let is_required =
                |&feature: &Feature| !required.contains(feature) && decode(&all.with_alone(feature, false)).is_err();
            missing = all.iter().find(is_required);
        }
        match missing {
            Some(feature) => required = required.with_alone(feature, true),
            // Reached only if two features can replace each other, so that neither is required. No features of the table can.
            None => return decode(&all),
        }
    }
}
