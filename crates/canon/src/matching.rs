//! Finds a definition for each item of the host that a component uses, and reports all for which there is none that fits.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmr_component::{Component, ImportItem, InstanceType, InterfaceName, func_type_text};
use wasmr_core::edit_distance::edit_distance;
use wasmr_core::subtype::extern_matches;
use wasmr_core::types::ExternType;
use wasmr_runtime::LoadedModule;
use wasmr_runtime::symbol::printable;

use crate::linker::{Definition, Names};
use crate::loaded::LoadedComponent;
use crate::pre::{Provided, host_resources, path_text};
use crate::resource::{ErasedDtor, ResourceType};
use crate::typed::Interface;

/// The items of the host that a component uses and for which no definition fits.
#[derive(Clone, Debug)]
pub struct ComponentLinkError {
    /// Name of the component in messages.
    pub importer: String,
    /// One failure per item, in the order of their first use.
    pub failures: Vec<ImportFailure>,
    /// Imports that have more items without a definition than `failures` shows, with the number of these.
    pub more_of: Vec<(String, usize)>,
    /// Number of all other items without a fitting definition that `failures` does not have.
    pub more: usize,
}

/// An item of the host for which no definition fits.
#[derive(Clone, Debug)]
pub struct ImportFailure {
    /// The import, such as `wasi:io/streams@0.2.9`.
    pub import: String,
    /// Names within the imported instance, such as `[method]input-stream.read`; empty for the import itself.
    pub names: Vec<String>,
    /// Type that the component requires, in WIT syntax.
    pub expected: String,
    /// Type of the definition, in WIT syntax; `None` if there is none.
    pub found: Option<String>,
    /// The first difference between the types.
    pub difference: Option<String>,
    /// A name that is defined and may have been meant.
    pub nearest: Option<String>,
    /// The definition in which the names were looked up, if it is of an earlier version than `import`. An item that it does not have
    /// is newer.
    pub older: Option<String>,
}

impl ComponentLinkError {
    /// Number of items that an error describes: enough to recognise the toolchain, and few enough to read.
    pub const MAX_FAILURES: usize = 20;

    /// Number of items without a definition that an error describes of one import, so that the import hides no other one.
    pub const MAX_UNKNOWN: usize = 5;

    /// Adds the failure of an item, or counts it if there are enough. `is_unknown` is true if the item has no definition.
    fn add(&mut self, import: &str, is_unknown: bool, describe: impl FnOnce() -> ImportFailure) {
        let of_import = |failure: &&ImportFailure| failure.found.is_none() && failure.import == import;
        if is_unknown && self.failures.iter().filter(of_import).count() == ComponentLinkError::MAX_UNKNOWN {
            match self.more_of.iter_mut().find(|(name, _)| name == import) {
                Some((_, more)) => *more += 1,
                None => self.more_of.push((import.to_owned(), 1)),
            }
        } else if self.failures.len() == ComponentLinkError::MAX_FAILURES {
            self.more += 1;
        } else {
            self.failures.push(describe());
        }
    }
}

impl fmt::Display for ComponentLinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component `{}` cannot be linked:", printable(&self.importer))?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        for (import, more) in &self.more_of {
            write!(f, "\n  and {more} more of `{}`", printable(import))?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ComponentLinkError {}

impl ImportFailure {
    /// Returns the version of the imported interface, if its name has one.
    pub fn version(&self) -> Option<&str> {
        self.import.split_once('@').map(|(_, version)| version)
    }
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.found.is_some() { "incompatible import type for" } else { "unknown import" };
        write!(f, "{kind} `{}`", printable(&self.import))?;
        for name in &self.names {
            write!(f, " `{}`", printable(name))?;
        }
        let expected = printable(&self.expected);
        match &self.found {
            None => write!(f, ": {expected}")?,
            Some(found) => write!(f, ": expected {expected}, found {}", printable(found))?,
        }
        if let Some(difference) = &self.difference {
            write!(f, " ({})", printable(difference))?;
        }
        if let (Some(older), Some(needed)) = (&self.older, self.version()) {
            write!(f, "; needs {needed}, and `{}` is defined", printable(older))?;
        }
        match &self.nearest {
            Some(nearest) => write!(f, "; `{}` is defined", printable(nearest)),
            None => Ok(()),
        }
    }
}

