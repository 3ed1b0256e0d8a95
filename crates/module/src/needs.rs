//! Which features a module needs: those without which it would not be valid.
//!
//! Comes from `inspect`; asks the validator itself, as no second list of what belongs to which feature could be trusted.
//!
//! # How
//! The module is validated with no feature at all. What refuses it names the feature that is off, which is one that it needs;
//! that is switched on, and so forth until it is valid: one validation more than there are features, most of which end early.
//! A refusal that names none (few) is settled the other way round: by a feature without which all the others are not enough.
//!
//! Features are switched one by one here, without those that go with them: a module of the garbage collection proposal that
//! uses no bulk operator does not need those.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::decode::decode;
use crate::error::ModuleError;
use crate::execution::Purpose;
use crate::features::{Feature, Features};
use crate::module::ModuleBytes;

/// The features that a valid module needs, in the order of the table. `valid_with` is a set that it is valid with.
pub(crate) fn needed(bytes: &ModuleBytes, valid_with: &Features, threads: usize) -> Vec<Feature> {
    let validate = |features: &Features| -> Result<(), ModuleError> {
        // A registry of its own each time: what is refused must leave nothing in the engine's.
        decode(bytes, features, &Arc::new(TypeRegistry::new()), threads, Purpose::Inspect).map(drop)
    };
    let mut needed = Features::NONE;
    while let Err(error) = validate(&needed) {
        let named = error.missing_feature().filter(|&feature| !needed.contains(feature));
        let is_needed =
            |&feature: &Feature| !needed.contains(feature) && validate(&valid_with.with_alone(feature, false)).is_err();
        match named.or_else(|| valid_with.iter().find(is_needed)) {
            Some(feature) => needed = needed.with_alone(feature, true),
            // The module is not valid with the features that it was said to be valid with.
            None => break,
        }
    }
    needed.iter().collect()
}
