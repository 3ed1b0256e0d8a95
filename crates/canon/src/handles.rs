//! [`HandleTable`]: the handles of a component instance, or of the embedder.
//!
//! An index that was freed last is used next, which the
//! [specification](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md#table-state) requires, and which
//! guests can observe. Index 0 is never used.

use crate::error::{AbiError, Result};
use crate::resource::ResourceKey;

/// Most handles of a table. The specification allows 2²⁸ - 1; a guest that leaks handles should end before it takes gigabytes of the
/// host's memory.
const MAX_HANDLES: usize = 1 << 20;

/// A handle of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    /// Type of the resource.
    pub(crate) ty: ResourceKey,
    /// Representation of the resource, which its implementer chose.
    pub(crate) rep: u32,
    /// Number of borrows in calls that have not returned, during which the handle cannot be given away.
    pub(crate) lends: u32,
    pub(crate) kind: HandleKind,
}

/// The two kinds of handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandleKind {
    /// The handle owns the resource.
    Own,
    /// The handle was lent for a call, which must drop it before it returns.
    Borrow {
        /// Number of the call's scope.
        scope: u32,
    },
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Used(Handle),
    /// Index of the next free slot; 0 if there is none.
    Free(u32),
}

/// The handles of a component instance.
#[derive(Debug, Default)]
pub(crate) struct HandleTable {
    /// Slot 0 is never used.
    slots: Vec<Slot>,
    /// Index of the slot that was freed last; 0 if there is none.
    free: u32,
}

impl HandleTable {
    /// Adds a handle. Returns its index.
    pub(crate) fn add(&mut self, handle: Handle) -> Result<u32> {
        if let Some(slot) = self.slots.get_mut(self.free as usize).filter(|_| self.free != 0) {
            let index = self.free;
            self.free = if let Slot::Free(next) = *slot { next } else { 0 };
            *slot = Slot::Used(handle);
            return Ok(index);
        }
        if self.slots.is_empty() {
            self.slots.push(Slot::Free(0));
        }
        if self.slots.len() > MAX_HANDLES {
            return Err(AbiError::trap(format!("a component instance may have at most {MAX_HANDLES} handles")));
        }
        self.slots.push(Slot::Used(handle));
        Ok((self.slots.len() - 1) as u32)
    }

    /// Returns the handle with an index.
    pub(crate) fn get(&mut self, index: u32) -> Result<&mut Handle> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Used(handle)) => Ok(handle),
            _ => Err(AbiError::trap(format!("unknown handle index {index}"))),
        }
    }

    /// Removes a handle, whose index [`get`](HandleTable::get) found.
    pub(crate) fn remove(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Slot::Free(self.free);
            self.free = index;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(rep: u32) -> Handle {
        Handle { ty: ResourceKey(0), rep, lends: 0, kind: HandleKind::Own }
    }

    #[test]
    fn the_index_that_was_freed_last_is_used_next() {
        let mut table = HandleTable::default();
        for expected in 1..=4 {
            assert_eq!(table.add(own(expected)).unwrap(), expected);
        }
        for index in [1, 3, 2] {
            table.remove(index);
            assert!(table.get(index).is_err());
        }
        let again: Vec<u32> = (0..4).map(|rep| table.add(own(rep)).unwrap()).collect();
        assert_eq!(again, [2, 3, 1, 5]);
        assert_eq!(table.get(3).unwrap().rep, 1);
    }

    #[test]
    fn unknown_indices_are_refused() {
        let mut table = HandleTable::default();
        for index in [0, 1, u32::MAX] {
            assert!(table.get(index).is_err());
        }
        table.add(own(7)).unwrap();
        assert!(table.get(0).is_err());
    }
}