/// Returns the definitions for the items of the host that a component uses, in the order of [`Component::import_paths`].
pub(crate) fn match_imports<T: 'static>(
    loaded: &LoadedComponent,
    names: &Names<T>,
    traps_unknown: bool,
) -> Result<Box<[Provided<T>]>, ComponentLinkError> {
    let component = &*loaded.component;
    let found: Vec<Option<&Definition<T>>> =
        (0..component.import_paths.len()).map(|index| find(component, names, index)).collect();
    let resources = host_resources(component, |index| match found[index] {
        Some(Definition::Resource(ty, _)) => Some(*ty),
        _ => None,
    });
    let interface = Interface { types: &component.types, resources: &resources };
    let mut items = Items { component, indexed: HashMap::new() };
    let importer = component.name.to_string();
    let mut error = ComponentLinkError { importer, failures: Vec::new(), more_of: Vec::new(), more: 0 };
    let mut provided = Vec::with_capacity(found.len());
    for (index, definition) in found.into_iter().enumerate() {
        let item = items.get(index);
        let matched = match (item, definition) {
            (Some(item), Some(definition)) => match_item(loaded, &interface, item, definition),
            (_, None) if traps_unknown => Ok(match item {
                // Each such resource type is another one.
                Some(ImportItem::Resource(_)) => {
                    let number = u32::MAX - index as u32;
                    Provided::Resource(ResourceType::host_dynamic(number), None)
                }
                _ => Provided::Unknown,
            }),
            _ => Err(None),
        };
        match matched {
            Ok(matched) => provided.push(matched),
            Err(difference) => {
                let import = &component.imports[component.import_paths[index].import as usize].name;
                error.add(import, definition.is_none(), || {
                    describe(component, item, names, index, definition, difference)
                });
            }
        }
    }
    if error.failures.is_empty() { Ok(provided.into()) } else { Err(error) }
}

/// The types of the items of the host, by path. Names of an instance are indexed when the first of them is looked up.
struct Items<'a> {
    component: &'a Component,
    /// The exports of instance types, by the address of the type.
    indexed: HashMap<*const InstanceType, HashMap<&'a str, &'a ImportItem>>,
}

impl<'a> Items<'a> {
    /// Returns the type that the item at a path must have.
    fn get(&mut self, index: usize) -> Option<&'a ImportItem> {
        let path = &self.component.import_paths[index];
        let mut item = &self.component.imports.get(path.import as usize)?.item;
        for name in &path.names {
            let ImportItem::Instance(ty) = item else { return None };
            let index = || ty.exports.iter().map(|(name, item)| (&**name, item)).collect();
            item = self.indexed.entry(ty).or_insert_with(index).get(&**name).copied()?;
        }
        Some(item)
    }
}

/// Returns the definition of the item at a path.
fn find<'n, T>(component: &Component, names: &'n Names<T>, index: usize) -> Option<&'n Definition<T>> {
    let path = &component.import_paths[index];
    let mut found = names.get(&component.imports.get(path.import as usize)?.name)?;
    for name in &path.names {
        let Definition::Instance(names) = found else { return None };
        found = names.get(name)?;
    }
    Some(found)
}

/// Checks that a definition is of the type of an item. An error describes the difference.
fn match_item<T: 'static>(
    loaded: &LoadedComponent,
    interface: &Interface<'_>,
    item: &ImportItem,
    definition: &Definition<T>,
) -> Result<Provided<T>, Option<String>> {
    match (item, definition) {
        (ImportItem::Func(ty), Definition::Func(func)) => {
            if let Some(signature) = &func.signature {
                (signature.check)(interface, interface.types.func(*ty)).map_err(Some)?;
            }
            Ok(Provided::Func(func.clone()))
        }
        (ImportItem::Resource(_), Definition::Resource(ty, dtor)) => {
            Ok(Provided::Resource(*ty, dtor.clone().map(|dtor| Arc::new(dtor) as ErasedDtor)))
        }
        (ImportItem::Module { imports, exports }, Definition::Module(module)) => {
            match_module(loaded, module, imports, exports).map_err(Some)?;
            Ok(Provided::Module(module.clone()))
        }
        _ => Err(None),
    }
}

