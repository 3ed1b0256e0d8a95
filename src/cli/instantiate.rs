//! Loading and instantiating, of the program and of the libraries before it.

use std::path::Path;

use wasmr::wasi::WasiCtx;
use wasmr::{Engine, Instance, InstantiateError, Linker, Module, Stop, Store};

use super::load;
use super::missing::{self, Preloads};
use super::plan::{Linking, UnknownImports};
use super::stats::{MaybeStats, Phase, enter};

/// Loads and validates a module.
pub fn load_module(engine: &Engine, path: &Path, stats: &MaybeStats) -> anyhow::Result<Module> {
    enter(stats, Phase::Load);
    let module = load::module(engine, path)?;
    if let Some(stats) = stats {
        stats.module(&module);
    }
    Ok(module)
}

/// Links and instantiates; the inner error is a start function that did not return.
pub fn instantiate(
    store: &mut Store<WasiCtx>,
    linker: &mut Linker<WasiCtx>,
    module: &Module,
    linking: &Linking,
    preloads: Preloads<'_>,
) -> anyhow::Result<Result<Instance, Stop>> {
    wasmr::wasi::add_imports_to_linker(linker, module, |wasi: &mut WasiCtx| wasi);
    match linking.unknown {
        UnknownImports::Refuse => {}
        UnknownImports::Trap => {
            linker.define_unknown_imports_as_traps(module)?;
        }
        UnknownImports::Default => {
            linker.define_unknown_imports_as_default_values(module)?;
        }
    }
    let name = module.name();
    match linker.instantiate(&mut *store, module) {
        Ok(instance) => Ok(Ok(instance)),
        Err(InstantiateError::Stop(stop)) => Ok(Err(stop)),
        Err(InstantiateError::Link(error)) => Err(missing::imports_error(name, &error, preloads)),
        Err(InstantiateError::Resource(error)) => {
            Err(anyhow::Error::new(error).context(format!("cannot give `{name}` what it declares")))
        }
    }
}
