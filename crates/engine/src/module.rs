//! [`Module`]: a validated module, ready to be instantiated any number of times.
//!
//! A module is made of bytes (binary or text) and an [`Engine`], and goes to the linker. `Module` joins the declarations that stage 1 decoded
//! with the code of the tiers.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use wasmr_cache::FileState;
use wasmr_core::count::Count;
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::{ExternType, FuncType};
use wasmr_module::{Import, ModuleBytes, ModuleError};
use wasmr_runtime::{LoadedModule, extern_type_text};

use crate::engine::{Code, Engine};
use crate::knowledge::Knowledge;
use crate::module_cache::{ModuleCache, OUTLINE};
use crate::report::FunctionCount;

/// A validated module with the code that runs it. Cloning is cheap.
///
/// # Examples
/// ```
/// use wasmr::{Engine, Module};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module $adder
///     (import "host" "log" (func (param i32)))
///     (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#)?;
/// assert_eq!(module.name(), "adder");
/// for import in module.imports() {
///     assert_eq!(import.to_string(), r#"(import "host" "log" (func (param i32)))"#);
/// }
/// for export in module.exports() {
///     assert_eq!((export.name(), &*export.type_text()), ("add", "(func (param i32 i32) (result i32))"));
/// }
/// assert!(Module::new(&engine, "(module (func (result i32)))").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Module {
    loaded: LoadedModule,
    knowledge: Arc<Knowledge>,
}

/// Reason why a file cannot be loaded as a module.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Path of the file, as the caller gave it.
        path: String,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any module may be.
    #[error("`{path}` is too large: a module may have at most {}", Count(*.limit, "byte"))]
    TooLarge {
        /// Path of the file, as the caller gave it.
        path: String,
        /// [`Config::max_module_size`](crate::Config::max_module_size).
        limit: u64,
    },
    /// The bytes are not a module that wasmr can run.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The bytes are not a component that wasmr can run.
    #[cfg(feature = "component")]
    #[error(transparent)]
    Component(#[from] wasmr_component::ComponentError),
}

impl Module {
    /// Makes a module of a binary, or of the text format. Messages call it by the module name of its name section, if it has one.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module, ModuleError> {
        Module::new_with_name(engine, bytes, wasmr_module::UNNAMED)
    }

    /// Makes a module of a binary, or of the text format; messages and backtraces call it `name`.
    pub fn new_with_name(engine: &Engine, bytes: impl AsRef<[u8]>, name: &str) -> Result<Module, ModuleError> {
        Module::from_bytes(engine, bytes.as_ref().to_vec(), name)
    }

    /// Makes a module of bytes without copying them; messages call it `name`.
    pub fn from_bytes(engine: &Engine, bytes: impl Into<ModuleBytes>, name: &str) -> Result<Module, ModuleError> {
        Module::from_file_bytes(engine, bytes, name, None)
    }

    /// Makes a module of the bytes of a file, like [`from_bytes`](Module::from_bytes). `file` is the state of the file before it was
    /// read or mapped. With it, the [cache](crate::Config::cache) can recognise a file without reading all of it. If there is a cache,
    /// only a file with a [stable](FileState::is_stable) state may be mapped: others can change without a trace, and the cache would
    /// take the new bytes for those that were validated.
    pub fn from_file_bytes(
        engine: &Engine,
        bytes: impl Into<ModuleBytes>,
        name: &str,
        file: Option<&FileState>,
    ) -> Result<Module, ModuleError> {
        let config = engine.config();
        let bytes = bytes.into();
        let size = bytes.as_ref().len();
        if size as u64 > config.max_module_size {
            return Err(ModuleError::too_large(name, size, config.max_module_size));
        }
        let path = Path::new(name);
        let binary = wasmr_module::bytes_from_input(bytes.clone(), path)?;
        let is_converted = bytes.as_ref().as_ptr() != binary.as_ref().as_ptr();
        let cached = engine.find_in_cache(binary.as_ref(), file.filter(|_| !is_converted));
        let module = match cached.as_ref().and_then(|cached| decode_again(engine, &binary, name, cached)) {
            Some(module) => module,
            None => {
                let threads = config.tuning.threads_for(binary.as_ref().len());
                let decoded =
                    wasmr_module::Module::new(binary.clone(), name, &config.features, engine.types(), threads);
                decoded.map_err(|error| wasmr_module::with_text_place(error, bytes.as_ref(), binary.as_ref(), path))?
            }
        };
        let entry = cached.as_ref().and_then(ModuleCache::container).cloned();
        let Code { executable, knowledge } = engine.code(module.clone(), entry, cached);
        Ok(Module::from_parts(LoadedModule { module, code: executable }, knowledge))
    }

    pub(crate) fn from_parts(loaded: LoadedModule, knowledge: Arc<Knowledge>) -> Module {
        Module { loaded, knowledge }
    }

    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Reads a file and makes a module of it.
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        let (bytes, state, name) = read_file(engine, path.as_ref())?;
        Ok(Module::from_file_bytes(engine, bytes, &name, Some(&state))?)
    }

    /// Returns true if the [cache](crate::Config::cache) had an entry for the module; `None` if there is no cache.
    pub fn was_cached(&self) -> Option<bool> {
        self.knowledge.was_cached()
    }

    /// Returns the file that the bytes may be a mapping of. [`store_in_cache`](Module::store_in_cache) needs it once more.
    pub fn file(&self) -> Option<&File> {
        self.knowledge.file()
    }

    /// Returns true if so much was learnt of the module that its entry in the [cache](crate::Config::cache) should be written.
    /// Takes some microseconds.
    pub fn has_news(&self) -> bool {
        self.knowledge.has_news()
    }

    /// Stores what was learnt of the module in the [cache](crate::Config::cache), if it [should be](Module::has_news). Returns true if
    /// an entry was written. The drop of the last clone of a module does the same.
    ///
    /// # Errors
    /// Returns the error of the system. The entry is then as it was before.
    pub fn store_in_cache(&self) -> std::io::Result<bool> {
        self.knowledge.store()
    }
}

