//! [`LayerState`]: what a layer above this crate keeps in a store. Its type is known to the layer alone.
//!
//! The type beside the state spares each access the virtual call of [`Any::type_id`], whose result would be compared through memory.

use std::any::{Any, TypeId};
use std::ptr;

/// State of a layer, and its type.
pub(crate) struct LayerState {
    /// Type of what `state` points to.
    ty: TypeId,
    state: Box<dyn Any + Send + Sync>,
}

impl LayerState {
    /// Returns the default state of a type.
    pub(crate) fn new<E: Any + Default + Send + Sync>() -> LayerState {
        LayerState { ty: TypeId::of::<E>(), state: Box::<E>::default() }
    }

    /// Returns the state.
    ///
    /// # Panics
    /// If it is of another type.
    #[inline]
    pub(crate) fn get<E: Any>(&mut self) -> &mut E {
        assert!(self.ty == TypeId::of::<E>(), "one layer alone keeps state in a store");
        // SAFETY: `new`, which alone makes the value, stores the type of the state beside it, and neither changes.
        unsafe { &mut *ptr::from_mut(&mut *self.state).cast::<E>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_of_the_type_that_made_it() {
        let mut state = LayerState::new::<Vec<u8>>();
        state.get::<Vec<u8>>().push(7);
        assert_eq!(*state.get::<Vec<u8>>(), [7]);
        let other = std::panic::AssertUnwindSafe(|| state.get::<Vec<u16>>().len());
        assert!(std::panic::catch_unwind(other).is_err());
    }
}
