//! Borrows of a store for a call: [`AsContext`] and [`AsContextMut`], as in wasmtime's API.
//!
//! `&Store`, `&mut Store`, [`Caller`](crate::host::Caller) and the contexts themselves implement them. A context holds
//! the store's own address rather than a reference. While wasm runs, compiled code and host functions reach the same
//! store through raw pointers, and a Rust reference further up the stack must not claim exclusive access.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::interrupt::InterruptHandle;
use crate::store::{StoreConfig, StoreInner};

/// Makes a type invariant in `T`: bound to `T` itself, not to a subtype or supertype of it.
pub(crate) type Invariant<T> = PhantomData<fn(T) -> T>;

/// A shared borrow of a store.
pub struct StoreContext<'a, T> {
    inner: NonNull<StoreInner>,
    lent: PhantomData<&'a StoreInner>,
    data: Invariant<T>,
}

/// An exclusive borrow of a store.
pub struct StoreContextMut<'a, T> {
    inner: NonNull<StoreInner>,
    lent: PhantomData<&'a mut StoreInner>,
    data: Invariant<T>,
}

/// A source of shared borrows of a store.
pub trait AsContext {
    /// The embedder's data in the store.
    type Data;

    /// Borrows the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// A source of exclusive borrows of a store.
pub trait AsContextMut: AsContext {
    /// Borrows the store exclusively.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<'a, T> StoreContext<'a, T> {
    /// # Safety
    /// The store is alive, has data of type `T`, and does not change during `'a`.
    pub(crate) unsafe fn new(inner: NonNull<StoreInner>) -> StoreContext<'a, T> {
        StoreContext { inner, lent: PhantomData, data: PhantomData }
    }

    pub(crate) fn inner(&self) -> &'a StoreInner {
        // SAFETY: the caller of `new` promised that the store lives and does not change during `'a`.
        unsafe { self.inner.as_ref() }
    }

    /// Returns the configuration of a store for another thread of the same guest. The limits bound both stores together.
    pub fn config_for_thread(&self) -> StoreConfig {
        self.inner().config_for_thread()
    }

    /// Returns the embedder's data.
    pub fn data(&self) -> &'a T {
        // SAFETY: the caller of `new` promised data of type `T` that lives and does not change during `'a`.
        unsafe { self.inner().data().cast::<T>().as_ref() }
    }
}

impl<'a, T> StoreContextMut<'a, T> {
    /// # Safety
    /// The store is alive, has data of type `T`, and is used through this context alone during `'a`.
    pub(crate) unsafe fn new(inner: NonNull<StoreInner>) -> StoreContextMut<'a, T> {
        StoreContextMut { inner, lent: PhantomData, data: PhantomData }
    }

    /// Returns the store's address, from which every pointer that outlives a Rust borrow must be derived.
    pub(crate) fn root(&self) -> NonNull<StoreInner> {
        self.inner
    }

    pub(crate) fn inner(&self) -> &StoreInner {
        // SAFETY: the caller of `new` promised a live store that is used through this context alone, which `self`
        // borrows.
        unsafe { self.inner.as_ref() }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner {
        // SAFETY: the caller of `new` promised a live store that is used through this context alone, which `self`
        // borrows exclusively.
        unsafe { self.inner.as_mut() }
    }

    /// Returns the store for the whole borrow.
    pub(crate) fn into_inner(mut self) -> &'a mut StoreInner {
        // SAFETY: the caller of `new` promised a live store that is used through this context alone during `'a`. The
        // context is consumed.
        unsafe { self.inner.as_mut() }
    }

    /// Returns the embedder's data.
    pub fn data(&self) -> &T {
        // SAFETY: the caller of `new` promised data of type `T` that is used through this context alone, which `self`
        // borrows.
        unsafe { self.inner().data().cast::<T>().as_ref() }
    }

    /// Returns the embedder's data for writing.
    pub fn data_mut(&mut self) -> &mut T {
        // SAFETY: the caller of `new` promised data of type `T` that is used through this context alone, which `self`
        // borrows exclusively.
        unsafe { self.inner().data().cast::<T>().as_mut() }
    }

    /// Returns the handle by which another thread can end the run, for host functions that wait; `None` if only the store has
    /// it, so that there is nothing to watch.
    pub fn interrupt_handle(&self) -> Option<&InterruptHandle> {
        Some(self.inner().interrupt()).filter(|handle| handle.is_shared())
    }

    /// Returns the store and the embedder's data for the whole borrow.
    pub(crate) fn split(mut self) -> (&'a mut StoreInner, &'a mut T) {
        // SAFETY: the caller of `new` promised a live store, with data of type `T`, that is used through this context
        // alone during `'a`. The data is an allocation of its own, so that the references do not overlap.
        unsafe {
            let data = self.inner.as_ref().data().cast::<T>().as_mut();
            (self.inner.as_mut(), data)
        }
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { inner: self.inner, lent: PhantomData, data: PhantomData }
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { inner: self.inner, lent: PhantomData, data: PhantomData }
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut { inner: self.inner, lent: PhantomData, data: PhantomData }
    }
}

impl<C: AsContext + ?Sized> AsContext for &C {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, Self::Data> {
        (**self).as_context()
    }
}

impl<C: AsContext + ?Sized> AsContext for &mut C {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, Self::Data> {
        (**self).as_context()
    }
}

impl<C: AsContextMut + ?Sized> AsContextMut for &mut C {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data> {
        (**self).as_context_mut()
    }
}
