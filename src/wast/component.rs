//! Components in scripts: definitions, instances, calls, and the comparison of values.
//!
//! A script's components share the store of its modules. The host defines nothing for them.

use std::collections::HashMap;

use wast::component::WastVal;
use wast::token::Id;
use wast::{QuoteWat, WastArg, WastRet, Wat};

use wasmr_core::count::Count;

use super::outcome::Outcome;
use crate::component::{Component, Instance, InstantiateError, Linker, Val};
use crate::{Engine, Stop, Store, TrapCode};

/// Phrases of the suite for traps, where wasmr has one phrase for what another runtime calls by two.
const SYNONYMS: [(&str, &str); 5] = [
    ("unaligned pointer", "realloc return: result not aligned"),
    ("list content out-of-bounds", "list pointer/length out of bounds of memory"),
    ("list content out-of-bounds", "realloc return: beyond end of memory"),
    ("string content out-of-bounds", "string pointer/length out of bounds of memory"),
    ("string content out-of-bounds", "realloc return: beyond end of memory"),
];

/// Reasons of the suite for a refusal, where this version of the parsers has other words.
const WORDINGS: [(&str, &str); 5] = [
    ("invalid boolean value", "invalid leading byte (0x2) for zero byte"),
    // The byte is that of a function which the suite does not know.
    ("invalid leading byte (0x2e) for canonical function", "unexpected end-of-file"),
    // wasmr compares the number of items with the size of the section before it reads the first.
    ("unexpected end-of-file", "section of 4 bytes declares 999999 items"),
    ("unexpected token", "duplicate `implements` attribute"),
    ("unexpected token", "duplicate `external-id` attribute"),
];

/// The components of a script.
pub struct Components {
    linker: Linker<()>,
    /// The instance that directives without a name refer to.
    pub current: Option<Instance>,
    instances: HashMap<String, Instance>,
    last_definition: Option<Component>,
    definitions: HashMap<String, Component>,
}

/// Returns true if a directive's module is a component.
pub fn is_component(module: &QuoteWat) -> bool {
    matches!(module, QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..))
}

impl Components {
    /// Returns the state before the first directive.
    pub fn new() -> Components {
        Components {
            linker: Linker::new(),
            current: None,
            instances: HashMap::new(),
            last_definition: None,
            definitions: HashMap::new(),
        }
    }

    /// Encodes, decodes and validates a component.
    pub fn load(engine: &Engine, module: &mut QuoteWat) -> Result<Component, String> {
        let bytes = module.encode().map_err(|error| format!("malformed text: {}", error.message()))?;
        Component::from_bytes(engine, bytes, "").map_err(|error| error.to_string())
    }

    /// Keeps a definition for later instances.
    pub fn define(&mut self, name: Option<String>, component: Component) {
        self.last_definition = Some(component.clone());
        if let Some(name) = name {
            self.definitions.insert(name, component);
        }
    }

    /// Returns the definition of a name, or the last one; `None` if a module is meant.
    pub fn definition(&self, name: Option<Id>) -> Option<&Component> {
        match name {
            Some(name) => self.definitions.get(name.name()),
            None => self.last_definition.as_ref(),
        }
    }

    /// Forgets the last definition, after that of a module.
    pub fn forget_last(&mut self) {
        self.last_definition = None;
    }

    /// Instantiates a component.
    pub fn instantiate(
        &self,
        store: &mut Store<()>,
        component: &Component,
    ) -> Result<Result<Instance, Outcome>, String> {
        match self.linker.instantiate(store, component) {
            Ok(instance) => Ok(Ok(instance)),
            Err(InstantiateError::Stop(stop) | InstantiateError::Core(crate::InstantiateError::Stop(stop))) => {
                Ok(Err(Outcome::Stopped(stop)))
            }
            Err(InstantiateError::Link(error)) => Ok(Err(Outcome::ComponentUnlinkable(error.to_string()))),
            Err(other) => Err(other.to_string()),
        }
    }

    /// Makes an instance the current one, and keeps it by its name.
    pub fn adopt(&mut self, name: Option<String>, instance: Instance) {
        self.current = Some(instance.clone());
        if let Some(name) = name {
            self.instances.insert(name, instance);
        }
    }

    /// Returns the instance of a name, or the current one; `None` if a module is meant.
    pub fn instance(&self, name: Option<Id>) -> Option<&Instance> {
        match name {
            Some(name) => self.instances.get(name.name()),
            None => self.current.as_ref(),
        }
    }

    /// Calls an export.
    pub fn invoke(store: &mut Store<()>, instance: &Instance, name: &str, args: &[WastArg]) -> Result<Outcome, String> {
        let func = instance.get_func(&mut *store, name).ok_or_else(|| format!("there is no function `{name}`"))?;
        let args: Result<Vec<Val>, String> = args.iter().map(argument).collect();
        Ok(match func.call(store, &args?) {
            Ok(result) => Outcome::Component(result),
            Err(stop) => Outcome::Stopped(stop),
        })
    }
}

fn argument(arg: &WastArg) -> Result<Val, String> {
    match arg {
        WastArg::Component(value) => Ok(value_of(value)),
        _ => Err("a core value was passed to a component".to_string()),
    }
}

