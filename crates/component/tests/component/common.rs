//! Helpers of this crate's tests: components from text, with the default features.

use std::sync::Arc;

use wasmr_component::{Component, ComponentError};
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Features, Module, ModuleBytes, Validity};

/// Decodes a component. If it is valid, checks that the outlines of its modules give the same component.
pub fn load(bytes: impl Into<ModuleBytes>) -> Result<Component, ComponentError> {
    let bytes = bytes.into();
    let component = decode(&bytes, &mut |_| Validity::Unknown { threads: 1 })?;
    let again = decode(&bytes, &mut |index| by_outline(&component.modules[index]));
    assert_same(&component, &again.expect("the outlines are those of the modules"));
    Ok(component)
}

/// Decodes a component whose modules have this validity.
pub fn decode(bytes: &ModuleBytes, validity: &mut dyn FnMut(usize) -> Validity) -> Result<Component, ComponentError> {
    Component::new(bytes, "test", &Features::default(), &Arc::new(TypeRegistry::new()), validity)
}

/// Returns the validity of a module that was validated.
pub fn by_outline(module: &Module) -> Validity {
    Validity::Known { outline: module.outline().into() }
}

/// Checks that two components have the same declarations. Each has a registry of its own.
fn assert_same(a: &Component, b: &Component) {
    let all = |component: &Component| {
        let Component { imports, import_paths, steps, instances, resources, options, .. } = component;
        let Component { lifts, lowerings, builtins, exports, .. } = component;
        format!(
            "{imports:?} {import_paths:?} {steps:?} {instances:?} {resources:?} {options:?} {lifts:?} {lowerings:?} {builtins:?} {exports:?}"
        )
    };
    assert_eq!(all(a), all(b));
    let modules = |component: &Component| -> Vec<(String, Vec<u8>)> {
        component.modules.iter().map(|module| (module.name().to_owned(), module.outline())).collect()
    };
    assert_eq!(modules(a), modules(b));
    for (a, b) in a.modules.iter().zip(&b.modules) {
        assert_eq!((a.imports(), a.exports()), (b.imports(), b.exports()));
        assert_eq!((a.globals(), a.elements(), a.data()), (b.globals(), b.elements(), b.data()));
    }
}

/// Returns the component of a valid text.
pub fn component(text: &str) -> Component {
    load(wat::parse_str(text).expect("the test's text is well-formed")).expect("the test's component is valid")
}

/// Returns the error of a text.
pub fn error(text: &str) -> ComponentError {
    load(wat::parse_str(text).expect("the test's text is well-formed")).expect_err("the test's component is not valid")
}
