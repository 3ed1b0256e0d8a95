//! [`Component`]: a validated component, ready to be instantiated any number of times.
//!
//! It joins the declarations that `wasmr_component` decoded with the code of the tiers for each of its core modules, as
//! [`Module`] does for one. The core modules are parts of the component's bytes, and each has an entry of its own in the cache.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use wasmr_cache::{Container, FileState};
use wasmr_canon::LoadedComponent;
use wasmr_component::{ComponentError, ComposeError, Part};
use wasmr_module::{ModuleBytes, Validity};
use wasmr_runtime::LoadedModule;

use crate::engine::{Code, Engine};
use crate::module::{LoadError, Module, read_file};
use crate::module_cache::{ComponentCache, ModuleCache, OUTLINE};

/// A validated component with the code that runs its core modules. Cloning is cheap.
#[derive(Clone)]
pub struct Component {
    loaded: LoadedComponent,
    modules: Arc<[Module]>,
}

/// The bytes of a component, in binary or as text.
#[derive(Clone, Debug)]
pub struct ComponentSource {
    bytes: ModuleBytes,
    name: String,
    file: Option<FileState>,
}

/// A component in binary.
struct Binary {
    bytes: ModuleBytes,
    /// True if it was text.
    is_converted: bool,
}

impl ComponentSource {
    /// Takes bytes, which messages call `name`, without copying them.
    pub fn new(bytes: impl Into<ModuleBytes>, name: impl Into<String>) -> ComponentSource {
        ComponentSource { bytes: bytes.into(), name: name.into(), file: None }
    }

    /// Takes the bytes of a file. [`Module::from_file_bytes`] says more about `file`.
    pub fn of_file(bytes: impl Into<ModuleBytes>, name: impl Into<String>, file: Option<FileState>) -> ComponentSource {
        ComponentSource { file, ..ComponentSource::new(bytes, name) }
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &ModuleBytes {
        &self.bytes
    }

    /// Returns the name that messages use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the binary, of at most `limit` bytes.
    fn binary(&self, limit: u64) -> Result<Binary, ComponentError> {
        let failed = |error| ComponentError::new(&error, &self.name);
        let size = self.bytes.as_ref().len();
        if size as u64 > limit {
            return Err(failed(wasmr_module::ModuleError::too_large(&self.name, size, limit)));
        }
        let bytes = wasmr_module::bytes_from_input(self.bytes.clone(), Path::new(&self.name)).map_err(failed)?;
        let is_converted = self.bytes.as_ref().as_ptr() != bytes.as_ref().as_ptr();
        Ok(Binary { bytes, is_converted })
    }
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
        let source = ComponentSource { bytes: bytes.into(), name: name.to_owned(), file: file.cloned() };
        Component::compose(engine, &source, &[]).map_err(ComposeError::without_plugs)
    }

