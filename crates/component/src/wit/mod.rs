//! [`World`]: the imports and exports of a component, and their text in the interface language
//! [WIT](https://github.com/WebAssembly/component-model/blob/main/design/mvp/WIT.md).
//!
//! [`Types`](crate::Types) have no names, so the world is made of wasmparser's types, for which the binary is decoded once more.
//! Function bodies are not validated again.
//!
//! # Names of types
//! wasmparser gives each named type an id of its own, with the id of the type that it is another name for. A type is printed by the
//! name that its id got in the interface. An interface that has a type of another one prints a `use` of it.

mod interface;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Write};
use std::sync::Arc;

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};
use wasmparser::types::Types;
use wasmr_core::registry::TypeRegistry;
use wasmr_module::{Fault, Features, ModuleBytes, ModuleError, Validity};

use crate::component::Part;
use crate::compose::{ComposeError, PROGRAM, Plan};
use crate::decode::{self, Decoded, Decoding, Def};
use crate::error::{ComponentError, fault};
use crate::names::InterfaceName;
use interface::{Known, Origin, Printer};

/// Largest text of a world, in bytes. Those of large programs have 100 KB; the types of a small component may have any size in text.
const MAX_TEXT: usize = 16 << 20;

/// The imports and exports of a component.
///
/// `Display` writes them in WIT: a world and the interfaces that it names, grouped by package.
#[derive(Clone, Debug)]
pub struct World {
    /// The imports, in order.
    pub imports: Vec<WorldItem>,
    /// The exports, in order.
    pub exports: Vec<WorldItem>,
    packages: Vec<Package>,
}

/// An import or export.
#[derive(Clone, Debug)]
pub struct WorldItem {
    /// Name, such as `wasi:cli/stdout@0.2.0`.
    pub name: String,
    /// Kind of the item: `function`, `interface`, `type`, `core module` or `component`.
    pub kind: &'static str,
    /// Names and texts of the members of an interface, in order: `func(path: string) -> result<descriptor, error-code>`. Empty for
    /// other items.
    pub members: Vec<(String, String)>,
    /// Text of an item that is no interface, such as `func(name: string)`. Lines of a type that has several are separated by line ends.
    pub text: String,
    /// Lines of an interface in braces, for a world.
    body: String,
}

/// Interfaces of one package.
#[derive(Clone, Debug)]
struct Package {
    /// Name with version, such as `wasi:cli@0.2.0`.
    name: String,
    /// Names of interfaces and their lines in braces.
    interfaces: Vec<(String, String)>,
}

impl World {
    /// Reads the world of a component that was decoded before with the same features.
    ///
    /// # Errors
    /// As for [`Component::new`](crate::Component::new), except faults in function bodies; and if the text is over a limit.
    pub fn new(bytes: &ModuleBytes, name: &str, features: &Features) -> Result<World, ComponentError> {
        World::composed(&[Part { bytes, name }], features).map_err(ComposeError::without_plugs)
    }

    /// Reads the world of components that were composed before with the same features: the exports of the first, and the imports that no
    /// plug provides.
    ///
    /// # Errors
    /// As for [`Component::compose`](crate::Component::compose), except faults in function bodies and types that do not fit; and
    /// if the text is over a limit.
    pub fn composed(parts: &[Part<'_>], features: &Features) -> Result<World, ComposeError> {
        let registry = Arc::new(TypeRegistry::new());
        let decoding = Decoding { parts, features, registry: &registry };
        let decoded = decode::decode(&decoding, &mut |_, _| Validity::KnownBodies)?;
        let plan = Plan::new(&decoded, parts)?;
        Ok(read(&decoded, &plan).map_err(|error| ComponentError::new(&error, parts[PROGRAM].name))?)
    }
}

fn read(decoded: &Decoded<'_>, plan: &Plan<'_>) -> Result<World, ModuleError> {
    let mut world = World { imports: Vec::new(), exports: Vec::new(), packages: Vec::new() };
    let mut known = Known::default();
    let mut known_imports = HashMap::new();
    let mut size = 0;
    // The first part is the program.
    for (part, root) in decoded.parts.iter().enumerate() {
        for def in &decoded.decls[root.0].defs {
            let (name, ty, is_import) = match def {
                Def::Import { name, ty } => (*name, ty, true),
                Def::Export { name, ty, .. } => (*name, ty, false),
                _ => continue,
            };
            let is_shown = if is_import { !plan.links[part].contains_key(name) } else { part == PROGRAM };
            if !is_shown {
                continue;
            }
            let item = item(&decoded.types, &mut known, name, ty)?;
            size += item.text.len() + 2 * item.body.len();
            if size > MAX_TEXT {
                return Err(fault(Fault::OverLimit, format!("its interfaces take more than {MAX_TEXT} bytes as text")));
            }
            world.add_interface(name, &item.body);
            if !is_import {
                world.exports.push(item);
                continue;
            }
            // Of two parts with the same import, the one with more members shows.
            match known_imports.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(world.imports.len());
                    world.imports.push(item);
                }
                Entry::Occupied(place) => {
                    let other = &mut world.imports[*place.get()];
                    if other.members.len() < item.members.len() {
                        *other = item;
                    }
                }
            }
        }
    }
    Ok(world)
}

