//! Finds the tables of linked code by an address in the code. Traps, exceptions and backtraces start from such an address.
//!
//! A function is registered with the tables of its [`CompiledCode`] once it is linked. Trampolines are registered for their
//! traps. They have no landing pads, and without a source map they do not show in backtraces.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use wasmr_core::trap::TrapCode;
use wasmr_module::Module;

use crate::compiled::{CallSite, CompiledCode};
use crate::source_map::{SourceMap, WasmPc};

/// The tables of linked code.
#[derive(Debug)]
pub(crate) struct RegisteredCode {
    start: usize,
    len: usize,
    traps: Vec<(u32, TrapCode)>,
    call_sites: Vec<CallSite>,
    source_locations: Vec<(u32, u32)>,
    source_map: Option<SourceMap>,
    module: Option<Arc<Module>>,
}

/// All registered code of the process, by start address. No two pieces overlap.
static REGISTRY: RwLock<BTreeMap<usize, Arc<RegisteredCode>>> = RwLock::new(BTreeMap::new());

impl RegisteredCode {
    /// Describes code that is linked at `start`. `module` is the module that the source map refers to.
    pub(crate) fn new(start: usize, code: CompiledCode, module: Option<Arc<Module>>) -> RegisteredCode {
        let CompiledCode { code, mut traps, mut call_sites, mut source_locations, source_map, .. } = code;
        // Cranelift returns them in order, but does not promise it.
        traps.sort_by_key(|&(offset, _)| offset);
        call_sites.sort_by_key(|site| site.return_offset);
        source_locations.sort_by_key(|&(offset, _)| offset);
        RegisteredCode { start, len: code.len(), traps, call_sites, source_locations, source_map, module }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
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
        let offset = self.offset(pc);
        let index = self.traps.binary_search_by_key(&offset, |&(offset, _)| offset).ok()?;
        Some(self.traps[index].1)
    }

    /// Returns the call site that returns to `pc`, or `None` if the call has no landing pads.
    pub(crate) fn call_site(&self, pc: usize) -> Option<&CallSite> {
        let offset = self.offset(pc);
        let index = self.call_sites.binary_search_by_key(&offset, |site| site.return_offset).ok()?;
        Some(&self.call_sites[index])
    }

    /// Returns the function's index in its module. `None` for a trampoline.
    pub(crate) fn func_index(&self) -> Option<u32> {
        self.source_map.as_ref().map(|map| map.func_index())
    }

    /// Returns the operator that the code at `pc` belongs to and the inlined calls around it, innermost first. Returns an empty
    /// list for code of no operator.
    pub(crate) fn wasm_pcs(&self, pc: usize) -> Vec<WasmPc> {
        let offset = self.offset(pc);
        let after = self.source_locations.partition_point(|&(start, _)| start <= offset);
        match (&self.source_map, after.checked_sub(1)) {
            (Some(map), Some(index)) => map.wasm_pcs(self.source_locations[index].1),
            _ => Vec::new(),
        }
    }
}

/// The registry, locked for reading. Until this is dropped, other threads cannot register or remove code.
pub(crate) struct Registry(RwLockReadGuard<'static, BTreeMap<usize, Arc<RegisteredCode>>>);

/// Locks the registry for reading.
pub(crate) fn read() -> Registry {
    Registry(REGISTRY.read().unwrap_or_else(PoisonError::into_inner))
}

impl Registry {
    /// Returns the code that contains an address.
    pub(crate) fn find(&self, pc: usize) -> Option<&Arc<RegisteredCode>> {
        let (_, code) = self.0.range(..=pc).next_back()?;
        (pc - code.start < code.len).then_some(code)
    }
}

/// Registers code. The caller does so before the code can be called.
pub(crate) fn insert(code: Arc<RegisteredCode>) {
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).insert(code.start, code);
}

/// Removes the code that starts at an address. The caller knows that nothing executes it any more.
pub(crate) fn remove(start: usize) {
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).remove(&start);
}

/// Returns the code that contains an address, without keeping the registry locked.
pub(crate) fn find(pc: usize) -> Option<Arc<RegisteredCode>> {
    read().find(pc).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::LandingPad;

    /// An address in the first pages of the address space, where no code is ever mapped.
    const START: usize = 0x1000;

    fn site() -> CallSite {
        let landing_pads = vec![LandingPad { tag: None, code: 20 }];
        CallSite { return_offset: 9, frame_offset: 48, instance_offset: None, landing_pads }
    }

    fn code_at(start: usize) -> Arc<RegisteredCode> {
        let code = CompiledCode {
            code: vec![0; 32],
            relocs: Vec::new(),
            traps: vec![(12, TrapCode::MemoryOutOfBounds), (4, TrapCode::Unreachable)],
            call_sites: vec![site()],
            source_locations: Vec::new(),
            source_map: None,
            exits: Vec::new(),
        };
        Arc::new(RegisteredCode::new(start, code, None))
    }

    #[test]
    fn addresses_find_their_function_and_only_that() {
        insert(code_at(START));
        insert(code_at(START + 64));
        let start_of = |pc: usize| find(pc).map(|code| code.start());
        assert_eq!(start_of(START - 1), None);
        assert_eq!(start_of(START), Some(START));
        assert_eq!(start_of(START + 31), Some(START));
        assert_eq!(start_of(START + 32), None);
        assert_eq!(start_of(START + 95), Some(START + 64));
        remove(START + 64);
        assert_eq!(start_of(START + 95), None);
        remove(START);
        assert_eq!(start_of(START), None);
    }

    #[test]
    fn traps_and_calls_are_found_by_their_very_address() {
        let code = code_at(START);
        assert_eq!(code.trap(START + 4), Some(TrapCode::Unreachable));
        assert_eq!(code.trap(START + 12), Some(TrapCode::MemoryOutOfBounds));
        assert_eq!(code.trap(START + 5), None);
        assert_eq!(code.call_site(START + 9), Some(&site()));
        assert_eq!(code.call_site(START + 8), None);
        assert_eq!(code.wasm_pcs(START), []);
    }
}