/// Returns a value of a script.
fn value_of(value: &WastVal) -> Val {
    let boxed = |value: &Option<Box<WastVal>>| value.as_deref().map(|value| Box::new(value_of(value)));
    match value {
        WastVal::Bool(value) => Val::Bool(*value),
        WastVal::U8(value) => Val::U8(*value),
        WastVal::S8(value) => Val::S8(*value),
        WastVal::U16(value) => Val::U16(*value),
        WastVal::S16(value) => Val::S16(*value),
        WastVal::U32(value) => Val::U32(*value),
        WastVal::S32(value) => Val::S32(*value),
        WastVal::U64(value) => Val::U64(*value),
        WastVal::S64(value) => Val::S64(*value),
        WastVal::F32(value) => Val::F32(f32::from_bits(value.bits)),
        WastVal::F64(value) => Val::F64(f64::from_bits(value.bits)),
        WastVal::Char(value) => Val::Char(*value),
        WastVal::String(value) => Val::string(*value),
        WastVal::List(all) => Val::from(all.iter().map(value_of).collect::<Vec<Val>>()),
        WastVal::Map(entries) => {
            Val::Map(entries.iter().map(|(key, value)| (value_of(key), value_of(value))).collect())
        }
        WastVal::Record(fields) => {
            Val::Record(fields.iter().map(|(name, value)| (name.to_string(), value_of(value))).collect())
        }
        WastVal::Tuple(all) => Val::Tuple(all.iter().map(value_of).collect()),
        WastVal::Variant(name, payload) => Val::Variant(name.to_string(), boxed(payload)),
        WastVal::Enum(name) => Val::Enum(name.to_string()),
        WastVal::Option(some) => Val::Option(boxed(some)),
        WastVal::Result(Ok(value)) => Val::Result(Ok(boxed(value))),
        WastVal::Result(Err(value)) => Val::Result(Err(boxed(value))),
        WastVal::Flags(names) => Val::Flags(names.iter().map(|name| name.to_string()).collect()),
    }
}

/// Checks that the result of a call is the expected one.
///
/// # Errors
/// A description of the difference.
pub fn results(actual: Option<&Val>, expected: &[WastRet]) -> Result<(), String> {
    match (actual, expected) {
        (None, []) => Ok(()),
        (Some(actual), [WastRet::Component(expected)]) => {
            let expected = value_of(expected);
            if *actual == expected { Ok(()) } else { Err(format!("expected {expected:?}, got {actual:?}")) }
        }
        (actual, expected) => {
            let found = Count(usize::from(actual.is_some()), "result");
            Err(format!("expected {}, got {found}", Count(expected.len(), "result of a component")))
        }
    }
}

/// Checks that a component is refused for the reason that a directive names.
///
/// # Errors
/// A description of the difference.
pub fn refusal_matches(loaded: Result<Component, String>, message: &str) -> Result<(), String> {
    let Err(reason) = loaded else {
        return Err(format!("expected a component that is refused, `{message}`, but it is accepted"));
    };
    let is_same =
        reason.contains(message) || WORDINGS.iter().any(|(theirs, ours)| *theirs == message && reason.contains(ours));
    if is_same { Ok(()) } else { Err(format!("expected the reason `{message}`, but it is refused: {reason}")) }
}

/// Returns true if a call ended by the trap of the component model that a directive names.
pub fn is_trap(stop: &Stop, message: &str) -> bool {
    let Some(trap) = stop.downcast_ref::<crate::Trap>().filter(|trap| trap.code == TrapCode::CanonicalAbi) else {
        return false;
    };
    let (found, wanted) = (trap.message(), message.strip_prefix("wasm trap: ").unwrap_or(message));
    found.contains(wanted) || SYNONYMS.iter().any(|(theirs, ours)| *theirs == wanted && found.contains(ours))
}

#[cfg(test)]
mod tests {
    use wast::parser::{self, ParseBuffer};
    use wast::{Wast, WastDirective};

    use super::*;

    /// Loads a component of the text of a script.
    fn load(text: &str) -> Result<Component, String> {
        let buffer = ParseBuffer::new(text).unwrap();
        match parser::parse::<Wast>(&buffer).unwrap().directives.as_mut_slice() {
            [WastDirective::Module(component)] => Components::load(&Engine::default(), component),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the reason for which a component is refused.
    fn reason(text: &str) -> String {
        load(text).unwrap_err()
    }

    #[test]
    fn every_other_wording_is_needed() {
        let binary = |contents: &str| format!(r#"(component binary "\00asm" "\0d\00\01\00" "{contents}")"#);
        let components = [
            binary(r"\08\03\01\0c\02"),
            binary(r"\08\02\01\2e"),
            binary(r"\07\04\bf\84\3d\73"),
            r#"(component quote "(import \"a\" (implements \"a:b/c\") (implements \"a:b/c\") (instance))")"#
                .to_string(),
            r#"(component quote "(import \"a\" (external-id \"x\") (external-id \"y\") (func))")"#.to_string(),
        ];
        for (component, (theirs, ours)) in components.iter().zip(WORDINGS) {
            let reason = reason(component);
            assert!(reason.contains(ours) && !reason.contains(theirs), "{reason}");
            assert_eq!(refusal_matches(Err(reason), theirs), Ok(()));
        }
    }

    #[test]
    fn a_component_must_be_refused_for_the_stated_reason() {
        let reason = reason(r#"(component (import "a" (func)) (import "a" (func)))"#);
        assert_eq!(refusal_matches(Err(reason.clone()), "conflicts with previous name"), Ok(()));
        let error = refusal_matches(Err(reason), "unexpected token").unwrap_err();
        assert!(error.starts_with("expected the reason `unexpected token`, but it is refused: "), "{error}");
        assert!(refusal_matches(load("(component)"), "anything").unwrap_err().ends_with("but it is accepted"));
    }
}
