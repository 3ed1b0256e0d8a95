//! [`Instance`]: an instance of a component, and its exports.

use std::sync::Arc;

use wasmr_component::{ExportItem, Exports, FuncDef, LiftId};
use wasmr_runtime::{AsContextMut, LoadedModule};

use crate::func::{Func, FuncTypeError, TypedFunc};
use crate::instantiate::resolve_lift;
use crate::pre::Linked;
use crate::resource::ResourceType;
use crate::state::State;
use crate::typed::{LiftReturn, LowerParams};

/// An instance of a component in a store.
#[derive(Clone)]
pub struct Instance {
    pub(crate) linked: Arc<Linked>,
    /// Number of the instantiation in the store.
    pub(crate) live: u32,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("component", &self.linked.component.name).finish_non_exhaustive()
    }
}

/// The error of looking up an exported function with Rust types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// No function is exported under that name.
    #[error("no function is exported as `{name}`")]
    Missing {
        /// Name that was looked up.
        name: String,
    },
    /// The function has another type.
    #[error(transparent)]
    Type(#[from] FuncTypeError),
}

impl Instance {
    /// Returns the exported item of a name. Names of items within an exported instance follow `#`, as in
    /// `wasi:cli/run@0.2.0#run`.
    fn find(&self, name: &str) -> Option<&ExportItem> {
        let component = &self.linked.component;
        let get = |exports: &'_ Exports, name: &str| -> Option<usize> {
            exports.items.iter().position(|(export, _)| **export == *name)
        };
        let mut exports = &component.exports;
        let mut rest = name;
        loop {
            if let Some(at) = get(exports, rest) {
                return Some(&exports.items[at].1);
            }
            let (first, inner) = rest.split_once('#')?;
            match &exports.items[get(exports, first)?].1 {
                ExportItem::Instance(instance) => exports = instance,
                _ => return None,
            }
            rest = inner;
        }
    }

    /// Returns the function exported under a name. That of a function within an exported instance follows `#`, as in
    /// `wasi:cli/run@0.2.0#run`.
    ///
    /// # Panics
    /// If the instance is of another store.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        match self.find(name)? {
            ExportItem::Func(FuncDef::Lift(lift), _) => self.func(store, *lift, name),
            _ => None,
        }
    }

    fn func(&self, mut store: impl AsContextMut, lift: LiftId, name: &str) -> Option<Func> {
        let mut store = store.as_context_mut().without_data();
        let core = resolve_lift(&mut store, &self.linked, self.live, lift).ok()?;
        let state: &mut State = store.extension();
        let live = &state.live[self.live as usize];
        let options = *live.options[self.linked.component.lifts[lift.index()].options.index()].get()?;
        let first = live.first_instance;
        Some(Func { linked: self.linked.clone(), lift, core, options, first, name: name.into() })
    }

    /// Returns the function exported under a name, with Rust types.
    ///
    /// # Errors
    /// If no function is exported under that name, or its type is another.
    ///
    /// # Panics
    /// If the instance is of another store.
    pub fn get_typed_func<P: LowerParams, R: LiftReturn>(
        &self,
        store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>, ExportError> {
        let func = self.get_func(store, name).ok_or_else(|| ExportError::Missing { name: name.to_owned() })?;
        Ok(func.typed()?)
    }

    /// Returns the core module exported under a name, if the component contains it.
    pub fn get_module(&self, name: &str) -> Option<&LoadedModule> {
        match self.find(name)? {
            ExportItem::Module(wasmr_component::ModuleDef::Own(id)) => self.linked.modules.get(id.index()),
            _ => None,
        }
    }

    /// Returns the resource type exported under a name.
    ///
    /// # Panics
    /// If the instance is of another store.
    pub fn get_resource(&self, mut store: impl AsContextMut, name: &str) -> Option<ResourceType> {
        match self.find(name)? {
            ExportItem::Resource(id) => {
                let mut store = store.as_context_mut();
                let state: &mut State = store.extension();
                let key = state.resource(self.live, *id);
                Some(state.resources[key.0 as usize].ty)
            }
            _ => None,
        }
    }
}
