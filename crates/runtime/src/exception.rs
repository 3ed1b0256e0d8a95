//! Exceptions: objects of the store's heap, of kind [`ExnRef`].
//!
//! An exception is a tag and the arguments it was thrown with, in slot form
//! ([spec](https://webassembly.github.io/spec/core/exec/runtime.html#exception-instances)). `throw` (through
//! [`builtins::exception`](crate::builtins::exception)) or the host creates it. It never changes, and is freed once it
//! is unreachable.

use std::ptr::NonNull;

use wasmr_core::count::Count;
use wasmr_core::type_text::val_type_text;

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::host_error::stop_from;
use crate::limits::ResourceError;
use crate::rooted::{Rooted, gc_refs};
use crate::store::StoreInner;
use crate::tag::Tag;
use crate::value::{TypeMismatch, Val};
use crate::vm::{UNALLOCATED, VmTag};

gc_refs! {
    /// An exception.
    ExnRef = Exn;
}

/// The error of creating an exception.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// The number of arguments is not that of the tag.
    #[error("the exception's tag takes {}, not {found}", Count(*.expected, "argument"))]
    Count {
        /// Number of the tag's parameters.
        expected: usize,
        /// Number of arguments.
        found: usize,
    },
    /// An argument is not of its parameter's type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// Too many exceptions and host references are alive.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

stop_from! { ExceptionError }

impl ExnRef {
    /// Creates an exception. A host function throws it by returning [`Stop::throw`](crate::trap::Stop::throw).
    ///
    /// # Errors
    /// If the arguments do not fit the tag, or the heap is full.
    pub fn new(mut store: impl AsContextMut, tag: Tag, arguments: &[Val]) -> Result<Rooted<ExnRef>, ExceptionError> {
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
        let made = store.new_exception(tag, &payload);
        context.drop_freed();
        let store = context.inner_mut();
        Ok(Rooted::from_object(store, made?))
    }
}

impl Rooted<ExnRef> {
    /// Returns the tag; `None` if the reference's handle scope has ended.
    pub fn tag(&self, store: impl AsContext) -> Option<Tag> {
        let context = store.as_context();
        let (tag, _) = context.inner().heap.exception(self.slot(context.inner()).ok()?)?;
        // SAFETY: exceptions are made with tags of their own store, which live as long as the store.
        Some(Tag(unsafe { Handle::new(tag, context.inner().id()) }))
    }

    /// Returns the arguments it was thrown with; `None` if the reference's handle scope has ended.
    pub fn arguments(&self, mut store: impl AsContextMut) -> Option<Vec<Val>> {
        let ty = self.tag(&store)?.ty(&store);
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let (_, payload) = store.heap.exception(self.slot(store).ok()?)?;
        let payload: Box<[u64]> = payload.into();
        let mut at = 0;
        let values = ty.params().iter().map(|&ty| {
            let slots = &payload[at..at + ty.slots()];
            at += ty.slots();
            // SAFETY: the payload has the values that `throw` or `new` wrote, of the types of the tag's parameters and
            // of this store.
            unsafe { Val::from_slots(store, ty, slots) }
        });
        Some(values.collect())
    }

    /// Returns the arguments' types as text, for messages: `i32, externref`. Returns `None` if the reference's
    /// handle scope has ended.
    pub fn describe(&self, store: impl AsContext) -> Option<String> {
        let ty = self.tag(&store)?.ty(&store);
        let context = store.as_context();
        let registry = context.inner().registry();
        let types: Vec<String> = ty.params().iter().map(|&ty| val_type_text(registry, ty)).collect();
        Some(types.join(", "))
    }
}
impl StoreInner {
    /// Returns the reference of a new exception in slot form, or 0 if the heap has no room for it. May collect.
    ///
    /// # Safety
    /// The tag is alive, and at `payload` as many slots are readable as it has. No one writes them meanwhile.
    pub(crate) unsafe fn allocate_exception(&mut self, tag: *const VmTag, payload: *const u64) -> u64 {
        let Some(tag) = NonNull::new(tag.cast_mut()) else { return 0 };
        // SAFETY: the caller promises a live tag and its payload.
        let payload: &[u64] = unsafe {
            match tag.as_ref().payload_slots as usize {
                0 => &[],
                count => std::slice::from_raw_parts(payload, count),
            }
        };
        self.new_exception(tag, payload).unwrap_or(0)
    }

    /// Returns the reference of an exception: makes an object for one that has none. Returns 0 if the heap has no room
    /// for it. May collect.
    ///
    /// # Safety
    /// The word is that of an exception of the store, or 0.
    pub(crate) unsafe fn exception_object(&mut self, exception: u64) -> u64 {
        if exception != UNALLOCATED {
            return exception;
        }
        // SAFETY: an exception without an object has its tag, which lives as long as the store, and its payload in the store.
        unsafe { self.allocate_exception(self.vm.unallocated_tag, self.vm.payload) }
    }
}
