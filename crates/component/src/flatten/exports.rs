//! Exports of the outermost component.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};

use super::{Flattener, FrameId, Item, Result, check_nesting, lost};
use crate::component::{ExportItem, Exports, FuncDef};

impl Flattener<'_> {
    /// Adds an export of the component.
    pub(super) fn export(&mut self, at: FrameId, name: &str, found: Item, ty: &ComponentEntityType) -> Result<()> {
        self.budget.pay(name)?;
        let item = self.export_item(at, name, found, ty, 0)?;
        self.component.exports.items.push((name.into(), item));
        Ok(())
    }

    /// Converts an exported item. `place` is its name, or that of the instance that exports it.
    fn export_item(
        &mut self,
        at: FrameId,
        place: &str,
        found: Item,
        ty: &ComponentEntityType,
        depth: usize,
    ) -> Result<ExportItem> {
        Ok(match (ty, found) {
            (ComponentEntityType::Func(ty), Item::Func(func)) => ExportItem::Func(func, self.func_type(at, *ty)?),
            (ComponentEntityType::Instance(id), Item::Instance(bag)) => {
                check_nesting(depth)?;
                let parsed = self.parsed;
                let mut items = Vec::new();
                for (name, export) in &parsed[*id].exports {
                    self.budget.pay(name)?;
                    let found = self.lookup(bag, name)?;
                    if let Item::Func(FuncDef::Lift(id)) = found {
                        self.budget.pay(place)?;
                        self.component.lifts[id.index()].name = Some(format!("{place}#{name}").into());
                    }
                    items.push((name.as_str().into(), self.export_item(at, name, found, &export.ty, depth + 1)?));
                }
                ExportItem::Instance(Exports { items })
            }
            (ComponentEntityType::Module(_), Item::Module(module)) => ExportItem::Module(module),
            (ComponentEntityType::Type { .. }, Item::Resource(resource)) => ExportItem::Resource(resource),
            (ComponentEntityType::Type { created: ComponentAnyTypeId::Defined(id), .. }, Item::Type) => {
                ExportItem::Type(self.defined_type(at, *id)?)
            }
            (ComponentEntityType::Type { .. }, Item::Type)
            | (ComponentEntityType::Component(_), Item::Component(..)) => ExportItem::Other,
            _ => return Err(lost()),
        })
    }
}
