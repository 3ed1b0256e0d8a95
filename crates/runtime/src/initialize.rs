//! Initialisation of modules that are not programs: which export it is, and the call of it.
//!
//! The [WASI application ABI] tells two kinds of modules apart. A *command* exports `_start`, its program. A *reactor* is a
//! library: it exports `_initialize`, which has to be called once, before any other export, and which runs the constructors
//! of C and C++. Instantiating does not call it, as nothing in the core specification does; [`Instance::initialize`] does,
//! and [`Linker::module`](crate::linker::Linker::module) for libraries of other modules.
//!
//! Libraries without WASI that export `__wasm_call_ctors` instead, `wasm-ld`'s name for the constructors, count as reactors
//! as well: the linker leaves the constructors of such a module to its host.
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

/// The entry of a command.
const START: &str = "_start";

/// The initialisation of a reactor.
const INITIALIZE: &str = "_initialize";

/// The constructors of a library that was linked without a start file.
const CONSTRUCTORS: &str = "__wasm_call_ctors";

/// A module exports `_initialize` as something that cannot be called without arguments and results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` exports `_initialize` as {found}, but it must be a function without parameters and results", printable(.module))]
pub struct InitializerError {
    /// The module's name.
    pub module: String,
    /// The type of the export, as text.
    pub found: String,
}

/// Returns the name of the export that initialises instances of `module`; `None` if there is nothing to call.
///
/// # Errors
/// The module exports `_initialize` as something else than a function without parameters and results.
pub fn initializer(module: &Module) -> Result<Option<&'static str>, InitializerError> {
    if let Some(found) = export_type(module, INITIALIZE) {
        if is_nullary(module, &found) {
            return Ok(Some(INITIALIZE));
        }
        let found = extern_type_text(module.registry(), &found);
        return Err(InitializerError { module: module.name().to_string(), found });
    }
    let has_constructors = export_type(module, CONSTRUCTORS).is_some_and(|ty| is_nullary(module, &ty));
    // The constructors of a command are called by its `_start`.
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
    /// Calls the initialisation that the WASI application ABI asks for: the export `_initialize`, or `__wasm_call_ctors` of a
    /// library that has neither `_initialize` nor `_start`. Does nothing if the instance exports none of them.
    ///
    /// Whoever makes an instance calls this once, before any other export. [`Instance::new`] and
    /// [`Linker::instantiate`](crate::linker::Linker::instantiate) only run the start function of the core specification;
    /// [`Linker::module`](crate::linker::Linker::module) does both.
    ///
    /// # Errors
    /// The [`Stop`] with which the initialisation ended, or an [`InitializerError`] as a host error if the module exports
    /// `_initialize` as something else than a function without parameters and results.
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
