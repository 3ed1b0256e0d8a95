//! [`Linker`]: the host's definitions for imports of components, by name.

use std::sync::Arc;

use wasmr_component::NameMap;
use wasmr_runtime::{AsContextMut, HostError, LoadedModule, Stop, StoreContextMut};

use crate::host_func::HostFunc;
use crate::instance::Instance;
use crate::loaded::LoadedComponent;
use crate::matching::ComponentLinkError;
use crate::pre::{ComponentPre, InstantiateError};
use crate::resource::{HostDtor, ResourceType};
use crate::typed::{LiftParams, LowerReturn};
use crate::value::Val;

/// A definition of the host.
pub(crate) enum Definition<T> {
    Func(HostFunc<T>),
    Instance(Names<T>),
    Resource(ResourceType, Option<HostDtor<T>>),
    Module(LoadedModule),
}

impl<T> Clone for Definition<T> {
    fn clone(&self) -> Self {
        match self {
            Definition::Func(func) => Definition::Func(func.clone()),
            Definition::Instance(names) => Definition::Instance(names.clone()),
            Definition::Resource(ty, dtor) => Definition::Resource(*ty, dtor.clone()),
            Definition::Module(module) => Definition::Module(module.clone()),
        }
    }
}

impl<T> Definition<T> {
    /// Returns the word for the kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Definition::Func(_) => "function",
            Definition::Instance(_) => "instance",
            Definition::Resource(..) => "resource",
            Definition::Module(_) => "core module",
        }
    }
}

/// Definitions by name.
pub(crate) type Names<T> = NameMap<Definition<T>>;

/// The error of a second definition of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is already defined")]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

/// The host's definitions for imports of components. One linker serves any number of components and stores.
pub struct Linker<T: 'static> {
    names: Names<T>,
    traps_unknown: bool,
}

impl<T: 'static> Default for Linker<T> {
    fn default() -> Self {
        Linker::new()
    }
}

impl<T: 'static> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker { names: self.names.clone(), traps_unknown: self.traps_unknown }
    }
}

impl<T: 'static> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names.iter().map(|(name, _)| name)).finish()
    }
}

impl<T: 'static> Linker<T> {
    /// Creates a linker without definitions.
    pub fn new() -> Linker<T> {
        Linker { names: NameMap::new(), traps_unknown: false }
    }

    /// Returns the names that components import directly.
    pub fn root(&mut self) -> LinkerInstance<'_, T> {
        LinkerInstance { names: &mut self.names }
    }

    /// Returns the names of an instance, such as `wasi:io/streams@0.2.0`, which is created if there is none.
    ///
    /// # Errors
    /// If the name stands for something else.
    pub fn instance(&mut self, name: &str) -> Result<LinkerInstance<'_, T>, NameTaken> {
        self.root().into_instance(name)
    }

    /// Lets functions that components import without a definition trap when they are called. Resource types without a definition
    /// become types of which nothing can be made.
    pub fn define_unknown_imports_as_traps(&mut self) {
        self.traps_unknown = true;
    }

    /// Finds a definition for each item of the host that a component uses.
    ///
    /// # Errors
    /// All items for which there is no definition, or none of the item's type.
    pub fn prepare(&self, component: &LoadedComponent) -> Result<ComponentPre<T>, ComponentLinkError> {
        ComponentPre::new(component, &self.names, self.traps_unknown)
    }

    /// Creates an instance of a component: [`prepare`](Linker::prepare), then
    /// [`ComponentPre::instantiate`](crate::ComponentPre::instantiate).
    ///
    /// # Errors
    /// As there.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
        component: &LoadedComponent,
    ) -> Result<Instance, InstantiateError> {
        self.prepare(component)?.instantiate(store)
    }
}

/// The definitions of an instance, or those that components import directly.
pub struct LinkerInstance<'a, T: 'static> {
    names: &'a mut Names<T>,
}

impl<T: 'static> std::fmt::Debug for LinkerInstance<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names.iter().map(|(name, _)| name)).finish()
    }
}

impl<'a, T: 'static> LinkerInstance<'a, T> {
    /// Defines a function by a closure over Rust types. Its parameters are a tuple. An error that it returns ends the guest's call.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_wrap<P, R, E>(
        &mut self,
        name: &str,
        func: impl Fn(StoreContextMut<'_, T>, P) -> Result<R, E> + Send + Sync + 'static,
    ) -> Result<&mut Self, NameTaken>
    where
        P: LiftParams + 'static,
        R: LowerReturn + 'static,
        E: Into<HostError> + 'static,
    {
        self.define(name, Definition::Func(HostFunc::wrap(func)))
    }

    /// Defines a function, of whatever type a component imports it with, by a closure over values.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_new(
        &mut self,
        name: &str,
        func: impl Fn(StoreContextMut<'_, T>, &[Val]) -> Result<Option<Val>, Stop> + Send + Sync + 'static,
    ) -> Result<&mut Self, NameTaken> {
        self.define(name, Definition::Func(HostFunc::new(func)))
    }

    /// Defines a resource type of the host. `dtor` gets the representation of a resource when its last owner drops it.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn resource<E: Into<HostError> + 'static>(
        &mut self,
        name: &str,
        ty: ResourceType,
        dtor: impl Fn(StoreContextMut<'_, T>, u32) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<&mut Self, NameTaken> {
        let dtor: HostDtor<T> = Arc::new(move |store, rep| dtor(store, rep).map_err(Stop::host));
        self.define(name, Definition::Resource(ty, Some(dtor)))
    }

    /// Defines a core module.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn module(&mut self, name: &str, module: &LoadedModule) -> Result<&mut Self, NameTaken> {
        self.define(name, Definition::Module(module.clone()))
    }

    /// Returns the definitions of an instance, which is created if there is none.
    ///
    /// # Errors
    /// If the name stands for something else.
    pub fn instance(&mut self, name: &str) -> Result<LinkerInstance<'_, T>, NameTaken> {
        LinkerInstance { names: &mut *self.names }.into_instance(name)
    }

    fn into_instance(self, name: &str) -> Result<LinkerInstance<'a, T>, NameTaken> {
        if self.names.get_exact_mut(name).is_none() {
            self.names.insert(name, Definition::Instance(NameMap::new()));
        }
        match self.names.get_exact_mut(name) {
            Some(Definition::Instance(names)) => Ok(LinkerInstance { names }),
            _ => Err(NameTaken { name: name.to_owned() }),
        }
    }

    fn define(&mut self, name: &str, definition: Definition<T>) -> Result<&mut Self, NameTaken> {
        if self.names.get_exact_mut(name).is_some() {
            return Err(NameTaken { name: name.to_owned() });
        }
        self.names.insert(name, definition);
        Ok(self)
    }
}