/// Reads a file of at most the size that the engine allows. Returns its bytes, its state before, and its name.
pub(crate) fn read_file(engine: &Engine, path: &Path) -> Result<(Vec<u8>, FileState, String), LoadError> {
    let shown = path.display().to_string();
    let limit = engine.max_module_size();
    let (bytes, state) = File::open(path)
        .and_then(|file| {
            let state = FileState::of(&file)?;
            let expected = file.metadata()?.len();
            Ok((read_capped(file, limit, expected)?, state))
        })
        .map_err(|source| LoadError::Read { path: shown.clone(), source })?;
    let bytes = bytes.ok_or(LoadError::TooLarge { path: shown, limit })?;
    Ok((bytes, state, path.file_name().unwrap_or_default().to_string_lossy().into_owned()))
}

/// Decodes a binary that an earlier process validated; `None` if the cache has no entry.
fn decode_again(
    engine: &Engine,
    binary: &ModuleBytes,
    name: &str,
    cached: &ModuleCache,
) -> Option<Arc<wasmr_module::Module>> {
    let outline = cached.container()?.section(OUTLINE)?;
    wasmr_module::Module::from_outline(binary.clone(), name, &engine.config().features, engine.types(), outline).ok()
}

/// An import of a module. It is displayed in the text format: `(import "env" "f" (func (param i32)))`.
#[derive(Clone, Copy)]
pub struct ImportType<'a> {
    import: &'a Import,
    registry: &'a TypeRegistry,
}

impl<'a> ImportType<'a> {
    /// Returns the first part of the name.
    pub fn module(&self) -> &'a str {
        &self.import.module
    }

    /// Returns the second part of the name.
    pub fn name(&self) -> &'a str {
        &self.import.name
    }

    /// Returns the type.
    pub fn ty(&self) -> &'a ExternType {
        &self.import.ty
    }

    /// Returns the type of the function; `None` if it is no function.
    pub fn func_type(&self) -> Option<Arc<FuncType>> {
        func_type(self.registry, &self.import.ty)
    }

    /// Returns the type in the text format: `(func (param i32))`.
    pub fn type_text(&self) -> String {
        extern_type_text(self.registry, &self.import.ty)
    }
}

impl fmt::Display for ImportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(import {:?} {:?} {})", self.module(), self.name(), self.type_text())
    }
}

impl fmt::Debug for ImportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An export of a module. It is displayed in the text format: `(export "run" (func (param i32)))`.
#[derive(Clone)]
pub struct ExportType<'a> {
    name: &'a str,
    ty: ExternType,
    registry: &'a TypeRegistry,
}

impl<'a> ExportType<'a> {
    /// Returns the name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the type.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }

