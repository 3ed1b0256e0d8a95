//! Initialisation of reactors: the choice and the call of the export that initialises an instance.
//!
//! The [WASI application ABI] distinguishes two kinds of modules. A *command* exports `_start`, its program. A
//! *reactor* is a library: it exports `_initialize`, which runs the constructors of C and C++ and must be called once,
//! before any other export. The core specification calls no export, and neither does instantiation.
//! [`Instance::initialize`] does, and so does [`Linker::module`](crate::linker::Linker::module) for libraries of other
//! modules.
//!
//! A library without WASI that exports `__wasm_call_ctors`, `wasm-ld`'s name for the constructors, counts as a reactor
//! as well: the linker leaves its constructors to the host.
//!
//! [WASI application ABI]: https://github.com/WebAssembly/WASI/blob/main/legacy/application-abi.md

use wasmr_core::type_text::extern_type_text;
use wasmr_core::types::{ExternType, FuncType};
use wasmr_module::Module;

use crate::context::AsContextMut;
use crate::func::call_nullary;
use crate::instance::Instance;
use crate::symbol::printable;
use crate::trap::Stop;

/// Entry point of a command.
const START: &str = "_start";

/// Initialisation function of a reactor.
const INITIALIZE: &str = "_initialize";

/// Constructors of a library that was linked without a start file.
const CONSTRUCTORS: &str = "__wasm_call_ctors";

/// The error of a module that exports `_initialize` as something else than a function without parameters and results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` exports `_initialize` as {found}, but it must be a function without parameters and results", printable(.module))]
pub struct InitializerError {
    /// Name of the module.
    pub module: String,
    /// Type of the export, as text.
    pub found: String,
}

/// Returns the name of the export that initialises instances of `module`, or `None` if it has none.
///
/// # Errors
/// If the module exports `_initialize` as something else than a function without parameters and results.
pub fn initializer(module: &Module) -> Result<Option<&'static str>, InitializerError> {
    if let Some(found) = export_type(module, INITIALIZE) {
        if is_nullary(module, &found) {
            return Ok(Some(INITIALIZE));
        }
        let found = extern_type_text(module.registry(), &found);
        return Err(InitializerError { module: module.name().to_string(), found });
    }
    let has_constructors = export_type(module, CONSTRUCTORS).is_some_and(|ty| is_nullary(module, &ty));
    // A command's `_start` calls its constructors.
    let is_command = export_type(module, START).is_some();
    Ok((has_constructors && !is_command).then_some(CONSTRUCTORS))
}

fn export_type(module: &Module, name: &str) -> Option<ExternType> {
    module.export(name).map(|export| module.export_type(export))
}

/// Returns true if `ty` is a function without parameters and results.
fn is_nullary(module: &Module, ty: &ExternType) -> bool {
    let ExternType::Func(id) = *ty else { return false };
    module.registry().func_type(id).is_some_and(|ty| *ty == FuncType::new([], []))
}

impl Instance {
    /// Calls the initialisation function of the WASI application ABI: the export `_initialize`, or `__wasm_call_ctors`
    /// of a library that has neither `_initialize` nor `_start`. Does nothing if the instance exports none of them.
    ///
    /// The creator of an instance calls this once, before any other export. [`Instance::new`] and
    /// [`Linker::instantiate`](crate::linker::Linker::instantiate) only run the start function of the core
    /// specification. [`Linker::module`](crate::linker::Linker::module) does both.
    ///
    /// # Errors
    /// Returns the [`Stop`] with which the initialisation ended, or an [`InitializerError`] as a host error if the
    /// module exports `_initialize` as something else than a function without parameters and results.
    pub fn initialize(&self, mut store: impl AsContextMut) -> Result<(), Stop> {
        let mut context = store.as_context_mut();
        let module = self.module(&context).clone();
        let Some(name) = initializer(&module).map_err(Stop::host)? else { return Ok(()) };
        match self.get_func(&context, name) {
            Some(func) => call_nullary(&mut context, func),
            None => Ok(()),
        }
    }
}
