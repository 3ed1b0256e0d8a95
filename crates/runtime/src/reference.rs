//! References to collected objects: [`ExternRef`], and [`AnyRef`], which the host can only pass on.
//!
//! A handle is the reference's word and the store's id. It names its object until its handle scope ends (see
//! `ref_heap`). Afterwards it names nothing, never another object.

use std::any::Any;
use std::fmt;

use crate::context::{AsContext, AsContextMut};
use crate::handle::{StoreId, check_store};
use crate::limits::ResourceError;
use crate::ref_heap::Object;
use crate::store::StoreInner;

/// The word of a reference and the id of its store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandleWord {
    word: std::num::NonZeroU64,
    pub(crate) store: StoreId,
}

impl fmt::Debug for HandleWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.word)
    }
}

impl HandleWord {
    /// Returns a handle, in the current handle scope, to the reference in a slot; `None` for null.
    pub(crate) fn from_slot(store: &mut StoreInner, word: u64) -> Option<HandleWord> {
        let nonzero = std::num::NonZeroU64::new(word)?;
        store.ref_heap.add_handle(word);
        Some(HandleWord { word: nonzero, store: store.id() })
    }

    pub(crate) fn word(self) -> u64 {
        self.word.get()
    }

    #[track_caller]
    pub(crate) fn object(self, store: &StoreInner) -> Option<&Object> {
        check_store(self.store, store);
        store.ref_heap.get(self.word())
    }

    #[track_caller]
    pub(crate) fn pin(self, store: &mut StoreInner) -> bool {
        check_store(self.store, store);
        store.ref_heap.pin(self.word())
    }

    #[track_caller]
    pub(crate) fn unpin(self, store: &mut StoreInner) {
        check_store(self.store, store);
        store.ref_heap.unpin(self.word());
    }
}

/// A reference to a value of the host, which the guest can keep and return but not inspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternRef(pub(crate) HandleWord);

impl ExternRef {
    /// Moves a value into the store's reference heap.
    ///
    /// # Errors
    /// If the store's limit of references is reached.
    pub fn new(
        mut store: impl AsContextMut,
        value: impl Any + Send + Sync + 'static,
    ) -> Result<ExternRef, ResourceError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let word = store.insert_reference(Object::Extern(Box::new(value)))?;
        let handle = HandleWord::from_slot(store, word).expect("no word of an object is 0");
        Ok(ExternRef(handle))
    }

    /// Returns the value; `None` if it was collected.
    pub fn data<'a, C: AsContext>(&self, store: &'a C) -> Option<&'a (dyn Any + Send + Sync)> {
        match self.0.object(store.as_context().inner()) {
            Some(Object::Extern(value)) => Some(&**value),
            _ => None,
        }
    }

    /// Keeps the value until [`unpin`](ExternRef::unpin) was called as often. Returns false if it was collected
    /// already.
    pub fn pin(&self, mut store: impl AsContextMut) -> bool {
        self.0.pin(store.as_context_mut().inner_mut())
    }

    /// Undoes one [`pin`](ExternRef::pin).
    pub fn unpin(&self, mut store: impl AsContextMut) {
        self.0.unpin(store.as_context_mut().inner_mut());
    }

    pub(crate) fn from_slot(store: &mut StoreInner, word: u64) -> Option<ExternRef> {
        HandleWord::from_slot(store, word).map(ExternRef)
    }
}

/// A reference of the `any` hierarchy. The host can only pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyRef(pub(crate) HandleWord);

impl AnyRef {
    pub(crate) fn from_slot(store: &mut StoreInner, word: u64) -> Option<AnyRef> {
        HandleWord::from_slot(store, word).map(AnyRef)
    }
}
