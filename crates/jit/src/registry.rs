//! Finds the tables of linked code by an address in the code. Traps, exceptions and backtraces start from such an address.
//!
//! A function is registered with its [`CodeTables`](crate::tables::CodeTables) once it is linked. Trampolines are registered for
//! their traps. They have no landing pads, and without a source map they do not show in backtraces. The functions of a loaded
//! [image](crate::image) are registered together; tables are decoded when an address is first found in their function.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::image::LoadedImage;
use crate::registered::RegisteredCode;

/// Code with one range of addresses in the registry.
#[derive(Debug)]
enum Registered {
    Function(Arc<RegisteredCode>),
    Image(Arc<LoadedImage>),
}

/// All registered code of the process, by start address. No two pieces overlap.
static REGISTRY: RwLock<BTreeMap<usize, Registered>> = RwLock::new(BTreeMap::new());

/// Number of pieces of code that were removed.
static REMOVALS: AtomicU64 = AtomicU64::new(0);

/// The registry, locked for reading. Until this is dropped, other threads cannot register or remove code.
pub(crate) struct Registry(RwLockReadGuard<'static, BTreeMap<usize, Registered>>);

/// Locks the registry for reading.
pub(crate) fn read() -> Registry {
    Registry(REGISTRY.read().unwrap_or_else(PoisonError::into_inner))
}

impl Registry {
    /// Returns the code that contains an address.
    pub(crate) fn find(&self, pc: usize) -> Option<&Arc<RegisteredCode>> {
        let (_, registered) = self.0.range(..=pc).next_back()?;
        match registered {
            Registered::Function(code) => code.contains(pc).then_some(code),
            Registered::Image(image) => image.find(pc),
        }
    }
}

fn insert_at(start: usize, registered: Registered) {
    REGISTRY.write().unwrap_or_else(PoisonError::into_inner).insert(start, registered);
}

/// Registers code. The caller does so before the code can be called.
pub(crate) fn insert(code: Arc<RegisteredCode>) {
    insert_at(code.start(), Registered::Function(code));
}

/// Registers an image. The caller does so before its code can be called.
pub(crate) fn insert_image(image: Arc<LoadedImage>) {
    insert_at(image.start(), Registered::Image(image));
}

/// Removes the code or image that starts at an address. The caller knows that nothing executes it any more.
pub(crate) fn remove(start: usize) {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    registry.remove(&start);
    // Before other code can be registered at the address.
    REMOVALS.fetch_add(1, Ordering::Release);
}

/// Returns the number of pieces of code that were removed so far. As long as it stays the same, so does the answer for an
/// address in code.
pub(crate) fn removals() -> u64 {
    REMOVALS.load(Ordering::Acquire)
}

/// Returns the code that contains an address, without keeping the registry locked.
pub(crate) fn find(pc: usize) -> Option<Arc<RegisteredCode>> {
    read().find(pc).cloned()
}

#[cfg(test)]
mod tests {
    use wasmr_core::trap::TrapCode;

    use super::*;
    use crate::tables::CodeTables;

    /// An address in the first pages of the address space, where no code is ever mapped.
    const START: usize = 0x1000;

    fn code_at(start: usize) -> Arc<RegisteredCode> {
        let tables = CodeTables { traps: vec![(4, TrapCode::Unreachable)], ..CodeTables::default() };
        Arc::new(RegisteredCode::new(start, 32, tables, None))
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
        assert_eq!(find(START + 68).and_then(|code| code.trap(START + 68)), Some(TrapCode::Unreachable));
        remove(START + 64);
        assert_eq!(start_of(START + 95), None);
        remove(START);
        assert_eq!(start_of(START), None);
    }
}
