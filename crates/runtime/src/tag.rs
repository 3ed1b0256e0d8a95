//! Exception tags: a [`VmTag`] in a store, [`Tag`] as its handle. A tag's identity is its address.

use std::sync::Arc;

use wasmr_core::types::{FuncType, TypeId};

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::store::StoreInner;
use crate::vm::VmTag;

/// A tag in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub(crate) Handle<VmTag>);

impl Tag {
    /// Creates a tag, different from every other, for exceptions with the parameters of `ty` as arguments.
    ///
    /// # Panics
    /// If the type has results.
    pub fn new(mut store: impl AsContextMut, ty: FuncType) -> Tag {
        assert!(ty.results().is_empty(), "the type of an exception tag must have no results");
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let type_id = store.types().intern_func(ty);
        Tag::in_store(store, type_id)
    }

    pub(crate) fn in_store(store: &mut StoreInner, type_id: TypeId) -> Tag {
        Tag(store.add_tag(VmTag { type_id }))
    }

    /// Returns the function type whose parameters are the arguments of the tag's exceptions.
    pub fn ty(&self, store: impl AsContext) -> Arc<FuncType> {
        let context = store.as_context();
        let ty = context.inner().registry().func_type(self.0.get(context.inner()).type_id);
        ty.expect("a tag's type is a function type")
    }
}
