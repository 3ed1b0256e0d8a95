//! Exceptions: objects of the store's reference heap, with [`ExnRef`] as the host's handle.
//!
//! An exception is its tag and the arguments it was thrown with, in slot form. It is made by `throw` (through
//! [`builtins::exception`](crate::builtins::exception)) or by the host, never changes, and is freed when nothing leads
//! to it any more.

use std::ptr::NonNull;

use wasmr_core::count::Count;
use wasmr_core::type_text::val_type_text;

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::limits::ResourceError;
use crate::ref_heap::Object;
use crate::reference::HandleWord;
use crate::store::StoreInner;
use crate::tag::Tag;
use crate::value::{TypeMismatch, Val};
use crate::vm::VmTag;

/// A reference to an exception. It names the exception until the host function that got it returns, or outside of host functions for
/// the store's life. Afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExnRef(pub(crate) HandleWord);

/// Why the host could not make an exception.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// The arguments do not fit the tag.
    #[error("the exception's tag takes {}, not {found}", Count(*.expected, "argument"))]
    Count {
        /// How many the tag takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// An argument is of another type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// Too many are alive.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

stop_from! { ExceptionError }

impl ExnRef {
    /// An exception of the host's. A host function throws it by returning [`Stop::throw`](crate::trap::Stop::throw).
    pub fn new(mut store: impl AsContextMut, tag: Tag, arguments: &[Val]) -> Result<ExnRef, ExceptionError> {
        let ty = tag.ty(&store);
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        if ty.params().len() != arguments.len() {
            return Err(ExceptionError::Count { expected: ty.params().len(), found: arguments.len() });
        }
        let mut payload = vec![0; ty.param_slots()];
        let mut at = 0;
        for (&argument, &ty) in arguments.iter().zip(ty.params()) {
            argument.to_slots(store, ty, &mut payload[at..])?;
            at += ty.slots();
        }
        let tag = NonNull::new(tag.0.as_ptr()).expect("handles are not null");
        let word = store.insert_reference(Object::Exception { tag, payload: payload.into() })?;
        Ok(ExnRef::from_slot(store, word).expect("no word of an object is 0"))
    }

    /// Its tag; `None` if it was collected.
    pub fn tag(&self, store: impl AsContext) -> Option<Tag> {
        let context = store.as_context();
        let (tag, _) = exception(self.0.object(context.inner()))?;
        // SAFETY: exceptions are made with tags of their own store, which live as long as it.
        Some(Tag(unsafe { Handle::new(tag, context.inner().id()) }))
    }

    /// The arguments it was thrown with; `None` if it was collected.
    pub fn arguments(&self, mut store: impl AsContextMut) -> Option<Vec<Val>> {
        let ty = self.tag(&store)?.ty(&store);
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (_, payload) = exception(self.0.object(store))?;
        let payload: Box<[u64]> = payload.into();
        let mut at = 0;
        let values = ty.params().iter().map(|&ty| {
            let slots = &payload[at..at + ty.slots()];
            at += ty.slots();
            // SAFETY: an exception's payload is of its tag's type.
            unsafe { Val::from_slots(store, ty, slots) }
        });
        Some(values.collect())
    }

    /// The arguments' types as text, for messages: `i32, externref`.
    pub fn describe(&self, store: impl AsContext) -> Option<String> {
        let ty = self.tag(&store)?.ty(&store);
        let context = store.as_context();
        let registry = context.inner().registry();
        let types: Vec<String> = ty.params().iter().map(|&ty| val_type_text(registry, ty)).collect();
        Some(types.join(", "))
    }

    /// Keeps the exception until [`unpin`](ExnRef::unpin) was called as often. Whether it is still there.
    pub fn pin(&self, mut store: impl AsContextMut) -> bool {
        self.0.pin(store.as_context_mut().inner_mut())
    }

    /// Undoes one [`pin`](ExnRef::pin).
    pub fn unpin(&self, mut store: impl AsContextMut) {
        self.0.unpin(store.as_context_mut().inner_mut());
    }

    pub(crate) fn from_slot(store: &mut StoreInner, word: u64) -> Option<ExnRef> {
        HandleWord::from_slot(store, word).map(ExnRef)
    }
}

/// Tag and payload, if the object is an exception.
pub(crate) fn exception(object: Option<&Object>) -> Option<(NonNull<VmTag>, &[u64])> {
    match object {
        Some(Object::Exception { tag, payload }) => Some((*tag, payload)),
        _ => None,
    }
}
