//! Text of the types and functions of one interface.

use std::collections::HashMap;
use std::fmt::Write;

use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentFuncTypeId,
    ComponentValType, ResourceId,
};
use wasmparser::types::Types;
use wasmr_module::{Fault, ModuleError};

use crate::error::fault;
use crate::names::{FuncName, InterfaceName};

type Result<T> = std::result::Result<T, ModuleError>;

/// Words of WIT, which a name cannot be without a `%`.
const WORDS: [&str; 45] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "float32",
    "float64",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// Returns a name as WIT writes it.
pub(super) fn escaped(name: &str) -> String {
    if WORDS.contains(&name) { format!("%{name}") } else { name.to_owned() }
}

/// Returns the resource type that a function belongs to.
pub(super) fn resource_of(name: &str) -> Option<&str> {
    FuncName::parse(name).resource()
}

/// Named types: the interface of each and the name in it.
#[derive(Default)]
pub(super) struct Known {
    types: HashMap<ComponentAnyTypeId, (String, String)>,
    resources: HashMap<ResourceId, (String, String)>,
}

/// The origin of a named type.
pub(super) enum Origin {
    /// The type is new.
    New,
    /// The type is another name for one of the same interface.
    Same(String),
    /// The type is one of another interface.
    Other(String, String),
}

/// Prints the types and functions of an interface.
pub(super) struct Printer<'a> {
    types: &'a Types,
    known: &'a mut Known,
    /// Name of the interface; empty for the world.
    owner: &'a str,
    /// Names of resource types in this interface; a type may have several.
    resources: HashMap<AliasableResourceId, String>,
    /// Bytes of text that are still allowed.
    left: usize,
}

impl<'a> Printer<'a> {
    pub(super) fn new(types: &'a Types, known: &'a mut Known, owner: &'a str, max_text: usize) -> Printer<'a> {
        Printer { types, known, owner, resources: HashMap::new(), left: max_text }
    }

    /// Makes the name of a type known, before anything that refers to it is printed.
    pub(super) fn announce(
        &mut self,
        name: &str,
        referenced: ComponentAnyTypeId,
        created: ComponentAnyTypeId,
    ) -> Origin {
        let place = (self.owner.to_owned(), name.to_owned());
        let original = match created {
            ComponentAnyTypeId::Resource(id) => {
                self.resources.insert(id, name.to_owned());
                self.known.resources.get(&id.resource()).cloned()
            }
            _ => self.original(referenced),
        };
        match created {
            ComponentAnyTypeId::Resource(id) => {
                self.known.resources.entry(id.resource()).or_insert(place);
            }
            _ => {
                self.known.types.insert(created, place);
            }
        }
        match original {
            Some((owner, original)) if owner == self.owner => Origin::Same(original),
            Some((owner, original)) => Origin::Other(owner, original),
            None => Origin::New,
        }
    }

    /// Returns a type definition, with the functions of a resource type.
    pub(super) fn type_decl(
        &mut self,
        name: &str,
        origin: &Origin,
        created: ComponentAnyTypeId,
        methods: &[(&str, ComponentFuncTypeId)],
    ) -> Result<String> {
        let shown = escaped(name);
        Ok(match (origin, created) {
            (Origin::Other(owner, original), _) => use_of(self.owner, owner, original, name),
            (Origin::Same(original), _) => format!("type {shown} = {};", escaped(original)),
            (Origin::New, ComponentAnyTypeId::Resource(_)) => self.resource(name, methods)?,
            (Origin::New, ComponentAnyTypeId::Defined(id)) => self.defined_decl(&shown, id)?,
            (Origin::New, ComponentAnyTypeId::Func(id)) => format!("type {shown} = {};", self.func(id, 0)?),
            (Origin::New, _) => format!("// `{name}` is a type that WIT does not have"),
        })
    }

    /// Returns the name that a type, or one that it is another name for, has already.
    fn original(&self, id: ComponentAnyTypeId) -> Option<(String, String)> {
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(known) = self.known.types.get(&id) {
                return Some(known.clone());
            }
            at = self.types.peel_alias(id);
        }
        None
    }

    fn resource(&mut self, name: &str, methods: &[(&str, ComponentFuncTypeId)]) -> Result<String> {
        if methods.is_empty() {
            return Ok(format!("resource {};", escaped(name)));
        }
        let mut text = format!("resource {} {{\n", escaped(name));
        for &(name, func) in methods {
            let line = match FuncName::parse(name) {
                FuncName::Constructor(_) => format!("constructor{}", self.params(func, 0)?),
                FuncName::Method(_, name) => format!("{}: {}", escaped(name), self.func(func, 1)?),
                FuncName::Static(_, name) => format!("{}: static {}", escaped(name), self.func(func, 0)?),
                FuncName::Plain(name) => format!("{}: {}", escaped(name), self.func(func, 0)?),
            };
            text += &format!("  {line};\n");
        }
        Ok(text + "}")
    }

