//! [`Linker`]: definitions of the names in imports.
//!
//! A host function defined here belongs to no store, and costs a store nothing until an instance imports it. Objects of a store
//! may be defined as well, and then tie the linker to that store.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use wasmr_core::types::{ExternType, FuncType};

use crate::context::{AsContext, AsContextMut, Invariant};
use crate::externs::Extern;
use crate::func::Func;
use crate::host::{Caller, HostFuncDef};
use crate::initialize::{InitializerError, initializer};
use crate::instance::Instance;
use crate::instantiate::{ImportFailure, InstantiateError, LinkError, LoadedModule, Provided, instantiate};
use crate::symbol::printable;
use crate::trap::Stop;
use crate::typed::IntoFunc;
use crate::value::Val;

/// Definitions for imports, by module and name. `T` is the type of data of the stores that the linker is used with.
///
/// # Examples
/// ```
/// use wasmr::{Caller, Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let mut linker = Linker::new();
/// linker.func_wrap("host", "add", |mut caller: Caller<'_, i64>, n: i64| *caller.data_mut() += n)?;
///
/// let module = Module::new(&engine, r#"(module
///     (import "host" "add" (func $add (param i64)))
///     (func (export "run") (call $add (i64.const 40)) (call $add (i64.const 2))))"#)?;
/// let mut store = Store::new(&engine, 0);
/// let instance = linker.instantiate(&mut store, &module)?;
/// instance.get_typed_func::<(), ()>(&store, "run")?.call(&mut store, ())?;
/// assert_eq!(*store.data(), 42);
/// # Ok(())
/// # }
/// ```
pub struct Linker<T> {
    definitions: HashMap<Box<str>, HashMap<Box<str>, Provided>>,
    allow_shadowing: bool,
    marker: Invariant<T>,
}

/// The error of a name that is defined already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` `{}` is already defined", printable(.module), printable(.name))]
pub struct DuplicateDefinition {
    /// First part of the name.
    pub module: String,
    /// Second part of the name.
    pub name: String,
}

/// The error of [`Linker::module`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The instantiation failed, or the initialisation stopped ([`InstantiateError::Stop`]).
    #[error(transparent)]
    Instantiate(#[from] InstantiateError),
    /// The initialisation function that the module exports cannot be called. Fault: the module's.
    #[error(transparent)]
    Initializer(#[from] InitializerError),
    /// A name is defined already. Fault: the embedder's.
    #[error(transparent)]
    Duplicate(#[from] DuplicateDefinition),
}

/// The error of a call of an unknown import that a trapping function replaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest called `{}` `{}`, which is not defined", printable(.module), printable(.name))]
pub struct UnknownImportCalled {
    /// First part of the import's name.
    pub module: String,
    /// Second part of the import's name.
    pub name: String,
}

/// A module with the definitions of its imports, ready to be instantiated many times: see [`Linker::instantiate_pre`].
pub struct InstancePre<T> {
    module: LoadedModule,
    provided: Vec<Option<Provided>>,
    marker: Invariant<T>,
}

impl<T> InstancePre<T> {
    /// Returns the module.
    pub fn module(&self) -> &LoadedModule {
        &self.module
    }

    /// Returns true if no import is an object of a certain store, so that the module can be instantiated in any.
    pub fn fits_any_store(&self) -> bool {
        let is_of_a_store = |provided: &Provided| matches!(provided, Provided::Extern(object) if !matches!(object, Extern::SharedMemory(_)));
        !self.provided.iter().flatten().any(is_of_a_store)
    }

    /// Creates an instance, as [`Linker::instantiate`] does.
    ///
    /// # Errors
    /// As [`InstantiateError`] lists.
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance, InstantiateError> {
        let mut context = store.as_context_mut();
        // SAFETY: `Linker<T>` accepts definitions for `T` only, which is the type of the store's data.
        unsafe { instantiate(&mut context, &self.module, self.provided.clone()) }
    }
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> InstancePre<T> {
        InstancePre { module: self.module.clone(), provided: self.provided.clone(), marker: PhantomData }
    }
}

impl<T> std::fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstancePre").field("module", &self.module).finish_non_exhaustive()
    }
}

impl<T> Default for Linker<T> {
    fn default() -> Linker<T> {
        Linker::new()
    }
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker { definitions: self.definitions.clone(), allow_shadowing: self.allow_shadowing, marker: PhantomData }
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.definitions.iter().flat_map(|(module, names)| names.keys().map(move |name| (module, name)));
        f.debug_set().entries(names).finish()
    }
}

impl<T> Linker<T> {
    /// Returns a linker without definitions.
    pub fn new() -> Linker<T> {
        Linker { definitions: HashMap::new(), allow_shadowing: false, marker: PhantomData }
    }

