//! Imports between the components of a composition: those that a plug provides, and those of the host that several of them have.
//!
//! Types are compared after conversion, so with the resource types that they stand for. All differences are collected
//! ([`PlugError::Types`](crate::PlugError)); flattening goes on after one, with an import of the host, and its result is dropped.

use std::collections::HashMap;

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};

use super::{Flattener, FrameId, Item, Result, check_nesting};
use crate::component::{DefinedResource, FuncDef, ImportItem, ImportPath, Plug, ResourceDef};
use crate::compose::{PlugFailure, Provider, RESOURCE};
use crate::index::{FuncTypeId, ImportPathId, ResourceId};
use crate::names::InterfaceName;
use crate::type_text::func_type_text;

/// A difference that is being noted: where it is.
struct Place<'p> {
    import: &'p str,
    /// Names within the import.
    names: Vec<Box<str>>,
    /// Name of the other part.
    other: &'p str,
    is_plug: bool,
}

impl<'a> Flattener<'a> {
    /// Returns the item for an import of a part: that of a plug, or of the host.
    pub(super) fn part_import(&mut self, at: FrameId, name: &'a str, ty: &ComponentEntityType) -> Result<Item> {
        if let Some(&provider) = self.plan.links[self.part].get(name)
            && let Some(frame) = self.part_frames[provider.part]
            && let Some(&found) = self.frame(frame).exports.get(provider.export)
            && self.plug_in(at, name, ty, provider, found)?
        {
            return Ok(found);
        }
        self.import(at, name, ty)
    }

    /// Takes an item of a plug for an import: learns its resource types. Returns false if it is not of the import's type.
    fn plug_in(
        &mut self,
        at: FrameId,
        import: &'a str,
        ty: &ComponentEntityType,
        provider: Provider<'a>,
        found: Item,
    ) -> Result<bool> {
        for name in [import, provider.export] {
            self.budget.pay(name)?;
        }
        let [importer, plug] = [self.part, provider.part].map(|part| self.parts[part].name);
        self.component.plugs.push(Plug {
            importer: importer.into(),
            import: import.into(),
            plug: plug.into(),
            export: provider.export.into(),
        });
        let before = self.failures.len();
        let mut place = Place { import, names: Vec::new(), other: plug, is_plug: true };
        self.compare(at, &mut place, ty, Some(found), 0)?;
        Ok(self.failures.len() == before)
    }

