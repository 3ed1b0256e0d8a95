//! [`ComponentError`]: the reason why wasmr cannot run a component. The fault is always in the bytes.
//!
//! Errors begin as [`ModuleError`]s, which know the words of wasmparser, and get their place here: the core module within the
//! component, and offsets that count from the beginning of the file.

use std::fmt;

use wasmparser::WasmFeatures;
use wasmr_module::printable::printable;
use wasmr_module::{Fault, Feature, ModuleError};

/// Maximum number of bytes that a message quotes of a name.
const MAX_QUOTE: usize = 200;

/// The reason why wasmr cannot run a component.
///
/// The type is one word wide, so that results fit in registers.
#[derive(Clone)]
pub struct ComponentError(Box<Report>);

#[derive(Clone, Debug)]
struct Report {
    fault: Fault,
    message: String,
    offset: Option<u64>,
    component: String,
    /// Words for the core module with the fault, if it is in one.
    module: Option<String>,
    func: Option<(u32, Option<String>)>,
    missing: Option<Feature>,
}

/// Names of the features of the component model, for messages. None can be switched on.
const FEATURES: [(WasmFeatures, &str); 8] = [
    (WasmFeatures::CM_VALUES, "values"),
    (WasmFeatures::CM_NESTED_NAMES, "nested names"),
    (WasmFeatures::CM_ERROR_CONTEXT, "error contexts"),
    (WasmFeatures::CM_FIXED_LENGTH_LISTS, "lists of fixed length"),
    (WasmFeatures::CM_GC, "garbage collected representations"),
    (WasmFeatures::CM_CANON_NAMES, "version suffixes"),
    (WasmFeatures::CM_FORWARD, "forwarding of streams"),
    (WasmFeatures::CM_ACCESSORS, "accessors"),
];

/// Converts an error of wasmparser, with the name of a feature of the component model that is missing.
pub(crate) fn from_parser(error: &wasmparser::Error, fault: Fault) -> ModuleError {
    let missing = error.missing_wasm_feature().and_then(|bits| {
        FEATURES.iter().find(|(feature, _)| !bits.is_empty() && feature.contains(bits)).map(|(_, name)| name)
    });
    match missing {
        None => ModuleError::from_parser(error, fault),
        Some(name) => {
            let sentence = printable(error.message().lines().last().unwrap_or_default().trim(), MAX_QUOTE);
            let message = format!("{sentence}; wasmr does not support {name} in components");
            ModuleError::new(Fault::Unsupported, message, Some(error.offset()))
        }
    }
}

/// Returns an error of flattening, which has no offset.
pub(crate) fn fault(fault: Fault, message: impl Into<String>) -> ModuleError {
    ModuleError::new(fault, message, None)
}

impl ComponentError {
    /// Converts an error that occurred in the component itself, outside of its core modules. `component` is the name in messages.
    pub fn new(error: &ModuleError, component: &str) -> ComponentError {
        let func = error.func_index().map(|index| (index, error.func_name().map(str::to_owned)));
        ComponentError(Box::new(Report {
            fault: error.fault(),
            message: error.message().to_owned(),
            offset: error.offset(),
            component: printable(component, MAX_QUOTE),
            module: None,
            func,
            missing: error.missing_feature(),
        }))
    }

    /// Adds the core module that the error is in, which begins at `offset` of the component.
    pub(crate) fn in_module(mut self, index: u32, name: Option<&str>, offset: u64) -> ComponentError {
        self.0.module = Some(match name {
            Some(name) => format!("in core module {index} `{}`", printable(name, MAX_QUOTE)),
            None => format!("in core module {index}"),
        });
        self.0.offset = self.0.offset.map(|within| within + offset);
        self
    }

    /// Returns the kind of fault.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns the message alone: one sentence without capital letter, full stop or position.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the offset of the fault in the component, if it is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns the feature that caused the refusal: it is off, or wasmr does not execute all of it.
    pub fn missing_feature(&self) -> Option<Feature> {
        self.0.missing
    }
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { fault, message, offset, component, module, func, .. } = &*self.0;
        let name = if component.is_empty() { String::new() } else { format!(" `{component}`") };
        match fault {
            Fault::Malformed => write!(f, "malformed component{name}: {message}")?,
            Fault::Invalid => write!(f, "invalid component{name}: {message}")?,
            Fault::Unsupported => write!(f, "unsupported component{name}: {message}")?,
            Fault::OverLimit => write!(f, "component{name} is over a limit: {message}")?,
        }
        let func = func.as_ref().map(|(index, name)| match name {
            Some(name) => format!("in function {index} `{name}`"),
            None => format!("in function {index}"),
        });
        let offset = offset.map(|offset| format!("at offset {offset:#x}"));
        let place: Vec<String> = module.clone().into_iter().chain(func).chain(offset).collect();
        if place.is_empty() { Ok(()) } else { write!(f, " ({})", place.join(", ")) }
    }
}

impl fmt::Debug for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ComponentError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_place() {
        assert_eq!(size_of::<ComponentError>(), size_of::<usize>());
        let error = ComponentError::new(&ModuleError::new(Fault::Invalid, "type mismatch", Some(42)), "a.wasm");
        assert_eq!(error.to_string(), "invalid component `a.wasm`: type mismatch (at offset 0x2a)");
        let error = error.in_module(1, Some("main"), 16);
        let text = "invalid component `a.wasm`: type mismatch (in core module 1 `main`, at offset 0x3a)";
        assert_eq!(error.to_string(), text);
    }
}
