//! References to collected objects: [`ExternRef`] and [`AnyRef`].
//!
//! A handle is a place among the roots that the host holds, and the store's id. It names its object until its handle scope ends
//! (see `gc`). Afterwards it names nothing, never another object.

use std::any::Any;
use std::fmt;

use crate::context::{AsContext, AsContextMut};
use crate::gc::HandlePlace;
use crate::handle::{StoreId, check_store};
use crate::limits::ResourceError;
use crate::store::StoreInner;
use crate::vm_gc::{Kind, is_i31};

/// A root that the host holds, and the id of its store.
#[derive(Clone, Copy)]
pub(crate) struct HandleWord {
    /// The object, for comparisons. Objects do not move.
    reference: u32,
    place: HandlePlace,
    pub(crate) store: StoreId,
}

/// Two handles are equal if they were made for the same object.
impl PartialEq for HandleWord {
    fn eq(&self, other: &HandleWord) -> bool {
        self.reference == other.reference && self.store == other.store
    }
}

impl Eq for HandleWord {}

impl fmt::Debug for HandleWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.reference)
    }
}

impl HandleWord {
    /// Returns a handle, in the current handle scope, to the reference in a slot; `None` for null.
    pub(crate) fn from_slot(store: &mut StoreInner, slot: u64) -> Option<HandleWord> {
        if slot == 0 {
            return None;
        }
        let place = store.heap.add_handle(slot);
        Some(HandleWord { reference: slot as u32, place, store: store.id() })
    }

    /// Returns the reference in slot form, if the handle's scope has not ended.
    ///
    /// # Panics
    /// If the handle is of another store.
    #[track_caller]
    pub(crate) fn reference(self, store: &StoreInner) -> Option<u64> {
        check_store(self.store, store);
        store.heap.handle(self.place).or_else(|| {
            let reference = u64::from(self.reference);
            store.heap.is_pinned(reference).then_some(reference)
        })
    }

    /// Undoes one [`pin`](HandleWord::pin).
    #[track_caller]
    pub(crate) fn unpin(self, store: &mut StoreInner) {
        check_store(self.store, store);
        store.heap.unpin(self.reference.into());
    }

    #[track_caller]
    pub(crate) fn pin(self, store: &mut StoreInner) -> bool {
        let reference = self.reference(store);
        if let Some(reference) = reference {
            store.heap.pin(reference);
        }
        reference.is_some()
    }
}

/// A reference to a value of the host, which the guest can keep and return but not inspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternRef(pub(crate) HandleWord);

impl ExternRef {
    /// Returns the reference in this hierarchy: `extern.convert_any`. Returns `None` if the handle's scope has ended.
    pub fn convert_any(mut store: impl AsContextMut, reference: AnyRef) -> Option<ExternRef> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slot = reference.0.reference(store)?;
        ExternRef::from_slot(store, slot)
    }

    /// Moves a value into the store's heap.
    ///
    /// # Errors
    /// If the store's limit of references is reached.
    pub fn new(
        mut store: impl AsContextMut,
        value: impl Any + Send + Sync + 'static,
    ) -> Result<ExternRef, ResourceError> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let reference = store.new_host_value(Box::new(value))?;
        let handle = HandleWord::from_slot(store, reference).expect("no reference to an object is 0");
        Ok(ExternRef(handle))
    }

    /// Returns the value; `None` if it was collected.
    pub fn data<'a, C: AsContext>(&self, store: &'a C) -> Option<&'a (dyn Any + Send + Sync)> {
        let store = store.as_context();
        let store = store.inner();
        store.heap.host_value(self.0.reference(store)?)
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

/// A reference of the `any` hierarchy: a struct, an array, an unboxed integer, or a value of the host that `any.convert_extern`
/// made a member of this hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyRef(pub(crate) HandleWord);

impl AnyRef {
    /// Returns the reference in this hierarchy: `any.convert_extern`. Returns `None` if the handle's scope has ended.
    pub fn convert_extern(mut store: impl AsContextMut, reference: ExternRef) -> Option<AnyRef> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let slot = reference.0.reference(store)?;
        AnyRef::from_slot(store, slot)
    }

    /// Returns true if the reference is an unboxed integer.
    pub fn is_i31(&self, store: impl AsContext) -> bool {
        self.0.reference(store.as_context().inner()).is_some_and(is_i31)
    }

    /// Returns true if the reference is a struct.
    pub fn is_struct(&self, store: impl AsContext) -> bool {
        self.kind(store) == Some(Kind::STRUCT)
    }

    /// Returns true if the reference is an array.
    pub fn is_array(&self, store: impl AsContext) -> bool {
        self.kind(store) == Some(Kind::ARRAY)
    }

    /// Returns true if `ref.eq` can compare the reference: it is an unboxed integer, a struct or an array.
    pub fn is_eqref(&self, store: impl AsContext) -> bool {
        self.is_i31(&store) || self.kind(store).is_some_and(|kind| kind <= Kind::ARRAY)
    }

    /// Returns the kind of the object; `None` for an unboxed integer, or if the handle's scope has ended.
    fn kind(&self, store: impl AsContext) -> Option<Kind> {
        let store = store.as_context();
        let store = store.inner();
        store.heap.kind(self.0.reference(store)?).map(|(kind, _)| kind)
    }

    pub(crate) fn from_slot(store: &mut StoreInner, word: u64) -> Option<AnyRef> {
        HandleWord::from_slot(store, word).map(AnyRef)
    }
}
