//! Preloads: the libraries of `--preload`, loaded and linked before the program.
//!
//! In: the [`PreloadSpec`]s of a command line, in order. Out: instances whose exports the modules after them can import.
//!
//! # Why in three steps?
//! The effects of a library's initialisation cannot be undone. [`plan`](super::plan) therefore checks all names first. Then all files
//! are loaded ([`Library::load`]), and all imports are resolved by name ([`check_all_imports`]). Only then does the first library run
//! ([`Library::instantiate`]).
//!
//! # Which definition counts?
//! A library imports from the libraries before it. If a library exports a name that WASI defines too, or that
//! `-W unknown-imports-trap` substituted, the modules after it get the library's definition. So a library can stand between a program
//! and WASI.

use std::mem::ManuallyDrop;

use anyhow::Context;
use wasmr::wasi::WasiCtx;
use wasmr::{Engine, ExternType, ImportFailure, ImportType, LinkError, Linker, Module, Stop, Store};

use super::guest::Guest;
use super::instantiate::{define, define_wasi, instantiate, load_module};
use super::missing::{self, Preloads};
use super::plan::{Linking, UnknownImports};
use super::report::printable_word;
use super::stats::{MaybeStats, Phase, enter};
use super::values::PreloadSpec;

/// A loaded library that has not run yet.
pub struct Library {
    /// The value of `--preload`.
    pub spec: PreloadSpec,
    module: ManuallyDrop<Module>,
}

impl Library {
    /// Loads a library. Fails if its `_initialize` is no function that wasmr can call.
    pub fn load(
        engine: &Engine,
        spec: PreloadSpec,
        allow_precompiled: bool,
        stats: &MaybeStats,
    ) -> anyhow::Result<Library> {
        let module = load_module(engine, &spec.file, allow_precompiled, stats);
        let module = ManuallyDrop::new(module.with_context(|| cannot_use(&spec))?);
        wasmr::initializer(&module.module).with_context(|| cannot_use(&spec))?;
        Ok(Library { spec, module })
    }

    /// Returns the library's module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Instantiates the library and makes its exports importable. The inner error is a start or initialisation function that did not
    /// return.
    pub fn instantiate(
        &self,
        store: &mut Store<Guest>,
        linker: &mut Linker<Guest>,
        linking: &Linking,
        preloads: Preloads<'_>,
        stats: &MaybeStats,
    ) -> anyhow::Result<Result<(), Stop>> {
        enter(stats, Phase::Instantiate);
        let linked = define(store, linker, &self.module, linking);
        let linked = linked.and_then(|()| instantiate(store, linker, &self.module, preloads));
        let instance = match linked.with_context(|| cannot_use(&self.spec))? {
            Ok(instance) => instance,
            Err(stop) => return Ok(Err(stop)),
        };
        linker.allow_shadowing(true);
        linker.instance(&*store, &self.spec.name, instance).with_context(|| cannot_use(&self.spec))?;
        linker.allow_shadowing(false);
        Ok(instance.initialize(store))
    }
}

/// Checks that every import of the libraries and of the program has a definition of its name.
pub fn check_all_imports(
    engine: &Engine,
    libraries: &[Library],
    program: &Module,
    linking: &Linking,
) -> anyhow::Result<()> {
    let imports = libraries.iter().map(|library| library_imports(engine, &library.module, linking));
    let imports = imports.collect::<anyhow::Result<Vec<_>>>()?;
    let modules = |imports: &Vec<ImportType<'_>>| imports.iter().map(|import| import.module().to_string()).collect();
    let needs: Vec<Vec<String>> = imports.iter().map(modules).collect();
    for (index, (library, imports)) in libraries.iter().zip(imports).enumerate() {
        check_imports(&libraries[..index], &library.module, imports, linking, &needs)
            .with_context(|| cannot_use(&library.spec))?;
    }
    check_imports(libraries, program, library_imports(engine, program, linking)?, linking, &needs)
}

/// Returns the imports that only a library can define: WASI does not define them, and no option substitutes them.
fn library_imports<'m>(engine: &Engine, module: &'m Module, linking: &Linking) -> anyhow::Result<Vec<ImportType<'m>>> {
    let mut store = Store::new(engine, Guest::Single(Box::new(WasiCtx::builder().build()?)));
    let mut linker = Linker::new();
    define_wasi(&mut linker, module);
    let is_needed = |import: &ImportType<'_>| {
        let is_shared_memory = matches!(import.ty(), ExternType::Memory(ty) if ty.shared);
        let stands_in = is_shared_memory || linking.unknown != UnknownImports::Refuse && import.func_type().is_some();
        !stands_in && linker.get(&mut store, import.module(), import.name()).is_none()
    };
    Ok(module.imports().filter(is_needed).collect())
}

/// Checks that a library in `before` exports each of the `imports` of `module` by name. `needs` lists, for each library, the modules
/// from which it imports.
fn check_imports(
    before: &[Library],
    module: &Module,
    imports: Vec<ImportType<'_>>,
    linking: &Linking,
    needs: &[Vec<String>],
) -> anyhow::Result<()> {
    let of_library = |import: &ImportType<'_>| {
        let mut named = before.iter().filter(|library| library.spec.name == import.module());
        named.any(|library| library.module.get_export(import.name()).is_some())
    };
    let mut error = LinkError::new(module.name());
    for import in imports.into_iter().filter(|import| !of_library(import)) {
        error.add(|| ImportFailure {
            module: import.module().to_string(),
            name: import.name().to_string(),
            expected: import.ty().clone(),
            expected_text: import.type_text(),
            found_text: None,
        });
    }
    let preloads = Preloads { needs, ..linking.preloads(before.len()) };
    error.or(()).map_err(|error| missing::imports_error(module.name(), &error, preloads))
}

/// Returns the sentence above the reason why a preload cannot be used.
fn cannot_use(spec: &PreloadSpec) -> String {
    format!("cannot use --preload {}={}", printable_word(&spec.name), printable_word(&spec.file))
}