    /// Sets whether a name may be defined again, which replaces its definition. Not allowed by default.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// Defines an object of a store.
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        object: impl Into<Extern>,
    ) -> Result<&mut Self, DuplicateDefinition> {
        self.insert(module, name, Provided::Extern(object.into()))
    }

    /// Defines a host function from a Rust closure; see [`Func::wrap`](crate::func::Func::wrap).
    pub fn func_wrap<P, R>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, P, R>,
    ) -> Result<&mut Self, DuplicateDefinition> {
        self.insert(module, name, Provided::Host(Arc::new(func.into_def())))
    }

    /// Defines a host function of any type; see [`Func::new`](crate::func::Func::new).
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> Result<&mut Self, DuplicateDefinition>
    where
        T: 'static,
    {
        self.insert(module, name, Provided::Host(Arc::new(HostFuncDef::new(ty, func))))
    }

    /// Defines a host function over the slots of numbers; see [`Func::new_numeric`](crate::func::Func::new_numeric).
    ///
    /// # Panics
    /// If a parameter or result is a reference.
    pub fn func_numeric(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [u64]) -> Result<(), Stop> + Send + Sync + 'static,
    ) -> Result<&mut Self, DuplicateDefinition>
    where
        T: 'static,
    {
        self.insert(module, name, Provided::Host(Arc::new(HostFuncDef::numeric(ty, func))))
    }

    /// Defines all exports of an instance, under a module name.
    pub fn instance(
        &mut self,
        store: impl AsContext,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self, DuplicateDefinition> {
        let exports: Vec<(String, Extern)> =
            instance.exports(&store).map(|(name, object)| (name.to_owned(), object)).collect();
        for (name, object) in exports {
            self.define(module, &name, object)?;
        }
        Ok(self)
    }

    /// Instantiates a library, initialises it, and defines all its exports under a module name.
    ///
    /// The initialisation is that of [`Instance::initialize`]: a reactor's `_initialize` runs once, before any other export can
    /// be called. A command's `_start` does not run; it is defined like every other export.
    ///
    /// # Errors
    /// As [`instantiate`](Linker::instantiate). Also if the initialisation stopped or cannot be called, or a name is defined
    /// already.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, Linker, Module, Store};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let library = Module::new(&engine, r#"(module
    ///     (global $answer (mut i32) (i32.const 0))
    ///     (func (export "_initialize") (global.set $answer (i32.const 42)))
    ///     (func (export "answer") (result i32) (global.get $answer)))"#)?;
    /// let program = Module::new(&engine, r#"(module
    ///     (import "library" "answer" (func $answer (result i32)))
    ///     (func (export "ask") (result i32) (call $answer)))"#)?;
    ///
    /// let mut store = Store::new(&engine, ());
    /// let mut linker = Linker::new();
    /// linker.module(&mut store, "library", &library)?;
    /// let program = linker.instantiate(&mut store, &program)?;
    /// assert_eq!(program.get_typed_func::<(), i32>(&store, "ask")?.call(&mut store, ())?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        module: &LoadedModule,
    ) -> Result<&mut Self, LibraryError> {
        // A module that cannot be initialised is refused before any of its code runs.
        initializer(&module.module)?;
        let instance = self.instantiate(&mut store, module)?;
        self.instance(&store, name, instance)?;
        instance.initialize(&mut store).map_err(InstantiateError::from)?;
        Ok(self)
    }

    /// Defines everything under a module name a second time, under the name `alias`.
    pub fn alias_module(&mut self, module: &str, alias: &str) -> Result<&mut Self, DuplicateDefinition> {
        for (name, definition) in self.definitions.get(module).cloned().unwrap_or_default() {
            self.insert(alias, &name, definition)?;
        }
        Ok(self)
    }

    /// Defines every function import of a module that has no definition yet as a function that fails when it is called
    /// ([`UnknownImportCalled`]).
    pub fn define_unknown_imports_as_traps(&mut self, module: &LoadedModule) -> Result<&mut Self, DuplicateDefinition>
    where
        T: 'static,
    {
        self.define_unknown_imports(module, |module, name, ty| {
            let error = UnknownImportCalled { module: module.to_owned(), name: name.to_owned() };
            let fail = move |_: Caller<'_, T>, _: &mut [u64]| Err(Stop::host(error.clone()));
            // SAFETY: the closure never returns results. `T` is the type of this linker's stores.
            unsafe { HostFuncDef::raw(ty, fail) }
        })
    }

    /// Defines every function import of a module that has no definition yet as a function that returns zeros and nulls. A
    /// function with a result that has no such value, a reference that may not be null, fails when it is called.
    pub fn define_unknown_imports_as_default_values(
        &mut self,
        module: &LoadedModule,
    ) -> Result<&mut Self, DuplicateDefinition>
    where
        T: 'static,
    {
        // Results have their default values when the closure is called.
        self.define_unknown_imports(module, |_, _, ty| HostFuncDef::new(ty, |_: Caller<'_, T>, _, _| Ok(())))
    }

    fn define_unknown_imports(
        &mut self,
        module: &LoadedModule,
        def: impl Fn(&str, &str, FuncType) -> HostFuncDef,
    ) -> Result<&mut Self, DuplicateDefinition> {
        let module = &module.module;
        for import in module.imports() {
            let ExternType::Func(id) = import.ty else { continue };
            if self.provided(&import.module, &import.name).is_some() {
                continue;
            }
            let ty = module.registry().func_type(id).expect("a function import has a function type");
            let def = def(&import.module, &import.name, (*ty).clone());
            self.insert(&import.module, &import.name, Provided::Host(Arc::new(def)))?;
        }
        Ok(self)
    }

    /// Creates an instance whose imports are the definitions of their names. Runs its start function, but neither `_start` nor
    /// `_initialize`. The embedder calls a program's `_start`; for libraries there is [`Instance::initialize`].
    ///
    /// # Errors
    /// As [`InstantiateError`] lists.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &LoadedModule,
    ) -> Result<Instance, InstantiateError> {
        let imports = module.module.imports();
        let provided = imports.iter().map(|import| self.provided(&import.module, &import.name).cloned()).collect();
        let mut context = store.as_context_mut();
        // SAFETY: `Linker<T>` accepts definitions for `T` only, which is the type of the store's data.
        unsafe { instantiate(&mut context, module, provided) }
    }

    /// Looks up the definitions of a module's imports once, to instantiate it many times. Later definitions have no effect on
    /// it.
    ///
    /// # Errors
    /// If an import has no definition. Types are compared at instantiation.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, Linker, Module, Store};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (import "host" "next" (func $next (result i32)))
    ///     (func (export "run") (result i32) (call $next)))"#)?;
    /// let mut linker = Linker::new();
    /// linker.func_wrap("host", "next", || 1)?;
    /// let plugin = linker.instantiate_pre(&module)?;
    /// for _ in 0..10 {
    ///     let mut store = Store::new(&engine, ());
    ///     let run = plugin.instantiate(&mut store)?.get_typed_func::<(), i32>(&store, "run")?;
    ///     assert_eq!(run.call(&mut store, ())?, 1);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn instantiate_pre(&self, module: &LoadedModule) -> Result<InstancePre<T>, LinkError> {
        let imports = module.module.imports();
        let found = imports.iter().map(|import| self.provided(&import.module, &import.name).cloned());
        let provided: Vec<Option<Provided>> = found.collect();
        let mut error = LinkError::new(module.module.name());
        for (import, _) in imports.iter().zip(&provided).filter(|(_, provided)| provided.is_none()) {
            error.add(|| ImportFailure::new(&module.module, import, None));
        }
        error.or(InstancePre { module: module.clone(), provided, marker: PhantomData })
    }

    /// Returns the function that a module defined under this name runs by default: its export with the empty name, or else its
    /// `_start`; `None` if it has neither.
    pub fn get_default(&self, mut store: impl AsContextMut<Data = T>, module: &str) -> Option<Func> {
        let mut func = |name| self.get(&mut store, module, name).and_then(Extern::into_func);
        func("").or_else(|| func("_start"))
    }

    /// Returns the definition of a name, as an object of the store.
    pub fn get(&self, mut store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Option<Extern> {
        Some(match self.provided(module, name)? {
            Provided::Extern(object) => object.clone(),
            Provided::Host(def) => {
                let mut context = store.as_context_mut();
                // SAFETY: `Linker<T>` accepts definitions for `T` only, which is the type of the store's data. No importer is
                // given.
                Extern::Func(unsafe { def.instantiate(context.inner_mut(), ptr::null_mut()) })
            }
        })
    }

    fn provided(&self, module: &str, name: &str) -> Option<&Provided> {
        self.definitions.get(module)?.get(name)
    }

    fn insert(&mut self, module: &str, name: &str, definition: Provided) -> Result<&mut Self, DuplicateDefinition> {
        if !self.allow_shadowing && self.provided(module, name).is_some() {
            return Err(DuplicateDefinition { module: module.to_owned(), name: name.to_owned() });
        }
        self.replace(module, name, definition);
        Ok(self)
    }

    fn replace(&mut self, module: &str, name: &str, definition: Provided) {
        if !self.definitions.contains_key(module) {
            self.definitions.insert(module.into(), HashMap::new());
        }
        if let Some(names) = self.definitions.get_mut(module) {
            names.insert(name.into(), definition);
        }
    }
}
