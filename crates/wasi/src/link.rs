//! Defines the calls of [`table`](crate::table) in the runtime's linker.
//!
//! In: a linker, and a function from a store's data to its [`WasiCtx`] or [`WasiAccess`]. Out: host functions. Each takes its arguments from
//! slots, lends the guest's memory and the context to the call, and converts an [`Exit`] to a [`Stop`].
//!
//! # Which memory does a call use?
//! The memory that the calling instance exports as `memory`, as [WASI's ABI] requires. Not every program calls its imports, so
//! a module without this export runs until its first call that accesses memory. That call fails with [`MissingMemory`].
//!
//! # Why does `add_imports_to_linker` define only imported calls?
//! A program imports a few of the 91 functions. Leaving out the others saves a microsecond each at the start of every run.
//!
//! [WASI's ABI]: https://github.com/WebAssembly/WASI/blob/main/legacy/application-abi.md

use std::fmt;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_runtime::{Caller, DuplicateDefinition, Extern, Linker, LoadedModule, Stop, Trap};

use crate::ctx::WasiCtx;
use crate::exit::{Exit, Outcome};
use crate::memory::GuestMemory;
use crate::pointer::MemoryFault;
use crate::shared::{Step, WasiAccess};
use crate::table::{Call, MODULES, ParamType, find};

/// Defines all calls of both modules.
///
/// # Errors
/// [`DuplicateDefinition`] if the linker has one of them already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<(), DuplicateDefinition> {
    for (module, calls) in MODULES {
        for call in calls {
            define(linker, module, call, move |data| WasiAccess::Own(ctx(data)))?;
        }
    }
    Ok(())
}

/// As [`add_to_linker`], for guests that may share their context with other threads.
///
/// # Errors
/// [`DuplicateDefinition`] if the linker has one of the calls already.
pub fn add_to_linker_with<T: 'static>(
    linker: &mut Linker<T>,
    ctx: impl Fn(&mut T) -> WasiAccess<'_> + Copy + Send + Sync + 'static,
) -> Result<(), DuplicateDefinition> {
    for (module, calls) in MODULES {
        for call in calls {
            define(linker, module, call, ctx)?;
        }
    }
    Ok(())
}

/// Defines the calls that a module imports. Existing definitions stay.
pub fn add_imports_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    module: &LoadedModule,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) {
    add_imports_to_linker_with(linker, module, move |data| WasiAccess::Own(ctx(data)));
}

/// As [`add_imports_to_linker`], for guests that may share their context with other threads.
pub fn add_imports_to_linker_with<T: 'static>(
    linker: &mut Linker<T>,
    module: &LoadedModule,
    ctx: impl Fn(&mut T) -> WasiAccess<'_> + Copy + Send + Sync + 'static,
) {
    for import in module.module.imports() {
        if let Some(call) = find(&import.module, &import.name) {
            // An existing definition takes precedence.
            let _ = define(linker, &import.module, call, ctx);
        }
    }
}

fn define<T: 'static>(
    linker: &mut Linker<T>,
    module: &str,
    call: &'static Call,
    ctx: impl Fn(&mut T) -> WasiAccess<'_> + Send + Sync + 'static,
) -> Result<(), DuplicateDefinition> {
    let params: Vec<ValType> = call.params.iter().map(|param| val_type(param.ty)).collect();
    let results: Vec<ValType> = call.result.map(val_type).into_iter().collect();
    let ty = FuncType::new(params, results);
    linker.func_numeric(module, call.name, ty, move |mut caller, slots| {
        let interrupt = caller.interrupt_handle().cloned();
        let (memory, data) = caller.memory_and_data();
        let (mut memory, args) = (GuestMemory::of_caller(memory), &slots[..call.params.len()]);
        let outcome = match ctx(data) {
            WasiAccess::Own(ctx) => {
                ctx.set_interrupt_handle(interrupt);
                (call.func)(ctx, &mut memory, args)
            }
            WasiAccess::Shared(ctx) => ctx.call(interrupt, |step| match step {
                Step::Call(ctx) => (call.func)(ctx, &mut memory, args),
                Step::Transfer(transfer) => transfer.run(&mut memory).outcome(),
            }),
        };
        match outcome {
            Ok(errno) => {
                if let Some(result) = slots.first_mut() {
                    *result = errno.into();
                }
                Ok(())
            }
            Err(Exit::Code(code)) => Err(Stop::exit(code)),
            // Only a shared context defers, and its `call` waits.
            Err(Exit::Interrupted | Exit::Deferred) => Err(Stop::trap(TrapCode::Interrupted)),
            Err(Exit::Memory(fault)) => Err(memory_stop(fault, call, &caller)),
        }
    })?;
    Ok(())
}

/// Returns the stop of a guest that passed an invalid pointer.
fn memory_stop<T>(fault: MemoryFault, call: &Call, caller: &Caller<'_, T>) -> Stop {
    let code = match fault {
        MemoryFault::OutOfBounds { .. } => TrapCode::MemoryOutOfBounds,
        MemoryFault::Misaligned { .. } => TrapCode::MisalignedPointer,
        MemoryFault::NoMemory => return Stop::host(MissingMemory::new(call.name, caller)),
    };
    Trap::new(code).with_detail(format!("{}: {fault}", call.name)).into()
}

/// Number of exports that a message shows.
const SHOWN_EXPORTS: usize = 8;

/// Error of a call that accesses memory: the calling module exports no memory as `memory`, or the host made the call.
#[derive(Debug)]
pub struct MissingMemory {
    call: &'static str,
    module: Option<String>,
    exports: String,
}

impl MissingMemory {
    fn new<T>(call: &'static str, caller: &Caller<'_, T>) -> Self {
        let Some(module) = caller.module() else {
            return MissingMemory { call, module: None, exports: String::new() };
        };
        let kind = |name: &str| match caller.get_export(name) {
            Some(Extern::Memory(_)) => " (a memory)",
            Some(_) if name == "memory" => " (not a memory)",
            _ => "",
        };
        let all = module.exports();
        let shown = all
            .iter()
            .take(SHOWN_EXPORTS)
            .map(|export| format!("`{}`{}", export.name.escape_debug(), kind(&export.name)));
        let mut exports: Vec<String> = shown.collect();
        if all.len() > SHOWN_EXPORTS {
            exports.push(format!("{} more", all.len() - SHOWN_EXPORTS));
        }
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        MissingMemory { call, module: Some(module.name().to_owned()), exports }
    }

    /// Returns the name of the call.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// Returns the embedder's name of the calling module, or `None` if the host made the call.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// Returns the list of the module's exports, for messages.
    pub fn exports(&self) -> &str {
        &self.exports
    }
}

impl fmt::Display for MissingMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingMemory { call, module, exports } = self;
        match module {
            Some(module) => write!(
                f,
                "`{}` called {call}, but does not export its memory as `memory`; it exports {exports}",
                module.escape_debug()
            ),
            None => write!(f, "the host called {call}, which needs the memory of the module that calls it"),
        }
    }
}

impl std::error::Error for MissingMemory {}

fn val_type(ty: ParamType) -> ValType {
    match ty {
        ParamType::I32 => ValType::I32,
        ParamType::I64 => ValType::I64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_offered_under_its_name_once() {
        let mut linker: Linker<WasiCtx> = Linker::new();
        add_to_linker(&mut linker, |ctx| ctx).unwrap();
        for (module, calls) in MODULES {
            for call in calls {
                let again = define(&mut linker, module, call, |ctx: &mut WasiCtx| WasiAccess::Own(ctx));
                assert!(again.is_err(), "{module} {} was not defined", call.name);
            }
        }
    }
}
