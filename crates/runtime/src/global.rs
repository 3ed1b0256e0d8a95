//! Globals: a [`VmGlobal`] in a store or inside an instance, [`Global`] as its handle.
//!
//! The handle has the type, because a `VmGlobal` is only a value.

use wasmr_core::types::GlobalType;

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::store::StoreInner;
use crate::value::{TypeMismatch, Val};
use crate::vm::VmGlobal;

/// A global in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    pub(crate) handle: Handle<VmGlobal>,
    pub(crate) ty: GlobalType,
}

/// The error of setting a global.
#[derive(Debug, thiserror::Error)]
pub enum GlobalError {
    /// The global is immutable.
    #[error("the global is immutable")]
    Immutable,
    /// The value is not of the global's type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
}

stop_from! { GlobalError }

impl Global {
    /// Creates a global of the host.
    ///
    /// # Errors
    /// If `init` is not of the global's type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, init: Val) -> Result<Global, TypeMismatch> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let value = init.to_global(store, ty.content)?;
        store.keep_types_of(ty.content);
        Ok(Global::in_store(store, ty, value))
    }

    pub(crate) fn in_store(store: &mut StoreInner, ty: GlobalType, value: VmGlobal) -> Global {
        Global { handle: store.add_global(value), ty }
    }

    /// Returns the type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.handle.check(store.as_context().inner());
        self.ty
    }

    /// Returns the value.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slots = self.handle.get(store).value;
        // SAFETY: a global has a value of its type: validation, `Global::new` and `Global::set` allow no other.
        unsafe { Val::from_slots(store, self.ty.content, &slots) }
    }

    /// Sets the value.
    ///
    /// # Errors
    /// If the global is immutable, or the value is not of its type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<(), GlobalError> {
        if !self.ty.mutable {
            return Err(GlobalError::Immutable);
        }
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let value = value.to_global(store, self.ty.content)?;
        *self.handle.get_mut(store) = value;
        Ok(())
    }
}
