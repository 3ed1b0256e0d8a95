//! Offers the calls of [`table`](crate::table) to guests, through the runtime's linker.
//!
//! In: a linker and a way from a store's data to its [`WasiCtx`]. Out: host functions that take their arguments from slots,
//! lend the guest's memory and the context to the call, and turn an [`Exit`] into a [`Stop`].
//!
//! # Why by import?
//! A program imports a few of the 91 functions. Making only those takes a microsecond each off the start of every run.

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_runtime::instantiate::LoadedModule;
use wasmr_runtime::linker::{DuplicateDefinition, Linker};
use wasmr_runtime::trap::Stop;

use crate::ctx::WasiCtx;
use crate::exit::Exit;
use crate::memory::GuestMemory;
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
    let params: Vec<ValType> = call.params.iter().map(|(_, slot)| val_type(*slot)).collect();
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
        }
    })?;
    Ok(())
}

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
