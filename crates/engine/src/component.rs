//! [`Component`]: a validated component, ready to be instantiated any number of times.
//!
//! It joins the declarations that `wasmr_component` decoded with the code of the tiers for each of its core modules, as
//! [`Module`] does for one.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use wasmr_canon::LoadedComponent;
use wasmr_component::ComponentError;
use wasmr_module::ModuleBytes;
use wasmr_runtime::LoadedModule;

use crate::engine::Engine;
use crate::module::Module;

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
        let bytes = bytes.into();
        let failed = |error| ComponentError::new(&error, name);
        let config = engine.config();
        let size = bytes.as_ref().len();
        if size as u64 > config.max_module_size {
            return Err(failed(wasmr_module::ModuleError::too_large(name, size, config.max_module_size)));
        }
        let binary = wasmr_module::bytes_from_input(bytes, Path::new(name)).map_err(failed)?;
        let threads = config.tuning.threads_for(binary.as_ref().len());
        let component =
            wasmr_component::Component::new(&binary, name, &config.features, engine.types(), Some(threads))?;
        let modules: Arc<[Module]> =
            component.modules.iter().map(|module| Module::from_decoded(engine, module.clone())).collect();
        let loaded = LoadedComponent {
            component: Arc::new(component),
            modules: modules.iter().map(|module| LoadedModule::clone(module)).collect(),
            registry: engine.types().clone(),
        };
        Ok(Component { loaded, modules })
    }

    /// Returns the core modules that are in the component.
    pub fn modules(&self) -> &[Module] {
        &self.modules
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