    /// Returns the definition of a value type.
    fn defined_decl(&mut self, name: &str, id: ComponentDefinedTypeId) -> Result<String> {
        let types = self.types;
        let list = |text: &mut String, line: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {line},");
        };
        let mut text = String::new();
        match &types[id] {
            ComponentDefinedType::Record(record) => {
                text += &format!("record {name} {{\n");
                for (field, ty) in &record.fields {
                    let line = format!("{}: {}", escaped(field.as_str()), self.value(ty)?);
                    list(&mut text, line);
                }
            }
            ComponentDefinedType::Variant(variant) => {
                text += &format!("variant {name} {{\n");
                for (case, payload) in &variant.cases {
                    let line = match &payload.ty {
                        Some(ty) => format!("{}({})", escaped(case.as_str()), self.value(ty)?),
                        None => escaped(case.as_str()),
                    };
                    list(&mut text, line);
                }
            }
            ComponentDefinedType::Enum(names) => {
                text += &format!("enum {name} {{\n");
                names.iter().for_each(|case| list(&mut text, escaped(case.as_str())));
            }
            ComponentDefinedType::Flags(names) => {
                text += &format!("flags {name} {{\n");
                names.iter().for_each(|flag| list(&mut text, escaped(flag.as_str())));
            }
            other => {
                let ty = self.defined(other)?;
                return Ok(format!("type {name} = {ty};"));
            }
        }
        self.pay(text.len())?;
        Ok(text + "}")
    }

    /// Returns the type of a function without its first `skipped` parameters: `func(a: u32) -> string`.
    pub(super) fn func(&mut self, id: ComponentFuncTypeId, skipped: usize) -> Result<String> {
        let types = self.types;
        let func = &types[id];
        let word = if func.async_ { "async func" } else { "func" };
        let params = self.params(id, skipped)?;
        Ok(match &func.result {
            Some(ty) => format!("{word}{params} -> {}", self.value(ty)?),
            None => format!("{word}{params}"),
        })
    }

    fn params(&mut self, id: ComponentFuncTypeId, skipped: usize) -> Result<String> {
        let types = self.types;
        let mut params = Vec::new();
        for (name, ty) in types[id].params.iter().skip(skipped) {
            params.push(format!("{}: {}", escaped(name.as_str()), self.value(ty)?));
        }
        let text = format!("({})", params.join(", "));
        self.pay(text.len())?;
        Ok(text)
    }

    /// Returns a value type: its name, if it has one.
    fn value(&mut self, ty: &ComponentValType) -> Result<String> {
        let types = self.types;
        match ty {
            ComponentValType::Primitive(ty) => Ok(ty.to_string()),
            ComponentValType::Type(id) => match self.known.types.get(&ComponentAnyTypeId::Defined(*id)) {
                Some((_, name)) => Ok(escaped(name)),
                None => self.defined(&types[*id]),
            },
        }
    }

    fn defined(&mut self, ty: &ComponentDefinedType) -> Result<String> {
        let text = match ty {
            ComponentDefinedType::Primitive(ty) => ty.to_string(),
            ComponentDefinedType::List { element, .. } => format!("list<{}>", self.value(element)?),
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                format!("list<{}, {length}>", self.value(element)?)
            }
            ComponentDefinedType::Map { key, value, .. } => {
                format!("map<{}, {}>", self.value(key)?, self.value(value)?)
            }
            ComponentDefinedType::Tuple(tuple) => {
                let mut types = Vec::new();
                for ty in &tuple.types {
                    types.push(self.value(ty)?);
                }
                format!("tuple<{}>", types.join(", "))
            }
            ComponentDefinedType::Option { ty, .. } => format!("option<{}>", self.value(ty)?),
            ComponentDefinedType::Result { ok, err, .. } => match (ok, err) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{}>", self.value(ok)?),
                (None, Some(err)) => format!("result<_, {}>", self.value(err)?),
                (Some(ok), Some(err)) => format!("result<{}, {}>", self.value(ok)?, self.value(err)?),
            },
            ComponentDefinedType::Own(id) => self.resource_name(*id),
            ComponentDefinedType::Borrow(id) => format!("borrow<{}>", self.resource_name(*id)),
            ComponentDefinedType::Future { ty, .. } => self.of("future", ty.as_ref())?,
            ComponentDefinedType::Stream { ty, .. } => self.of("stream", ty.as_ref())?,
            // The validator admits these only with names.
            ComponentDefinedType::Record(_) => "record".to_owned(),
            ComponentDefinedType::Variant(_) => "variant".to_owned(),
            ComponentDefinedType::Flags(_) => "flags".to_owned(),
            ComponentDefinedType::Enum(_) => "enum".to_owned(),
        };
        self.pay(text.len())?;
        Ok(text)
    }

    fn of(&mut self, word: &str, ty: Option<&ComponentValType>) -> Result<String> {
        Ok(match ty {
            Some(ty) => format!("{word}<{}>", self.value(ty)?),
            None => word.to_owned(),
        })
    }

    fn resource_name(&self, id: AliasableResourceId) -> String {
        let here = || self.resources.iter().find(|(other, _)| other.resource() == id.resource()).map(|(_, name)| name);
        let elsewhere = || self.known.resources.get(&id.resource()).map(|(_, name)| name);
        let name = self.resources.get(&id).or_else(here).or_else(elsewhere);
        name.map_or_else(|| "resource".to_owned(), |name| escaped(name))
    }

    fn pay(&mut self, size: usize) -> Result<()> {
        match self.left.checked_sub(size) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(fault(Fault::OverLimit, "an interface takes more bytes as text than wasmr's limit allows")),
        }
    }
}

/// Returns the use of a type of another interface by the interface `user`. Interfaces of one package use each other by their short names.
fn use_of(user: &str, owner: &str, original: &str, name: &str) -> String {
    let Some(found) = InterfaceName::parse(owner) else {
        return format!("type {} = {};", escaped(name), escaped(original));
    };
    let is_near =
        InterfaceName::parse(user).is_some_and(|user| (user.package, &user.version) == (found.package, &found.version));
    let path = if is_near { escaped(found.interface) } else { owner.to_owned() };
    match (original == name, escaped(original)) {
        (true, original) => format!("use {path}.{{{original}}};"),
        (false, original) => format!("use {path}.{{{original} as {}}};", escaped(name)),
    }
}
