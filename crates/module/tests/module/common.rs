//! Helpers of this crate's tests: modules from text, with the default features.

use std::path::Path;
use std::sync::Arc;

use crate::outline;
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, Module, ModuleBytes, ModuleError, bytes_from_input};

/// Returns a new registry.
pub fn registry() -> Arc<TypeRegistry> {
    Arc::new(TypeRegistry::default())
}

/// Returns the binary of a text.
pub fn binary(text: &str) -> ModuleBytes {
    bytes_from_input(text.as_bytes().to_vec().into(), Path::new("test.wat")).expect("the test's text is well-formed")
}

/// Decodes the module of a text.
pub fn try_module(text: &str) -> Result<Arc<Module>, ModuleError> {
    load(binary(text))
}

/// Returns the module of a valid text.
pub fn module(text: &str) -> Arc<Module> {
    try_module(text).expect("the test's module is valid")
}

/// Returns the error of an invalid text.
pub fn error(text: &str) -> ModuleError {
    try_module(text).expect_err("the test's module is not valid")
}

/// Decodes a binary. If it is valid, checks that its outline gives the same module.
pub fn load(bytes: impl Into<ModuleBytes>) -> Result<Arc<Module>, ModuleError> {
    let bytes = bytes.into();
    let module = Module::new(bytes.clone(), "test", &Features::default(), &registry(), 1)?;
    outline::assert_same(&module, &outline::decode(bytes, &module));
    Ok(module)
}
