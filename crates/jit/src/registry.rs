//! From code addresses to what is known of the code there: for traps, exceptions and backtraces, which start from nothing else.
//!
//! Comes in: what the compiler said of a function ([`CompiledCode`]), once it is in place. Not in here: trampolines, which neither
//! trap nor catch nor show in a backtrace.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use wasmr_core::trap::TrapCode;
use wasmr_module::Module;

use crate::compiled::{CallSite, CompiledCode};
use crate::positions::{Place, Positions};

/// A compiled function in place.
#[derive(Debug)]
pub(crate) struct Body {
    start: usize,
    len: usize,
    traps: Vec<(u32, TrapCode)>,
    call_sites: Vec<CallSite>,
    positions: Vec<(u32, u32)>,
    table: Option<Positions>,
    module: Option<Arc<Module>>,
}

/// By start address; they do not overlap.
static BODIES: RwLock<BTreeMap<usize, Arc<Body>>> = RwLock::new(BTreeMap::new());

impl Body {
    /// The function that starts at `start`; `module` is what its positions are in.
    pub(crate) fn new(start: usize, code: CompiledCode, module: Option<Arc<Module>>) -> Body {
        let CompiledCode { code, mut traps, mut call_sites, mut positions, table, .. } = code;
        // The compiler gives them in order, but does not promise it.
        traps.sort_by_key(|&(offset, _)| offset);
        call_sites.sort_by_key(|site| site.return_offset);
        positions.sort_by_key(|&(offset, _)| offset);
        Body { start, len: code.len(), traps, call_sites, positions, table, module }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The module that its [places](Body::places) are in.
    pub(crate) fn module(&self) -> Option<&Arc<Module>> {
        self.module.as_ref()
    }

    fn offset(&self, pc: usize) -> u32 {
        pc.wrapping_sub(self.start) as u32
    }

    /// Why the instruction at `pc` may trap, if it may.
    pub(crate) fn trap(&self, pc: usize) -> Option<TrapCode> {
        let offset = self.offset(pc);
        let index = self.traps.binary_search_by_key(&offset, |&(offset, _)| offset).ok()?;
        Some(self.traps[index].1)
    }

    /// The call that returns to `pc`, if it has handlers.
    pub(crate) fn call_site(&self, pc: usize) -> Option<&CallSite> {
        let offset = self.offset(pc);
        let index = self.call_sites.binary_search_by_key(&offset, |site| site.return_offset).ok()?;
        Some(&self.call_sites[index])
    }

    /// The function, by its index in its module.
    pub(crate) fn func_index(&self) -> Option<u32> {
        self.table.as_ref().map(|table| table.func_index())
    }

    /// The operator whose code `pc` is in, and the calls around it that were inlined, innermost first; nothing if it is the code
    /// of no operator.
    pub(crate) fn places(&self, pc: usize) -> Vec<Place> {
        let offset = self.offset(pc);
        let after = self.positions.partition_point(|&(start, _)| start <= offset);
        match (&self.table, after.checked_sub(1)) {
            (Some(table), Some(index)) => table.places(self.positions[index].1),
            _ => Vec::new(),
        }
    }
}

/// All functions in place, as long as this lives: nobody may be added meanwhile.
pub(crate) struct Bodies(RwLockReadGuard<'static, BTreeMap<usize, Arc<Body>>>);

/// All functions in place.
pub(crate) fn bodies() -> Bodies {
    Bodies(BODIES.read().unwrap_or_else(PoisonError::into_inner))
}

impl Bodies {
    /// The function that an address is in.
    pub(crate) fn find(&self, pc: usize) -> Option<&Arc<Body>> {
        let (_, body) = self.0.range(..=pc).next_back()?;
        (pc - body.start < body.len).then_some(body)
    }
}

/// Adds a function, before anybody calls it.
pub(crate) fn insert(body: Arc<Body>) {
    BODIES.write().unwrap_or_else(PoisonError::into_inner).insert(body.start, body);
}

/// Forgets the function that starts there: nothing will ever execute it again.
pub(crate) fn remove(start: usize) {
    BODIES.write().unwrap_or_else(PoisonError::into_inner).remove(&start);
}

/// The function that an address is in.
pub(crate) fn find(pc: usize) -> Option<Arc<Body>> {
    bodies().find(pc).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::Handler;

    /// Addresses at which there is never code.
    const START: usize = 0x1000;

    fn site() -> CallSite {
        let handlers = vec![Handler { tag: None, code: 20 }];
        CallSite { return_offset: 9, frame_offset: 48, instance_offset: None, handlers }
    }

    fn body(start: usize) -> Arc<Body> {
        let code = CompiledCode {
            code: vec![0; 32],
            relocs: Vec::new(),
            traps: vec![(12, TrapCode::MemoryOutOfBounds), (4, TrapCode::Unreachable)],
            call_sites: vec![site()],
            positions: Vec::new(),
            table: None,
            exits: Vec::new(),
        };
        Arc::new(Body::new(start, code, None))
    }

    #[test]
    fn addresses_find_their_function_and_only_that() {
        insert(body(START));
        insert(body(START + 64));
        let start_of = |pc: usize| find(pc).map(|body| body.start());
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
        let body = body(START);
        assert_eq!(body.trap(START + 4), Some(TrapCode::Unreachable));
        assert_eq!(body.trap(START + 12), Some(TrapCode::MemoryOutOfBounds));
        assert_eq!(body.trap(START + 5), None);
        assert_eq!(body.call_site(START + 9), Some(&site()));
        assert_eq!(body.call_site(START + 8), None);
        assert_eq!(body.places(START), []);
    }
}
