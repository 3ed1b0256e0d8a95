//! Offers the calls of [`table`](crate::table) to guests, through the runtime's linker.
//!
//! In: a linker and a way from a store's data to its [`WasiCtx`]. Out: host functions that take their arguments from slots,
//! lend the guest's memory and the context to the call, and turn an [`Exit`] into a [`Stop`].
//!
//! # Which memory?
//! The one that the calling instance exports as `memory`, as the standard has it. Not every program calls what it imports, so
//! a module without this export runs until the first call that has to access memory; that one is a [`MissingMemory`].
//!
//! # Why by import?
//! A program imports a few of the 91 functions. Making only those takes a microsecond each off the start of every run.

use std::fmt;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_runtime::{Caller, DuplicateDefinition, Extern, Linker, LoadedModule, Stop, Trap};

use crate::ctx::WasiCtx;
use crate::exit::Exit;
use crate::memory::GuestMemory;
use crate::pointer::MemoryFault;
use crate::table::{Call, MODULES, Slot, find};

/// Defines all calls under both module names.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<(), DuplicateDefinition> {
    for (module, calls) in MODULES {
        for call in calls {
            define(linker, module, call, ctx)?;
        }
    }
    Ok(())
}

/// Defines the calls that a module imports, unless they are defined already.
pub fn add_imports_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    module: &LoadedModule,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) {
    for import in module.module.imports() {
        if let Some(call) = find(&import.module, &import.name) {
            // What is defined already is meant to be used.
            let _ = define(linker, &import.module, call, ctx);
        }
    }
}

fn define<T: 'static>(
    linker: &mut Linker<T>,
    module: &str,
    call: &'static Call,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + 'static,
) -> Result<(), DuplicateDefinition> {
    let params: Vec<ValType> = call.params.iter().map(|param| val_type(param.slot)).collect();
    let results: Vec<ValType> = call.result.map(val_type).into_iter().collect();
    let ty = FuncType::new(params, results);
    linker.func_numeric(module, call.name, ty, move |mut caller, slots| {
        let interrupt = caller.interrupt_handle().cloned();
        let (memory, data) = caller.memory_and_data();
        let ctx = ctx(data);
        ctx.set_interrupt_handle(interrupt);
        match (call.func)(ctx, &mut GuestMemory::new(memory), &slots[..call.params.len()]) {
            Ok(errno) => {
                if let Some(result) = slots.first_mut() {
                    *result = errno.into();
                }
                Ok(())
            }
            Err(Exit::Code(code)) => Err(Stop::exit(code)),
            Err(Exit::Interrupted) => Err(Stop::trap(TrapCode::Interrupted)),
            Err(Exit::Memory(fault)) => Err(memory_stop(fault, call, &caller)),
        }
    })?;
    Ok(())
}

/// The end of a guest that passed a pointer which cannot be used.
fn memory_stop<T>(fault: MemoryFault, call: &Call, caller: &Caller<'_, T>) -> Stop {
    let code = match fault {
        MemoryFault::OutOfBounds { .. } => TrapCode::MemoryOutOfBounds,
        MemoryFault::Misaligned { .. } => TrapCode::MisalignedPointer,
        MemoryFault::NoMemory => return Stop::host(MissingMemory::new(call.name, caller)),
    };
    Trap::new(code).with_detail(format!("{}: {fault}", call.name)).into()
}

/// Exports of a module that a message shows.
const SHOWN_EXPORTS: usize = 8;

/// A call that accesses memory was made by a module that exports none as `memory`, or by the host.
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

    /// The name of the call.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The name of the module that called, as the embedder knows it; `None` if the host did.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The names that the module exports, for people.
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

fn val_type(slot: Slot) -> ValType {
    match slot {
        Slot::I32 => ValType::I32,
        Slot::I64 => ValType::I64,
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
                let again = define(&mut linker, module, call, |ctx: &mut WasiCtx| ctx);
                assert!(again.is_err(), "{module} {} was not defined", call.name);
            }
        }
    }
}
