//! Imports of the component and its plugs that no plug provides: items of the host.
//!
//! An item gets an [`ImportPath`] when a component uses it. Resource types get theirs at once, since types refer to them. Parts of a
//! composition that import the same name share the import, and its resource types.

use std::sync::Arc;

use wasmparser::component_types::{ComponentAnyTypeId, ComponentCoreModuleTypeId, ComponentEntityType};
use wasmparser::types::EntityType;
use wasmr_core::types::ExternType;
use wasmr_module::{Fault, core_extern_type};

use super::{Bag, BagId, Flattener, FrameId, Item, Result, check_nesting};
use crate::component::{FuncDef, Import, ImportItem, ImportPath, InstanceType, ModuleDef};
use crate::error::fault;
use crate::index::ImportPathId;

impl Flattener<'_> {
    /// Adds an import, and returns its item.
    pub(super) fn import(&mut self, at: FrameId, name: &str, ty: &ComponentEntityType) -> Result<Item> {
        self.budget.pay(name)?;
        // Lossless: the budget is smaller.
        let new = self.component.imports.len() as u32;
        let import = *self.imports.entry(name.into()).or_insert(new);
        let path = ImportPath { import, names: Box::default() };
        self.resources_of(at, name, &path, ty, 0)?;
        let item = self.import_item(at, ty, 0)?;
        if import == new {
            let importer = self.parts[self.part].name.into();
            self.component.imports.push(Import { name: name.into(), item, importer });
        } else {
            self.merge(import, item)?;
        }
        self.imported(at, import, Arc::default(), ty)
    }

    /// Returns the item at a path of names within an import of a frame.
    pub(super) fn imported(
        &mut self,
        at: FrameId,
        import: u32,
        names: Arc<[Box<str>]>,
        ty: &ComponentEntityType,
    ) -> Result<Item> {
        Ok(match *ty {
            ComponentEntityType::Func(_) => Item::Func(FuncDef::Import(self.path(import, &names)?)),
            ComponentEntityType::Module(_) => Item::Module(ModuleDef::Import(self.path(import, &names)?)),
            ComponentEntityType::Instance(ty) => {
                let bag = BagId(self.instances.len());
                self.instances.push(Bag::Imported { at, import, names, ty });
                Item::Instance(bag)
            }
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                Item::Resource(self.frame(at).resource(id.resource())?)
            }
            ComponentEntityType::Type { .. } => Item::Type,
            ComponentEntityType::Component(_) | ComponentEntityType::Value(_) => return Err(self.unsupported(ty)),
        })
    }

    /// Returns the error for an import that cannot be provided.
    fn unsupported(&self, ty: &ComponentEntityType) -> wasmr_module::ModuleError {
        let what = if matches!(ty, ComponentEntityType::Component(_)) { "a component" } else { "a value" };
        let index = self.component.imports.len();
        fault(Fault::Unsupported, format!("import {index} is {what}, which wasmr does not support"))
    }

    /// Returns the id of a path.
    pub(super) fn path(&mut self, import: u32, names: &[Box<str>]) -> Result<ImportPathId> {
        for name in names {
            self.budget.pay(name)?;
        }
        let path = ImportPath { import, names: names.into() };
        if let Some(&id) = self.paths.get(&path) {
            return Ok(id);
        }
        let id = ImportPathId(self.component.import_paths.len() as u32);
        self.component.import_paths.push(path.clone());
        self.paths.insert(path, id);
        Ok(id)
    }

    /// Adds the resource types that an import brings in.
    fn resources_of(
        &mut self,
        at: FrameId,
        import: &str,
        path: &ImportPath,
        ty: &ComponentEntityType,
        depth: usize,
    ) -> Result<()> {
        self.budget.pay("")?;
        match *ty {
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. }
                if self.frame(at).resource(id.resource()).is_err() =>
            {
                let resource = self.imported_resource(import, path)?;
                self.frame(at).resources.insert(id.resource(), resource);
            }
            ComponentEntityType::Instance(id) => {
                check_nesting(depth)?;
                let parsed = self.parsed;
                for (name, export) in &parsed[id].exports {
                    if matches!(export.ty, ComponentEntityType::Type { .. } | ComponentEntityType::Instance(_)) {
                        self.budget.pay(name)?;
                        let names = path.names.iter().cloned().chain([name.as_str().into()]).collect();
                        let path = ImportPath { import: path.import, names };
                        self.resources_of(at, import, &path, &export.ty, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Converts the type of an item of the host.
    fn import_item(&mut self, at: FrameId, ty: &ComponentEntityType, depth: usize) -> Result<ImportItem> {
        Ok(match *ty {
            ComponentEntityType::Func(id) => ImportItem::Func(self.func_type(at, id)?),
            ComponentEntityType::Instance(id) => {
                check_nesting(depth)?;
                let parsed = self.parsed;
                let mut exports = Vec::new();
                for (name, export) in &parsed[id].exports {
                    self.budget.pay(name)?;
                    exports.push((name.as_str().into(), self.import_item(at, &export.ty, depth + 1)?));
                }
                ImportItem::Instance(InstanceType { exports })
            }
            ComponentEntityType::Module(id) => self.module_type(id)?,
            ComponentEntityType::Type { created, .. } => match created {
                ComponentAnyTypeId::Resource(id) => ImportItem::Resource(self.frame(at).resource(id.resource())?),
                ComponentAnyTypeId::Defined(id) => ImportItem::Type(self.defined_type(at, id)?),
                _ => ImportItem::OtherType,
            },
            ComponentEntityType::Component(_) | ComponentEntityType::Value(_) => return Err(self.unsupported(ty)),
        })
    }

    /// Converts the type of a core module of the host.
    fn module_type(&mut self, id: ComponentCoreModuleTypeId) -> Result<ImportItem> {
        let parsed = self.parsed;
        let ty = &parsed[id];
        let mut imports = Vec::new();
        for ((module, name), ty) in &ty.imports {
            self.budget.pay(module)?;
            self.budget.pay(name)?;
            imports.push((module.as_str().into(), name.as_str().into(), self.extern_type(ty)?));
        }
        let mut exports = Vec::new();
        for (name, ty) in &ty.exports {
            self.budget.pay(name)?;
            exports.push((name.as_str().into(), self.extern_type(ty)?));
        }
        Ok(ImportItem::Module { imports, exports })
    }

    fn extern_type(&mut self, ty: &EntityType) -> Result<ExternType> {
        let func = match *ty {
            EntityType::Func(id) | EntityType::FuncExact(id) | EntityType::Tag(id) => {
                Some(self.parsed[id].unwrap_func())
            }
            _ => None,
        };
        core_extern_type(ty, func, &mut self.core_types).ok_or_else(|| {
            let message = "it imports a core module whose type refers to defined types";
            fault(Fault::Unsupported, message)
        })
    }
}
