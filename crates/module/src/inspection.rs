//! [`Inspection`]: a valid module for display only, which may use every feature of the table.
//!
//! In: bytes. Out: an `Inspection`, which `wasmr inspect` shows. It derefs to [`Module`] for its declarations. It is a separate
//! type, because the module may use features that its user has not switched on.

use std::ops::Deref;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::bytes::ModuleBytes;
use crate::error::ModuleError;
use crate::features::{Feature, Features};
use crate::module::Module;
use crate::required_features;

/// A module that was decoded and validated with its required features, for display only.
#[derive(Debug)]
pub struct Inspection(Module);

impl Inspection {
    /// Decodes and validates a binary module. Up to `threads` threads validate function bodies. `name` is the module's name in
    /// messages.
    ///
    /// # Errors
    /// The fault at the lowest byte offset, if the module is not valid even with all features of the table.
    pub fn new(bytes: ModuleBytes, name: &str, threads: usize) -> Result<Inspection, ModuleError> {
        required_features::decode_with_required(&bytes, name, threads).map(Inspection)
    }

    /// Returns the module's required features. Features that cannot be switched off are not among them.
    pub fn required_features(&self) -> Vec<Feature> {
        self.0.features().iter().collect()
    }

    /// Returns the reason why wasmr, with its default features, refuses to run the module.
    ///
    /// Decodes the module once more, on up to `threads` threads, if it requires a feature that is off by default.
    pub fn refusal(&self, threads: usize) -> Option<ModuleError> {
        if self.0.features().iter().all(Feature::on_by_default) {
            return None;
        }
        let types = Arc::new(TypeRegistry::new());
        Module::new(self.0.shared_bytes(), self.0.name(), &Features::default(), &types, threads).err()
    }
}

impl Deref for Inspection {
    type Target = Module;

    fn deref(&self) -> &Module {
        &self.0
    }
}
