//! Modules compiled ahead of time: [`Module::precompile`] makes a `.cwasm` file of a module, and [`Module::deserialize`] loads one.
//!
//! The file is a container with the module's binary, its outline, the machine code of its functions, and the key that they depend on.
//! It runs with the build of wasmr that made it, under the same settings, on processors that have all features which the code may
//! use. Any other use is refused with the reason.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use wasmr_cache::{Builder, Container, Refused, SectionName};
use wasmr_module::ModuleBytes;
use wasmr_runtime::LoadedModule;

use crate::cache_key::{CacheKey, Mismatch};
use crate::engine::{Code, Engine};
use crate::module::Module;
use crate::module_cache::OUTLINE;
use crate::precompile::{Precompile, PrecompileError, PrecompiledFunctions};

/// Section with the key.
const KEY: SectionName = *b"key ";
/// Section with the module's binary.
const BINARY: SectionName = *b"wasm";
/// Section with the module's name in messages.
const NAME: SectionName = *b"name";

/// A module that was compiled ahead of time: the contents of a `.cwasm` file.
#[derive(Debug)]
pub struct PrecompiledModule<'a> {
    builder: Builder<'a>,
    /// The functions of the module.
    pub compiled: PrecompiledFunctions,
}

impl PrecompiledModule<'_> {
    /// Writes the contents of a `.cwasm` file.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.builder.write(out)
    }
}

/// Reason why a precompiled module cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeserializeError {
    /// The file cannot be opened.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// The bytes are no precompiled module, or damaged.
    #[error(transparent)]
    Malformed(#[from] Refused),
    /// The bytes are a container with other contents.
    #[error("it is not a precompiled module: it has no section `{0}`")]
    Incomplete(&'static str),
    /// The module was compiled for something else.
    #[error("{0}; compile the module again")]
    Mismatch(Mismatch),
}

impl Module {
    /// Compiles functions of the module ahead of time. The result can be written to a file.
    ///
    /// # Errors
    /// Returns an error if nothing can be compiled. A function that cannot be compiled is no error: it is interpreted.
    pub fn precompile(&self, engine: &Engine, what: &Precompile<'_>) -> Result<PrecompiledModule<'_>, PrecompileError> {
        let module = &self.module;
        let key = CacheKey::new(engine.config()).ok_or(PrecompileError::NoBuildId)?;
        let mut builder = Builder::new();
        builder.section(KEY, Cow::Owned(key.as_bytes().to_vec()), false);
        builder.section(NAME, Cow::Owned(module.name().as_bytes().to_vec()), false);
        builder.section(OUTLINE, Cow::Owned(module.outline()), false);
        builder.section(BINARY, Cow::Borrowed(module.bytes()), false);
        let compiled = self.knowledge().precompile(engine.config(), what, &mut builder)?;
        Ok(PrecompiledModule { builder, compiled })
    }

    /// Compiles functions of the module ahead of time into the engine's [cache](crate::Config::cache), in addition to those that are
    /// there. This module does not use the code; the next process that loads it does.
    ///
    /// # Errors
    /// Returns an error if nothing can be compiled or if the cache cannot be written.
    pub fn precompile_into_cache(
        &self,
        engine: &Engine,
        what: &Precompile<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        self.knowledge().precompile_into_cache(engine.config(), what)
    }

    /// Compiles all functions ahead of time, on all processors, and returns the contents of a `.cwasm` file.
    ///
    /// # Errors
    /// As for [`precompile`](Module::precompile).
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (func (export "answer") (result i32) (i32.const 42)))"#)?;
    /// let bytes = module.serialize(&engine)?;
    /// // SAFETY: the bytes come from `serialize`.
    /// let again = unsafe { Module::deserialize(&engine, bytes)? };
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &again, &[])?;
    /// assert_eq!(instance.get_typed_func::<(), i32>(&store, "answer")?.call(&mut store, ())?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn serialize(&self, engine: &Engine) -> Result<Vec<u8>, PrecompileError> {
        let mut bytes = Vec::new();
        self.precompile(engine, &Precompile::default())?.write(&mut bytes).expect("writing to a vector does not fail");
        Ok(bytes)
    }

    /// Returns true if these bytes, at the start of a file, are those of a precompiled module.
    pub fn is_precompiled(bytes: &[u8]) -> bool {
        Container::is_start(bytes)
    }

    /// Loads a module that [`serialize`](Module::serialize) returned.
    ///
    /// # Errors
    /// Returns the reason if the module was compiled by another build of wasmr, for a processor with more features, or under other
    /// settings, or if the bytes are damaged.
    ///
    /// # Safety
    /// The bytes come from [`serialize`](Module::serialize) or [`precompile`](Module::precompile), and nobody has changed them. They
    /// contain machine code that is executed as it is. The checksum finds damage, not intent.
    pub unsafe fn deserialize(engine: &Engine, bytes: Vec<u8>) -> Result<Module, DeserializeError> {
        load(engine, Container::from_bytes(bytes)?)
    }

    /// Loads a precompiled module from a file. 64 KiB of machine code or more are mapped, not copied, and read as far as they are
    /// executed. The checksum of a file of 64 KiB or more is not verified, because that would take longer than all the rest.
    ///
    /// # Errors
    /// As for [`deserialize`](Module::deserialize), or if the file cannot be read.
    ///
    /// # Safety
    /// As for [`deserialize`](Module::deserialize). Nobody changes the file while the module exists; it may be replaced or removed.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module, DeserializeError> {
        load(engine, Container::open_unverified(File::open(path)?)?)
    }
}

/// A section of a container as the binary of a module.
struct Section(Arc<Container>, SectionName);

impl AsRef<[u8]> for Section {
    fn as_ref(&self) -> &[u8] {
        // `load` has checked that the section is there.
        self.0.section(self.1).unwrap_or_default()
    }
}

fn load(engine: &Engine, container: Container) -> Result<Module, DeserializeError> {
    let container = Arc::new(container);
    let section = |name: SectionName, shown| container.section(name).ok_or(DeserializeError::Incomplete(shown));
    let key = String::from_utf8_lossy(section(KEY, "key")?);
    let host = CacheKey::new(engine.config()).ok_or(DeserializeError::Mismatch(Mismatch::Build))?;
    host.accepts(&key).map_err(DeserializeError::Mismatch)?;
    let name = String::from_utf8_lossy(section(NAME, "name")?);
    let outline = section(OUTLINE, "outl")?;
    section(BINARY, "wasm")?;
    let binary = ModuleBytes::new(Section(container.clone(), BINARY));
    let features = &engine.config().features;
    let module = wasmr_module::Module::from_outline(binary, &name, features, engine.types(), outline);
    let module = module.map_err(|_| DeserializeError::Incomplete("outl"))?;
    let Code { executable, knowledge } = engine.code(module.clone(), Some(container), None);
    Ok(Module::from_parts(LoadedModule { module, code: executable }, knowledge))
}
