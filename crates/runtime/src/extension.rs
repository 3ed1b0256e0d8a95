//! Access to a store for a layer above this crate, such as that of components: its state, beside a memory and the embedder's data, and
//! two memories at once.

use std::any::Any;
use std::ptr;

use crate::context::{AsContextMut, StoreContextMut};
use crate::layer_state::LayerState;
use crate::memory::Memory;

/// Parts of a store that do not overlap.
#[derive(Debug)]
pub struct Parts<'a, E, T> {
    /// The bytes of the memory; empty if none was asked for.
    pub memory: &'a mut [u8],
    /// The state of the layer.
    pub extension: &'a mut E,
    /// The embedder's data.
    pub data: &'a mut T,
}

/// The bytes of two memories of a store.
#[derive(Debug)]
pub enum MemoryPair<'a> {
    /// Both are the same memory.
    Same(&'a mut [u8]),
    /// A memory to read, and one to write.
    Two(&'a [u8], &'a mut [u8]),
}

impl<'a, T> StoreContextMut<'a, T> {
    /// Returns the store without the type of its data.
    #[doc(hidden)]
    #[inline]
    pub fn without_data(self) -> StoreContextMut<'a, ()> {
        // SAFETY: the store lives and is used through this context alone during `'a`, as the caller of `new` promised. Data of type
        // `()` has no bytes, so that any non-null pointer is one to it.
        unsafe { StoreContextMut::new(self.root()) }
    }

    /// Returns the state that a layer above keeps in the store, which is created if there is none.
    ///
    /// # Panics
    /// If the store has state of another type.
    #[doc(hidden)]
    #[inline]
    pub fn extension<E: Any + Default + Send + Sync>(&mut self) -> &mut E {
        self.inner_mut().extension.get_or_insert_with(LayerState::new::<E>).get()
    }

    /// Returns the store's state for the whole borrow, as [`extension`](StoreContextMut::extension) does, the bytes of a memory, and the
    /// embedder's data.
    ///
    /// # Panics
    /// If the store has state of another type, or the memory is of another store.
    #[doc(hidden)]
    #[inline]
    pub fn into_parts<E: Any + Default + Send + Sync>(self, memory: Option<Memory>) -> Parts<'a, E, T> {
        let (store, data) = self.split();
        let memory: *mut [u8] = match memory {
            Some(memory) => memory.0.get_mut(store).bytes_mut(),
            None => ptr::slice_from_raw_parts_mut(ptr::NonNull::dangling().as_ptr(), 0),
        };
        let extension = store.extension.get_or_insert_with(LayerState::new::<E>).get();
        // SAFETY: the bytes of a memory are a mapping of their own, which is no part of the boxed extension. Both are borrowed
        // through `self` alone during `'a`, in which no guest code runs and no memory grows.
        Parts { memory: unsafe { &mut *memory }, extension, data }
    }
}

impl Memory {
    /// Returns the contents of this memory to read, and those of `target` to write.
    ///
    /// # Panics
    /// If one of them is of another store.
    #[doc(hidden)]
    pub fn with_target<'a, C: AsContextMut>(&self, store: &'a mut C, target: Memory) -> MemoryPair<'a> {
        let store = store.as_context_mut().into_inner();
        let bytes: *const [u8] = self.0.get(store).bytes();
        let written = target.0.get_mut(store).bytes_mut();
        if *self == target {
            return MemoryPair::Same(written);
        }
        // SAFETY: different memories have mappings of their own. Both are borrowed through `store` alone during `'a`, in which no
        // guest code runs and no memory grows.
        MemoryPair::Two(unsafe { &*bytes }, written)
    }
}
