//! [`Component`]: a validated component, ready to be instantiated any number of times.
//!
//! It joins the declarations that `wasmr_component` decoded with the code of the tiers for each of its core modules, as
//! [`Module`] does for one. The core modules are parts of the component's bytes, and each has an entry of its own in the cache.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use wasmr_cache::FileState;
use wasmr_canon::LoadedComponent;
use wasmr_component::ComponentError;
use wasmr_module::ModuleBytes;
use wasmr_runtime::LoadedModule;

use crate::engine::{Code, Engine};
use crate::module::{LoadError, Module, read_file};
use crate::module_cache::{ModuleCache, OUTLINE};

/// A validated component with the code that runs its core modules. Cloning is cheap.
#[derive(Clone)]
pub struct Component {
    loaded: LoadedComponent,
    modules: Arc<[Module]>,
}

impl Component {
    /// Makes a component of a binary, or of the text format.
    ///
    /// # Errors
    /// The first fault of the bytes.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Component, ComponentError> {
        Component::from_bytes(engine, bytes.as_ref().to_vec(), "<component>")
    }

    /// Makes a component of bytes without copying them; messages call it `name`.
    ///
    /// # Errors
    /// The first fault of the bytes.
    pub fn from_bytes(engine: &Engine, bytes: impl Into<ModuleBytes>, name: &str) -> Result<Component, ComponentError> {
        Component::from_file_bytes(engine, bytes, name, None)
    }

    /// Makes a component of the bytes of a file. [`Module::from_file_bytes`] says more about `file`.
    ///
    /// # Errors
    /// The first fault of the bytes.
    pub fn from_file_bytes(
        engine: &Engine,
        bytes: impl Into<ModuleBytes>,
        name: &str,
        file: Option<&FileState>,
    ) -> Result<Component, ComponentError> {
        let bytes = bytes.into();
        let failed = |error| ComponentError::new(&error, name);
        let config = engine.config();
        let size = bytes.as_ref().len();
        if size as u64 > config.max_module_size {
            return Err(failed(wasmr_module::ModuleError::too_large(name, size, config.max_module_size)));
        }
        let binary = wasmr_module::bytes_from_input(bytes.clone(), Path::new(name)).map_err(failed)?;
        let is_converted = bytes.as_ref().as_ptr() != binary.as_ref().as_ptr();
        let cached = engine.find_component(&binary, file.filter(|_| !is_converted));
        let threads = config.tuning.threads_for(binary.as_ref().len());
        let mut places: Vec<Option<ModuleCache>> = Vec::new();
        let mut bodies = |index| {
            let place = cached.as_ref().map(|cached| cached.module(index));
            // An entry with an outline says that the module is valid.
            let entry = place.as_ref().and_then(ModuleCache::container);
            let is_valid = entry.is_some_and(|entry| entry.section(OUTLINE).is_some());
            places.push(place);
            if is_valid { None } else { Some(threads) }
        };
        let component = wasmr_component::Component::new(&binary, name, &config.features, engine.types(), &mut bodies)?;
        let modules = component.modules.iter().zip(places).map(|(module, place)| {
            let entry = place.as_ref().and_then(ModuleCache::container).cloned();
            let Code { executable, knowledge } = engine.code(module.clone(), entry, place);
            Module::from_parts(LoadedModule { module: module.clone(), code: executable }, knowledge)
        });
        let modules: Arc<[Module]> = modules.collect();
        let loaded = LoadedComponent {
            component: Arc::new(component),
            modules: modules.iter().map(|module| LoadedModule::clone(module)).collect(),
            registry: engine.types().clone(),
        };
        Ok(Component { loaded, modules })
    }

    /// Reads a file and makes a component of it.
    ///
    /// # Errors
    /// If the file cannot be read, or the first fault of the bytes.
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Component, LoadError> {
        let (bytes, state, name) = read_file(engine, path.as_ref())?;
        Ok(Component::from_file_bytes(engine, bytes, &name, Some(&state))?)
    }

    /// Returns true if bytes have the header of a component.
    pub fn is_component(bytes: &[u8]) -> bool {
        wasmr_component::Component::is_component(bytes)
    }

    /// Returns the name that messages use.
    pub fn name(&self) -> &str {
        &self.loaded.component.name
    }

    /// Returns the core modules that are in the component.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Returns true if the [cache](crate::Config::cache) had an entry for a core module; `None` if there is no cache.
    pub fn was_cached(&self) -> Option<bool> {
        self.modules().iter().filter_map(Module::was_cached).reduce(|a, b| a || b)
    }

    /// Returns true if so much was learnt of a core module that its entry in the [cache](crate::Config::cache) should be written.
    pub fn has_news(&self) -> bool {
        self.modules().iter().any(Module::has_news)
    }

    /// Stores what was learnt of the core modules in the [cache](crate::Config::cache), as [`Module::store_in_cache`] does. Returns
    /// true if an entry was written.
    ///
    /// # Errors
    /// Returns the first error of the system. The other entries are written all the same.
    pub fn store_in_cache(&self) -> std::io::Result<bool> {
        let results: Vec<std::io::Result<bool>> = self.modules().iter().map(Module::store_in_cache).collect();
        results.into_iter().try_fold(false, |written, result| Ok(written | result?))
    }
}

impl Deref for Component {
    type Target = LoadedComponent;

    fn deref(&self) -> &LoadedComponent {
        &self.loaded
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.loaded.fmt(f)
    }
}
