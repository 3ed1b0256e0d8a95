//! Handles: names of objects in a store, for Rust code outside of it.
//!
//! A [`Handle`] is a pointer and the id of its store. Objects live until their store is dropped, and no two stores of a
//! process have the same id. So a handle is valid exactly if the store that it is used with has its id. Every use
//! checks that, and panics with another store, which is a bug of the embedder. After the check, the rest of the crate
//! may follow the pointer.

use std::num::NonZeroU64;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::StoreInner;

/// Identity of a store in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(NonZeroU64);

impl StoreId {
    /// Returns an id that no store had before.
    pub(crate) fn fresh() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        StoreId(NonZeroU64::new(id).expect("2^64 stores were made"))
    }
}

/// A pointer to an object in a store, with the id of the store.
pub(crate) struct Handle<T> {
    object: NonNull<T>,
    store: StoreId,
}

// SAFETY: the pointer is followed only together with a borrow of its store, whose own bounds decide which threads may
// use it.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as for `Send`: without a borrow of its store, a handle gives no access to the object.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object && self.store == other.store
    }
}

impl<T> Eq for Handle<T> {}

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:p}", self.object)
    }
}

impl<T> Handle<T> {
    /// # Safety
    /// `object` stays at this address until the store `store` is dropped. Others reach it only through raw pointers or
    /// handles.
    pub(crate) unsafe fn new(object: NonNull<T>, store: StoreId) -> Handle<T> {
        Handle { object, store }
    }

    pub(crate) fn store_id(self) -> StoreId {
        self.store
    }

    /// Panics unless `store` is the object's.
    #[inline]
    #[track_caller]
    pub(crate) fn check(self, store: &StoreInner) {
        check_store(self.store, store);
    }

    #[inline]
    #[track_caller]
    pub(crate) fn get(self, store: &StoreInner) -> &T {
        self.check(store);
        // SAFETY: the store is alive, hence the object. The shared borrow of the store excludes writers.
        unsafe { self.object.as_ref() }
    }

    #[inline]
    #[track_caller]
    pub(crate) fn get_mut(mut self, store: &mut StoreInner) -> &mut T {
        self.check(store);
        // SAFETY: the store is alive, hence the object. The exclusive borrow of the store makes this the only
        // reference.
        unsafe { self.object.as_mut() }
    }

    /// Returns the address, for the arrays of instances and for the word of a `funcref`.
    pub(crate) fn as_ptr(self) -> *mut T {
        self.object.as_ptr()
    }
}

/// Panics unless an object of store `of` is used with that store.
#[inline]
#[track_caller]
pub(crate) fn check_store(of: StoreId, used_with: &StoreInner) {
    assert!(of == used_with.id(), "an object of one store was used with another store");
}

/// A heap object with a stable address. Owned through a raw pointer, so that pointers to it stay valid when its owner
/// moves.
pub(crate) struct Pinned<T>(NonNull<T>);

impl<T> Pinned<T> {
    pub(crate) fn new(object: T) -> Pinned<T> {
        Pinned(NonNull::from(Box::leak(Box::new(object))))
    }

    pub(crate) fn as_ptr(&self) -> NonNull<T> {
        self.0
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` made it from a box, and only this frees it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
