//! Helpers of this crate's tests: components from text, with the default features.

use std::sync::Arc;

use wasmr_component::{Component, ComponentError};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, ModuleBytes};

/// Decodes a component.
pub fn load(bytes: impl Into<ModuleBytes>) -> Result<Component, ComponentError> {
    Component::new(&bytes.into(), "test", &Features::default(), &Arc::new(TypeRegistry::new()), &mut |_| Some(1))
}

/// Returns the component of a valid text.
pub fn component(text: &str) -> Component {
    load(wat::parse_str(text).expect("the test's text is well-formed")).expect("the test's component is valid")
}

/// Returns the error of a text.
pub fn error(text: &str) -> ComponentError {
    load(wat::parse_str(text).expect("the test's text is well-formed")).expect_err("the test's component is not valid")
}
