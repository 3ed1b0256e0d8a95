//! What the tests of this crate share: modules from text, with the default features.

use std::path::Path;
use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, Module, ModuleBytes, ModuleError, bytes_from_input};

/// A fresh registry.
pub fn registry() -> Arc<TypeRegistry> {
    Arc::new(TypeRegistry::default())
}

/// The binary of a text.
pub fn binary(text: &str) -> ModuleBytes {
    bytes_from_input(text.as_bytes().to_vec().into(), Path::new("test.wat")).expect("the test's text is well-formed")
}

/// The module of a text, or why there is none.
pub fn try_module(text: &str) -> Result<Arc<Module>, ModuleError> {
    load(binary(text))
}

/// The module of a text that is valid.
pub fn module(text: &str) -> Arc<Module> {
    try_module(text).expect("the test's module is valid")
}

/// The error of a text that is not valid.
pub fn error(text: &str) -> ModuleError {
    try_module(text).expect_err("the test's module is not valid")
}

/// The module of a binary, or why there is none.
pub fn load(bytes: impl Into<ModuleBytes>) -> Result<Arc<Module>, ModuleError> {
    Module::new(bytes.into(), "test", &Features::default(), &registry(), 1)
}
