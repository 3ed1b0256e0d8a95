//! [`Inspection`]: a valid module to look at, whatever it needs to run.
//!
//! Comes from bytes; goes to `wasmr inspect`. It derefs to [`Module`] for its declarations and is a type of its own, so that
//! what is refused for running cannot be instantiated by way of here.

use std::ops::Deref;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;

use crate::error::ModuleError;
use crate::execution::Purpose;
use crate::features::Features;
use crate::module::{Module, ModuleBytes};

/// A module that was decoded and validated with every feature on, to be looked at only.
#[derive(Debug)]
pub struct Inspection(Module);

impl Inspection {
    /// Decodes and validates a binary module, function bodies on up to `threads` threads. Messages call it `name`.
    ///
    /// # Errors
    /// The first fault by byte offset, if the module is not valid with all features of the table.
    pub fn new(bytes: ModuleBytes, name: &str, threads: usize) -> Result<Inspection, ModuleError> {
        let types = Arc::new(TypeRegistry::new());
        Module::decode(bytes, name, &Features::all(), &types, threads, Purpose::Inspect).map(Inspection)
    }

    /// Returns the reason why wasmr, with its default features, refuses to run the module. Decodes it once more, on up to
    /// `threads` threads.
    pub fn refusal(&self, threads: usize) -> Option<ModuleError> {
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