/// Returns an import or export.
fn item(types: &Types, known: &mut Known, name: &str, ty: &ComponentEntityType) -> Result<WorldItem, ModuleError> {
    let mut item =
        WorldItem { name: name.to_owned(), kind: "", members: Vec::new(), text: String::new(), body: String::new() };
    let mut printer = Printer::new(types, known, "", MAX_TEXT);
    match *ty {
        ComponentEntityType::Func(id) => {
            item.kind = "function";
            item.text = printer.func(id, 0)?;
        }
        ComponentEntityType::Instance(id) => {
            item.kind = "interface";
            (item.members, item.body) = interface(types, known, name, id)?;
        }
        ComponentEntityType::Type { referenced, created } => {
            item.kind = "type";
            let origin = printer.announce(name, referenced, created);
            item.text = printer.type_decl(name, &origin, created, &[])?;
        }
        ComponentEntityType::Module(_) => item.kind = "core module",
        ComponentEntityType::Component(_) => item.kind = "component",
        ComponentEntityType::Value(_) => item.kind = "value",
    }
    Ok(item)
}

/// Names and texts of members, and the lines of all.
type Interface = (Vec<(String, String)>, String);

/// Returns the members of an interface.
fn interface(
    types: &Types,
    known: &mut Known,
    name: &str,
    id: ComponentInstanceTypeId,
) -> Result<Interface, ModuleError> {
    let exports = &types[id].exports;
    let mut methods: HashMap<&str, Vec<(&str, _)>> = HashMap::new();
    for (name, export) in exports {
        if let (Some(resource), ComponentEntityType::Func(func)) = (interface::resource_of(name), export.ty) {
            methods.entry(resource).or_default().push((name, func));
        }
    }
    let (mut members, mut body) = (Vec::new(), String::new());
    let mut printer = Printer::new(types, known, name, MAX_TEXT);
    let mut origins = HashMap::new();
    for (name, export) in exports {
        if let ComponentEntityType::Type { referenced, created } = export.ty {
            origins.insert(name.as_str(), printer.announce(name, referenced, created));
        }
    }
    for (name, export) in exports {
        let (text, line) = match export.ty {
            ComponentEntityType::Func(id) => {
                let text = printer.func(id, 0)?;
                // Resource types have their functions in their own braces.
                let is_nested = interface::resource_of(name).is_some();
                let line = if is_nested { String::new() } else { format!("{}: {text};\n", interface::escaped(name)) };
                (text, line)
            }
            ComponentEntityType::Type { created, .. } => {
                let of_resource = methods.get(&**name).map(Vec::as_slice).unwrap_or_default();
                let origin = origins.get(name.as_str()).unwrap_or(&Origin::New);
                let text = printer.type_decl(name, origin, created, of_resource)?;
                (text.clone(), text + "\n")
            }
            _ => ("other".to_owned(), format!("// `{name}` is of a kind that WIT does not have\n")),
        };
        members.push((name.clone(), text));
        body += &line;
    }
    Ok((members, body))
}

impl World {
    /// Adds an interface to its package, unless it has no package or is there already.
    fn add_interface(&mut self, name: &str, body: &str) {
        let Some(InterfaceName { package, interface, version }) = InterfaceName::parse(name) else { return };
        let package = match version {
            Some(version) => format!("{package}@{version}"),
            None => package.to_owned(),
        };
        let at = self.packages.iter().position(|other| other.name == package).unwrap_or_else(|| {
            self.packages.push(Package { name: package, interfaces: Vec::new() });
            self.packages.len() - 1
        });
        let interfaces = &mut self.packages[at].interfaces;
        if interfaces.iter().all(|(other, _)| other != interface) {
            interfaces.push((interface.to_owned(), body.to_owned()));
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Indented { out: f, depth: 0 };
        out.write_str("package root:component;\n\nworld root {\n")?;
        out.depth += 1;
        for (word, items) in [("import", &self.imports), ("export", &self.exports)] {
            for item in items {
                out.item(word, item)?;
            }
        }
        out.depth -= 1;
        out.write_str("}\n")?;
        for Package { name, interfaces } in &self.packages {
            out.write_str(&format!("\npackage {name} {{\n"))?;
            out.depth += 1;
            for (at, (name, body)) in interfaces.iter().enumerate() {
                let gap = if at == 0 { "" } else { "\n" };
                out.write_str(&format!("{gap}interface {} {{\n", interface::escaped(name)))?;
                out.block(body)?;
                out.write_str("}\n")?;
            }
            out.depth -= 1;
            out.write_str("}\n")?;
        }
        Ok(())
    }
}

/// Writes lines with blanks before them.
struct Indented<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    depth: usize,
}

impl Indented<'_, '_> {
    fn item(&mut self, word: &str, item: &WorldItem) -> fmt::Result {
        let name = interface::escaped(&item.name);
        match item.kind {
            "function" => self.write_str(&format!("{word} {name}: {};\n", item.text)),
            "interface" if item.name.contains('/') => self.write_str(&format!("{word} {};\n", item.name)),
            "interface" => {
                self.write_str(&format!("{word} {name}: interface {{\n"))?;
                self.block(&item.body)?;
                self.write_str("}\n")
            }
            "type" => self.write_str(&format!("{}\n", item.text)),
            kind => self.write_str(&format!("// {word} {name}: {kind}\n")),
        }
    }

    fn block(&mut self, lines: &str) -> fmt::Result {
        self.depth += 1;
        self.write_str(lines)?;
        self.depth -= 1;
        Ok(())
    }
}

impl Write for Indented<'_, '_> {
    /// Writes whole lines.
    fn write_str(&mut self, lines: &str) -> fmt::Result {
        for line in lines.lines() {
            let width = if line.is_empty() { 0 } else { 2 * self.depth };
            writeln!(self.out, "{:width$}{line}", "")?;
        }
        Ok(())
    }
}