    /// Returns the type of the function; `None` if it is no function.
    pub fn func_type(&self) -> Option<Arc<FuncType>> {
        func_type(self.registry, &self.ty)
    }

    /// Returns the type in the text format: `(func (param i32))`.
    pub fn type_text(&self) -> String {
        extern_type_text(self.registry, &self.ty)
    }
}

impl fmt::Display for ExportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(export {:?} {})", self.name, self.type_text())
    }
}

impl fmt::Debug for ExportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn func_type(registry: &TypeRegistry, ty: &ExternType) -> Option<Arc<FuncType>> {
    match ty {
        ExternType::Func(id) => registry.func_type(*id),
        _ => None,
    }
}

/// Reads a source to its end. Returns `None` if it has more than `cap` bytes, and never allocates more than that. `expected`, the
/// likely number of bytes, only saves work.
pub fn read_capped(source: impl Read, cap: u64, expected: u64) -> std::io::Result<Option<Vec<u8>>> {
    // The extra byte lets the read reach the end without growing the buffer. The cap of 1 MiB is for an `expected` that may be
    // any number.
    let mut bytes = Vec::with_capacity(expected.min(1 << 20) as usize + 1);
    source.take(cap + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= cap).then_some(bytes))
}

impl Module {
    /// Returns the name that messages use.
    pub fn name(&self) -> &str {
        self.loaded.module.name()
    }

    /// Returns the imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.loaded.module.imports().iter().map(|import| ImportType { import, registry: self.registry() })
    }

    /// Returns the exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        let module = &self.loaded.module;
        let registry = self.registry();
        module.exports().iter().map(move |export| ExportType {
            name: &export.name,
            ty: module.export_type(export),
            registry,
        })
    }

    /// Returns the type of the export of this name, if there is one.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        let module = &self.loaded.module;
        module.export(name).map(|export| module.export_type(export))
    }

    /// Returns the number of functions that the module defines, and the number of those executed so far.
    pub fn function_count(&self) -> FunctionCount {
        let defined = self.loaded.module.defined_func_count();
        FunctionCount { defined, translated: self.knowledge.interp().translated_count() }
    }

    /// Returns the type registry, which resolves the ids in the module's types.
    pub fn registry(&self) -> &TypeRegistry {
        self.loaded.module.registry()
    }
}

/// The module as the runtime instantiates it, and its declarations, [`wasmr_module::Module`].
impl Deref for Module {
    type Target = LoadedModule;

    fn deref(&self) -> &LoadedModule {
        &self.loaded
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.loaded.module.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_cap() {
        assert_eq!(read_capped(&b"abc"[..], 3, 0).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(read_capped(&b"abcd"[..], 3, u64::MAX).unwrap(), None);
        assert_eq!(read_capped(std::io::repeat(0), 1000, 10).unwrap(), None);
    }

    #[test]
    fn a_module_is_no_larger_than_its_embedder_allows() {
        let engine = Engine::new(crate::Config::new().max_module_size(8));
        assert!(Module::new(&engine, b"\0asm\x01\0\0\0").is_ok());
        let error = Module::from_bytes(&engine, b"\0asm\x01\0\0\0\0".to_vec(), "x.wasm").unwrap_err();
        assert_eq!(error.fault(), wasmr_module::Fault::OverLimit);
        assert_eq!(error.to_string(), "module `x.wasm` is over a limit: it has 9 bytes, but the limit is 8");
        let error = Module::from_file(&engine, concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err();
        assert!(error.to_string().ends_with("Cargo.toml` is too large: a module may have at most 8 bytes"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Module::from_file(&Engine::default(), "no/such.wasm").unwrap_err();
        assert_eq!(error.to_string(), "cannot read `no/such.wasm`");
    }

    #[test]
    fn text_and_binary_are_accepted_and_nonsense_is_not() {
        let engine = Engine::default();
        assert!(Module::new(&engine, "(module (func))").is_ok());
        assert!(Module::new(&engine, b"\0asm\x01\0\0\0").is_ok());
        let module = Module::new(&engine, r#"(module (func (export "f")))"#).unwrap();
        assert!(matches!(module.get_export("f"), Some(ExternType::Func(_))));
        assert_eq!((module.exports().count(), module.imports().len()), (1, 0));
        let error = Module::from_bytes(&engine, b"\0asm\x09\0\0\0".to_vec(), "x.wasm").unwrap_err();
        assert!(error.to_string().contains("x.wasm"), "{error}");
    }
}
