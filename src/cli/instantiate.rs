//! Loads and instantiates the program and the libraries before it.

use std::path::Path;

use wasmr::symbol::printable;
use wasmr::wasi::{add_imports_to_linker_with, add_threads_to_linker, imports_threads};
use wasmr::{Engine, ExternType, Instance, InstantiateError, Linker, Module, ResourceError, SharedMemory, Stop, Store};
use wasmr_core::count::Count;

use super::guest::Guest;
use super::load;
use super::missing::{self, Preloads};
use super::plan::{Linking, RunPlan, UnknownImports};
#[cfg(feature = "component")]
use super::plug;
use super::report::exact_size;
use super::stats::{MaybeStats, Phase, enter};

/// Loads the program of a plan.
pub fn load_program(engine: &Engine, plan: &RunPlan, stats: &MaybeStats) -> anyhow::Result<load::Program> {
    enter(stats, Phase::Load);
    #[cfg(feature = "component")]
    let program = plug::program(engine, &plan.module, &plan.plugs, plan.allow_precompiled)?;
    #[cfg(not(feature = "component"))]
    let program = load::program(engine, &plan.module, plan.allow_precompiled)?;
    if let Some(stats) = stats {
        match &program {
            load::Program::Module(module) => stats.module(module),
            #[cfg(feature = "component")]
            load::Program::Component(component) => component.modules().iter().for_each(|module| stats.module(module)),
        }
    }
    Ok(program)
}

/// Loads a module.
pub fn load_module(
    engine: &Engine,
    path: &Path,
    allow_precompiled: bool,
    stats: &MaybeStats,
) -> anyhow::Result<Module> {
    enter(stats, Phase::Load);
    let module = load::module(engine, path, allow_precompiled)?;
    if let Some(stats) = stats {
        stats.module(&module);
    }
    Ok(module)
}

/// Defines what a module imports from WASI, `thread-spawn` included.
pub fn define_wasi(linker: &mut Linker<Guest>, module: &Module) {
    add_imports_to_linker_with(linker, module, Guest::wasi);
    if imports_threads(module) {
        // An existing definition takes precedence.
        let _ = add_threads_to_linker(linker);
    }
}

/// Defines everything that a module imports and that no library offers: WASI, shared memories, and substitutes for unknown imports.
pub fn define(
    store: &mut Store<Guest>,
    linker: &mut Linker<Guest>,
    module: &Module,
    linking: &Linking,
) -> anyhow::Result<()> {
    define_wasi(linker, module);
    for import in module.module.imports() {
        if let ExternType::Memory(ty) = import.ty
            && ty.shared
            && linker.get(&mut *store, &import.module, &import.name).is_none()
        {
            let memory = SharedMemory::new(store.config_for_thread(), ty);
            let memory = memory.map_err(|error| resource_error(module.name(), error))?;
            linker.define(&import.module, &import.name, memory)?;
        }
    }
    match linking.unknown {
        UnknownImports::Refuse => {}
        UnknownImports::Trap => {
            linker.define_unknown_imports_as_traps(module)?;
        }
        UnknownImports::Default => {
            linker.define_unknown_imports_as_default_values(module)?;
        }
    }
    Ok(())
}

/// Instantiates a module whose imports are defined. The inner error is a start function that did not return.
pub fn instantiate(
    store: &mut Store<Guest>,
    linker: &Linker<Guest>,
    module: &Module,
    preloads: Preloads<'_>,
) -> anyhow::Result<Result<Instance, Stop>> {
    let name = module.name();
    match linker.instantiate(&mut *store, module) {
        Ok(instance) => Ok(Ok(instance)),
        Err(InstantiateError::Stop(stop)) => Ok(Err(stop)),
        Err(InstantiateError::Link(error)) => Err(missing::imports_error(name, &error, preloads)),
        Err(InstantiateError::Resource(error)) => Err(resource_error(name, error)),
    }
}

/// Returns the error for a module that declares more than the limits or the system allow, with the option that sets the limit.
pub fn resource_error(name: &str, error: ResourceError) -> anyhow::Error {
    let name = printable(name);
    match error {
        ResourceError::MemoryLimit { asked, limit, used } => {
            let (asked, limit) = (exact_size(asked), exact_size(limit.into()));
            let in_use = if used == 0 { String::new() } else { format!(", {} in use", exact_size(used.into())) };
            anyhow::anyhow!(
                "cannot allocate the memory that `{name}` declares: {asked} asked for, {limit} allowed{in_use} (--max-memory)"
            )
        }
        ResourceError::TableLimit { asked, limit, used } => {
            let in_use = if used == 0 { String::new() } else { format!(", {used} in use") };
            anyhow::anyhow!(
                "cannot allocate the table that `{name}` declares: {} asked for, {limit} allowed{in_use} (--max-table-elements)",
                Count(asked, "element")
            )
        }
        ResourceError::InstanceLimit { limit } => {
            anyhow::anyhow!("cannot instantiate `{name}`: only {} allowed (--max-instances)", Count(limit, "instance"))
        }
        error @ ResourceError::HeapLimit { .. } => {
            anyhow::anyhow!("{error} (--max-gc-heap)").context(format!("cannot instantiate `{name}`"))
        }
        error @ (ResourceError::Sharing { .. } | ResourceError::System { .. }) => {
            anyhow::Error::new(error).context(format!("cannot instantiate `{name}`"))
        }
    }
}
