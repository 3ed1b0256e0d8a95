//! Exception tags: a [`VmTag`] in a store, [`Tag`] as its handle. A tag's identity is its address.

use std::sync::Arc;

use wasmr_core::types::{FuncType, TypeId};

use crate::context::{AsContext, AsContextMut};
use crate::handle::Handle;
use crate::store::StoreInner;
use crate::symbol::readable;
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
        let ty = store.registry().func_type(type_id).expect("a tag's type is a function type");
        let payload_slots = u32::try_from(ty.param_slots()).expect("a signature has fewer than 2^32 slots");
        // No exception is in flight while the host creates tags.
        if store.payload.len() < payload_slots as usize {
            store.payload.resize(payload_slots as usize, 0);
            store.vm.payload = store.payload.as_mut_ptr();
        }
        Tag(store.add_tag(VmTag { type_id, payload_slots }))
    }

    /// Returns a readable name: that of the module that defines the tag, or else of one that imports it; otherwise the index in
    /// the module that defines it, or `<host tag>`. A module's name of a tag is that of [`Module::tag_name`].
    ///
    /// [`Module::tag_name`]: wasmr_module::Module::tag_name
    pub fn readable_name(&self, store: impl AsContext) -> String {
        let context = store.as_context();
        let (mut imported, mut index) = (None, None);
        for instance in context.inner().instances() {
            let module = instance.module();
            for tag in (0..module.tags().len() as u32).filter(|&tag| instance.tag(tag) == self.0.as_ptr()) {
                let name = module.tag_name(tag).map(readable);
                if tag < module.imported_tag_count() {
                    imported = imported.or(name);
                } else if let Some(name) = name {
                    return name;
                } else {
                    index = Some(tag);
                }
            }
        }
        let numbered = || index.map(|index| format!("<wasm tag {index}>"));
        imported.or_else(numbered).unwrap_or_else(|| "<host tag>".to_owned())
    }

    /// Returns the function type whose parameters are the arguments of the tag's exceptions.
    pub fn ty(&self, store: impl AsContext) -> Arc<FuncType> {
        let context = store.as_context();
        let ty = context.inner().registry().func_type(self.0.get(context.inner()).type_id);
        ty.expect("a tag's type is a function type")
    }
}