    /// Composes a component with plugs: components whose exports are what it or another plug imports, by name and type.
    /// [`wasmr_component::Component::compose`] has the rules. The result is a component like any other: what no plug exports is still to
    /// be defined by a [linker](wasmr_canon::Linker).
    ///
    /// # Errors
    /// The first fault in the bytes of a component, or the reasons why they do not fit together.
    ///
    /// # Example
    /// ```
    /// use wasmr_engine::{Component, ComponentSource, Engine};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let program = ComponentSource::new(br#"(component
    ///     (import "acme:math/ops" (instance $ops (export "one" (func (result u32)))))
    ///     (export "ops" (instance $ops)))"#.to_vec(), "program");
    /// let plug = ComponentSource::new(br#"(component
    ///     (core module $m (func (export "one") (result i32) (i32.const 1)))
    ///     (core instance $i (instantiate $m))
    ///     (func $one (result u32) (canon lift (core func $i "one")))
    ///     (instance $ops (export "one" (func $one)))
    ///     (export "acme:math/ops" (instance $ops)))"#.to_vec(), "plug");
    /// let component = Component::compose(&engine, &program, &[plug])?;
    /// assert!(component.component.imports.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn compose(
        engine: &Engine,
        component: &ComponentSource,
        plugs: &[ComponentSource],
    ) -> Result<Component, ComposeError> {
        let sources: Vec<&ComponentSource> = [component].into_iter().chain(plugs).collect();
        let limit = engine.config().max_module_size;
        let binaries = sources.iter().map(|source| source.binary(limit)).collect::<Result<Vec<_>, _>>()?;
        let decoded = match decode(engine, &sources, &binaries, true) {
            // Without the cache, which may have an outline of another module. If a component is not valid, the error is the same.
            Err(NotDecoded { error: ComposeError::Component(_), has_outline: true }) => {
                decode(engine, &sources, &binaries, false)
            }
            result => result,
        };
        let Decoded { component, places } = decoded.map_err(|failed| failed.error)?;
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

/// A decoded component.
struct Decoded {
    component: wasmr_component::Component,
    /// The place of each module in the cache.
    places: Vec<Option<ModuleCache>>,
}

/// The reason why a component was not decoded.
struct NotDecoded {
    error: ComposeError,
    /// True if a module was decoded by its outline.
    has_outline: bool,
}

/// Decodes and composes components. Modules with an entry in the cache are decoded by their outlines.
fn decode(
    engine: &Engine,
    sources: &[&ComponentSource],
    binaries: &[Binary],
    is_cached: bool,
) -> Result<Decoded, NotDecoded> {
    let config = engine.config();
    let parts = sources.iter().zip(binaries);
    let parts: Vec<Part<'_>> =
        parts.map(|(source, binary)| Part { bytes: &binary.bytes, name: &source.name }).collect();
    let mut cached: Option<ComponentCache> = None;
    let mut places: Vec<Option<ModuleCache>> = Vec::new();
    let mut has_outline = false;
    let mut validity = |part: usize, module| {
        let Binary { bytes, is_converted } = &binaries[part];
        if module == 0 && is_cached {
            // The key depends on the types of the parts before.
            let file = sources[part].file.as_ref().filter(|_| !is_converted);
            cached = engine.find_component(bytes, file);
        }
        let place = cached.as_ref().map(|cached| cached.module(module));
        let outline = place.as_ref().and_then(ModuleCache::container).and_then(Outline::of);
        places.push(place);
        has_outline |= outline.is_some();
        match outline {
            Some(outline) => Validity::Known { outline: ModuleBytes::new(outline) },
            None => Validity::Unknown { threads: config.tuning.threads_for(bytes.as_ref().len()) },
        }
    };
    let component = wasmr_component::Component::compose(&parts, &config.features, engine.types(), &mut validity);
    match component {
        Ok(component) => Ok(Decoded { component, places }),
        Err(error) => Err(NotDecoded { error, has_outline }),
    }
}

/// The outline of a module in its entry of the cache.
struct Outline(Arc<Container>);

impl Outline {
    /// Returns the outline, if the entry has one.
    fn of(entry: &Arc<Container>) -> Option<Outline> {
        entry.section(OUTLINE).map(|_| Outline(entry.clone()))
    }
}

impl AsRef<[u8]> for Outline {
    fn as_ref(&self) -> &[u8] {
        // `of` has checked that the section is there.
        self.0.section(OUTLINE).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use wasmr_cache::{Builder, Cache};

    use super::*;
    use crate::config::Config;

    #[test]
    fn an_outline_that_does_not_fit_is_as_good_as_none() {
        let dir = std::env::temp_dir().join(format!("wasmr-component-outline-{}", std::process::id()));
        let engine = || Engine::new(Config::new().cache(Some(Arc::new(Cache::open(&dir).unwrap()))));
        let text = r#"(component (core module $a (func (export "f"))) (core module $b (func (export "g"))))"#;
        let bytes = ModuleBytes::from(wat::parse_str(text).unwrap());
        let stores = engine();
        let place = stores.find_component(&bytes, None).unwrap().module(1);
        let mut entry = Builder::new();
        entry.section(OUTLINE, Cow::Owned(vec![1; 8]), false);
        assert!(place.store(bytes.as_ref(), &entry).unwrap());
        let loads = engine();
        let place = loads.find_component(&bytes, None).unwrap().module(1);
        assert!(place.container().is_some(), "the entry is found");
        let component = Component::from_bytes(&loads, bytes, "c.wasm").unwrap();
        assert_eq!(component.was_cached(), None);
        assert_eq!(component.modules()[1].exports().len(), 1);
        drop((component, place, stores, loads));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
