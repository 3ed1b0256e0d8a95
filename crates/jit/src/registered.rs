//! [`RegisteredCode`]: linked code of one function or trampoline, as the [registry](crate::registry) returns it for an address.

use std::sync::Arc;

use wasmr_core::trap::TrapCode;
use wasmr_module::Module;

use crate::source_map::WasmPc;
use crate::tables::{CallSite, CodeTables};

/// Linked code of one function, with its tables.
#[derive(Debug)]
pub(crate) struct RegisteredCode {
    start: usize,
    len: usize,
    tables: CodeTables,
    module: Option<Arc<Module>>,
}

impl RegisteredCode {
    /// Describes code that is linked at `start`. `module` is the module that the source map refers to.
    pub(crate) fn new(start: usize, len: usize, tables: CodeTables, module: Option<Arc<Module>>) -> RegisteredCode {
        RegisteredCode { start, len, tables, module }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Returns true if the address is in the code.
    pub(crate) fn contains(&self, pc: usize) -> bool {
        pc.wrapping_sub(self.start) < self.len
    }

    /// Returns the number of bytes of code.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn tables(&self) -> &CodeTables {
        &self.tables
    }

    /// Returns the module that [`wasm_pcs`](RegisteredCode::wasm_pcs) refers to. `None` for a trampoline.
    pub(crate) fn module(&self) -> Option<&Arc<Module>> {
        self.module.as_ref()
    }

    fn offset(&self, pc: usize) -> u32 {
        pc.wrapping_sub(self.start) as u32
    }

    /// Returns the trap code of the instruction at `pc`, or `None` if it cannot trap.
    pub(crate) fn trap(&self, pc: usize) -> Option<TrapCode> {
        self.tables.trap(self.offset(pc))
    }

    /// Returns the call site that returns to `pc`, or `None` if the call has no landing pads.
    pub(crate) fn call_site(&self, pc: usize) -> Option<&CallSite> {
        self.tables.call_site(self.offset(pc))
    }

    /// Returns the function's index in its module. `None` for a trampoline.
    pub(crate) fn func_index(&self) -> Option<u32> {
        self.tables.source_map.as_ref().map(|map| map.func_index())
    }

    /// Returns the operator that the code at `pc` belongs to and the inlined calls around it, innermost first. Returns an empty
    /// list for code of no operator.
    pub(crate) fn wasm_pcs(&self, pc: usize) -> Vec<WasmPc> {
        self.tables.wasm_pcs(self.offset(pc))
    }
}
