//! [`LoadedComponent`]: a component with the code of its core modules.

use std::fmt;
use std::sync::Arc;

use wasmr_component::Component;
use wasmr_core::registry::TypeRegistry;
use wasmr_runtime::LoadedModule;

/// A component with the code of its core modules. Cloning is cheap.
#[derive(Clone)]
pub struct LoadedComponent {
    /// The component.
    pub component: Arc<Component>,
    /// The core modules that are in it, in the order of [`Component::modules`].
    pub modules: Arc<[LoadedModule]>,
    /// Registry of the types of the modules.
    pub registry: Arc<TypeRegistry>,
}

impl fmt::Debug for LoadedComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedComponent").field("name", &self.component.name).finish_non_exhaustive()
    }
}