    /// Compares an item of a plug with the type of an import. The item is `None` if the plug does not export it.
    fn compare(
        &mut self,
        at: FrameId,
        place: &mut Place<'_>,
        ty: &ComponentEntityType,
        found: Option<Item>,
        depth: usize,
    ) -> Result<()> {
        self.budget.pay("")?;
        match (ty, found) {
            (ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. }, found) => {
                // It is known if the import says that it is the same as that of another import.
                let known = self.frame(at).resource(id.resource()).ok();
                let resource = match (found, known) {
                    (Some(Item::Resource(resource)), None) => resource,
                    (Some(Item::Resource(resource)), Some(known)) if resource == known => known,
                    _ => {
                        self.differs(place, RESOURCE.to_owned(), found);
                        if known.is_some() {
                            return Ok(());
                        }
                        // Functions refer to it.
                        let instance = self.frame(at).instance;
                        self.add_resource(ResourceDef::Defined(DefinedResource { instance, dtor: None }))
                    }
                };
                self.frame(at).resources.insert(id.resource(), resource);
            }
            (ComponentEntityType::Func(id), found) => {
                let expected = self.func_type(at, *id)?;
                let is_equal = match found {
                    Some(Item::Func(func)) => self.type_of(func)? == Some(expected),
                    _ => false,
                };
                match found {
                    Some(Item::Func(FuncDef::Lift(id))) if is_equal => {
                        let name = path_text(place);
                        self.budget.pay(&name)?;
                        self.component.lifts[id.index()].name = Some(name.into());
                    }
                    _ if is_equal => {}
                    _ => {
                        let expected = func_type_text(&self.component.types, expected);
                        self.differs(place, expected, found);
                    }
                }
            }
            (ComponentEntityType::Instance(id), Some(Item::Instance(bag))) => {
                check_nesting(depth)?;
                let parsed = self.parsed;
                for (name, export) in &parsed[*id].exports {
                    self.budget.pay(name)?;
                    let found = self.find(bag, name)?;
                    place.names.push(name.as_str().into());
                    self.compare(at, place, &export.ty, found, depth + 1)?;
                    place.names.pop();
                }
            }
            // The functions that use a value type are compared by its structure.
            (ComponentEntityType::Type { .. }, Some(Item::Type)) => {}
            (ty, found) => self.differs(place, kind_of_type(ty).to_owned(), found),
        }
        Ok(())
    }

    /// Notes a difference.
    fn differs(&mut self, place: &Place<'_>, expected: String, found: Option<Item>) {
        let found = found.map(|found| match found {
            Item::Func(func) => match self.type_of(func) {
                Ok(Some(ty)) => func_type_text(&self.component.types, ty),
                _ => "a function".to_owned(),
            },
            Item::Module(_) => "a core module".to_owned(),
            Item::Component(..) => "a component".to_owned(),
            Item::Instance(_) => "an instance".to_owned(),
            Item::Resource(_) => RESOURCE.to_owned(),
            Item::Type => "a type".to_owned(),
        });
        self.note(place, expected, found);
    }

    fn note(&mut self, place: &Place<'_>, expected: String, found: Option<String>) {
        self.failures.push(PlugFailure {
            importer: self.parts[self.part].name.to_owned(),
            import: place.import.to_owned(),
            names: place.names.iter().map(|name| name.to_string()).collect(),
            other: place.other.to_owned(),
            is_plug: place.is_plug,
            expected,
            found,
        });
    }

    /// Returns the type of a function.
    fn type_of(&mut self, func: FuncDef) -> Result<Option<FuncTypeId>> {
        match func {
            FuncDef::Lift(id) => Ok(Some(self.component.lifts[id.index()].ty)),
            FuncDef::Import(path) => self.import_type(path),
        }
    }

    /// Returns the type of a function of the host.
    fn import_type(&mut self, path: ImportPathId) -> Result<Option<FuncTypeId>> {
        let path = &self.component.import_paths[path.index()];
        let mut item = Some(&self.component.imports[path.import as usize].item);
        for name in &path.names {
            let Some(ImportItem::Instance(instance)) = item else { return Ok(None) };
            self.budget.pay_items(instance.exports.len())?;
            item = instance.exports.iter().find(|(export, _)| export == name).map(|(_, item)| item);
        }
        Ok(match item {
            Some(ImportItem::Func(ty)) => Some(*ty),
            _ => None,
        })
    }

    /// Returns the resource type at a path within an import. Parts that import it by the same name, or by compatible versions of the
    /// name, share it.
    pub(super) fn imported_resource(&mut self, import: &str, path: &ImportPath) -> Result<ResourceId> {
        let id_of_path = self.path(path.import, &path.names)?;
        let track = InterfaceName::parse(import).and_then(|name| name.track());
        let shared = self.resources.get(&(import.into(), path.names.clone())).map(|(resource, _)| *resource);
        let of_track = || {
            let (resource, part) = self.resources.get(&(track.clone()?.into(), path.names.clone()))?;
            (*part != self.part).then_some(*resource)
        };
        if let Some(resource) = shared.or_else(of_track) {
            return Ok(resource);
        }
        let resource = self.add_resource(ResourceDef::Import(id_of_path));
        for name in track.into_iter().chain([import.to_owned()]) {
            for name in path.names.iter().map(|name| &**name).chain([&*name]) {
                self.budget.pay(name)?;
            }
            self.resources.entry((name.into(), path.names.clone())).or_insert((resource, self.part));
        }
        Ok(resource)
    }

    /// Adds the items of an import to those of the same import of another part.
    pub(super) fn merge(&mut self, import: u32, item: ImportItem) -> Result<()> {
        let known = &mut self.component.imports[import as usize];
        let all = std::mem::replace(&mut known.item, ImportItem::OtherType);
        let (name, importer) = (known.name.clone(), known.importer.clone());
        let mut place = Place { import: &name, names: Vec::new(), other: &importer, is_plug: false };
        self.component.imports[import as usize].item = self.merged(&mut place, all, item, 0)?;
        Ok(())
    }

    /// Returns the items of either of two imports.
    fn merged(
        &mut self,
        place: &mut Place<'_>,
        other: ImportItem,
        item: ImportItem,
        depth: usize,
    ) -> Result<ImportItem> {
        let (mut all, added) = match (other, item) {
            (ImportItem::Instance(all), ImportItem::Instance(added)) => (all, added),
            (other, item) => {
                let text = |item: &ImportItem| match item {
                    ImportItem::Func(ty) => func_type_text(&self.component.types, *ty),
                    item => kind_of_item(item).to_owned(),
                };
                let is_equal = match (&other, &item) {
                    (ImportItem::Func(a), ImportItem::Func(b)) => a == b,
                    (
                        ImportItem::Module { imports, exports },
                        ImportItem::Module { imports: other_imports, exports: other_exports },
                    ) => imports == other_imports && exports == other_exports,
                    (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
                };
                if !is_equal {
                    let (expected, found) = (text(&item), text(&other));
                    self.note(place, expected, Some(found));
                }
                return Ok(other);
            }
        };
        check_nesting(depth)?;
        self.budget.pay_items(all.exports.len() + added.exports.len())?;
        let known: HashMap<Box<str>, usize> =
            all.exports.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
        for (name, item) in added.exports {
            match known.get(&name) {
                Some(&index) => {
                    let other = std::mem::replace(&mut all.exports[index].1, ImportItem::OtherType);
                    place.names.push(name);
                    all.exports[index].1 = self.merged(place, other, item, depth + 1)?;
                    place.names.pop();
                }
                None => all.exports.push((name, item)),
            }
        }
        Ok(ImportItem::Instance(all))
    }
}

/// Returns the name of a function in messages.
fn path_text(place: &Place<'_>) -> String {
    let mut text = place.import.to_owned();
    for name in &place.names {
        text.push('#');
        text.push_str(name);
    }
    text
}

fn kind_of_type(ty: &ComponentEntityType) -> &'static str {
    match ty {
        ComponentEntityType::Func(_) => "a function",
        ComponentEntityType::Instance(_) => "an instance",
        ComponentEntityType::Module(_) => "a core module, which plugs cannot provide",
        ComponentEntityType::Component(_) => "a component, which plugs cannot provide",
        ComponentEntityType::Type { .. } => "a type",
        ComponentEntityType::Value(_) => "a value",
    }
}

fn kind_of_item(item: &ImportItem) -> &'static str {
    match item {
        ImportItem::Func(_) => "a function",
        ImportItem::Instance(_) => "an instance",
        ImportItem::Module { .. } => "a core module",
        ImportItem::Resource(_) => RESOURCE,
        ImportItem::Type(_) | ImportItem::OtherType => "a type",
    }
}