/// Checks that a core module has the exports that a component uses, and needs no import that the component does not provide.
fn match_module(
    loaded: &LoadedComponent,
    module: &LoadedModule,
    imports: &[(Box<str>, Box<str>, ExternType)],
    exports: &[(Box<str>, ExternType)],
) -> Result<(), String> {
    let registry = &loaded.registry;
    if !std::sync::Arc::ptr_eq(module.module.registry(), registry) {
        return Err("the module was loaded for another engine".to_owned());
    }
    for (name, ty) in exports {
        let found = module.module.export(name).map(|export| module.module.export_type(export));
        match found {
            Some(found) if extern_matches(registry, &found, ty) => {}
            Some(_) => return Err(format!("its export `{name}` is of another type")),
            None => return Err(format!("it has no export `{name}`")),
        }
    }
    for import in module.module.imports() {
        let given = imports.iter().find(|(module, name, _)| *module == import.module && *name == import.name);
        match given {
            Some((_, _, given)) if extern_matches(registry, given, &import.ty) => {}
            _ => return Err(format!("it imports `{}` `{}`, which it does not get", import.module, import.name)),
        }
    }
    Ok(())
}

fn describe<T: 'static>(
    component: &Component,
    item: Option<&ImportItem>,
    names: &Names<T>,
    index: usize,
    definition: Option<&Definition<T>>,
    difference: Option<String>,
) -> ImportFailure {
    let path = &component.import_paths[index];
    let import = component.imports[path.import as usize].name.to_string();
    let expected = match item {
        Some(ImportItem::Func(ty)) => func_type_text(&component.types, *ty),
        Some(ImportItem::Instance(_)) => "instance".to_owned(),
        Some(ImportItem::Module { .. }) => "core module".to_owned(),
        Some(ImportItem::Resource(_)) => "resource".to_owned(),
        Some(ImportItem::Type(_) | ImportItem::OtherType) => "type".to_owned(),
        None => path_text(component, index),
    };
    let found = definition.map(|definition| match definition {
        Definition::Func(func) => func.signature.map_or_else(|| "function".to_owned(), |signature| (signature.text)()),
        other => other.kind().to_owned(),
    });
    let names_within = path.names.iter().map(|name| name.to_string()).collect();
    let older = if definition.is_none() { older(names, &import) } else { None };
    let nearest = if definition.is_none() && older.is_none() { nearest(component, names, index) } else { None };
    ImportFailure { import, names: names_within, expected, found, difference, nearest, older }
}

/// Returns the name under which an import is defined, if that is an earlier version.
fn older<T>(names: &Names<T>, import: &str) -> Option<String> {
    let (name, _) = names.find(import)?;
    let is_older = InterfaceName::parse(name)?.version < InterfaceName::parse(import)?.version;
    is_older.then(|| name.to_owned())
}

/// Bytes of the longest name that is compared with others letter by letter.
const LONGEST: usize = 80;

/// Returns a defined name that may have been meant: the same interface in another version, or a name that differs in a few letters.
fn nearest<T>(component: &Component, names: &Names<T>, index: usize) -> Option<String> {
    let path = &component.import_paths[index];
    let mut scope = names;
    let mut wanted = &component.imports[path.import as usize].name;
    for name in &path.names {
        match scope.get(wanted) {
            Some(Definition::Instance(names)) => scope = names,
            _ => break,
        }
        wanted = name;
    }
    if let Some(other) = scope.other_version(wanted) {
        return Some(other.to_owned());
    }
    let allowed = 1 + wanted.len() / 6;
    let short = scope.iter().map(|(name, _)| name).filter(|name| name.len().max(wanted.len()) <= LONGEST);
    let (_, best) = short.filter_map(|name| Some((edit_distance(name, wanted, allowed)?, name))).min()?;
    Some(best.to_owned())
}
