//! [`Inspection`]: a valid module to look at, whatever it needs to run.
//!
//! Comes from bytes; goes to `wasmr inspect`. It derefs to [`Module`] for its declarations and is a type of its own, so that
//! what is refused for running cannot be instantiated by way of here.

use std::ops::Deref;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::bytes::ModuleBytes;
use crate::error::ModuleError;
use crate::features::{Feature, Features};
use crate::module::Module;
use crate::needs;

/// A module that was decoded and validated with whatever features it needs, to be looked at only.
#[derive(Debug)]
pub struct Inspection(Module);

impl Inspection {
    /// Decodes and validates a binary module, function bodies on up to `threads` threads. Messages call it `name`.
    ///
    /// # Errors
    /// The first fault by byte offset, if the module is not valid with all features of the table.
    pub fn new(bytes: ModuleBytes, name: &str, threads: usize) -> Result<Inspection, ModuleError> {
        needs::decode_with_needed(&bytes, name, threads).map(Inspection)
    }

    /// Returns the features without which the module would not be valid, what cannot be switched off aside.
    pub fn needed_features(&self) -> Vec<Feature> {
        self.0.features().iter().collect()
    }

    /// Returns the reason why wasmr, with its default features, refuses to run the module. Decodes it once more, on up to
    /// `threads` threads, if it needs a feature that is off or not executed in full.
    pub fn refusal(&self, threads: usize) -> Option<ModuleError> {
        let executed = Features::default().executed();
        if self.0.features().iter().all(|feature| executed.contains(feature)) {
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
