//! Ways to lend a store to a call: [`AsContext`] and [`AsContextMut`], as users of wasmtime know them.
//!
//! A `&Store`, `&mut Store`, [`Caller`](crate::host::Caller) and the contexts themselves all do. A context holds the
//! store's own address rather than a reference to it: while wasm runs, generated code and host functions reach the same
//! store through raw pointers, and a Rust reference further up the stack must not claim to be the only way.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::store::StoreInner;

/// Marks a type as bound to this very `T`, not to a subtype or supertype of it.
pub(crate) type Invariant<T> = PhantomData<fn(T) -> T>;

/// A store lent for reading.
pub struct StoreContext<'a, T> {
    inner: NonNull<StoreInner>,
    lent: PhantomData<&'a StoreInner>,
    data: Invariant<T>,
}

/// A store lent for anything.
pub struct StoreContextMut<'a, T> {
    inner: NonNull<StoreInner>,
    lent: PhantomData<&'a mut StoreInner>,
    data: Invariant<T>,
}

/// Whatever can lend a store for reading.
pub trait AsContext {
    /// The embedder's data in the store.
    type Data;

    /// Lends the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Whatever can lend a store for anything.
pub trait AsContextMut: AsContext {
    /// Lends the store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<'a, T> StoreContext<'a, T> {
    /// # Safety
    /// The store is alive, has data of type `T`, and nobody changes it during `'a`.
    pub(crate) unsafe fn new(inner: NonNull<StoreInner>) -> StoreContext<'a, T> {
        StoreContext { inner, lent: PhantomData, data: PhantomData }
    }

    pub(crate) fn inner(&self) -> &'a StoreInner {
        // SAFETY: the contract of `new`.
        unsafe { self.inner.as_ref() }
    }

    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        // SAFETY: the contract of `new`: alive, of type `T`, unchanged during `'a`.
        unsafe { self.inner().data().cast::<T>().as_ref() }
    }
}

impl<'a, T> StoreContextMut<'a, T> {
    /// # Safety
    /// The store is alive, has data of type `T`, and is used through this context alone during `'a`.
    pub(crate) unsafe fn new(inner: NonNull<StoreInner>) -> StoreContextMut<'a, T> {
        StoreContextMut { inner, lent: PhantomData, data: PhantomData }
    }

    /// The store's address, from which everything that outlives a Rust borrow must be derived.
    pub(crate) fn root(&self) -> NonNull<StoreInner> {
        self.inner
    }

    pub(crate) fn inner(&self) -> &StoreInner {
        // SAFETY: the contract of `new`.
        unsafe { self.inner.as_ref() }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner {
        // SAFETY: the contract of `new`, and the borrow of `self` is exclusive.
        unsafe { self.inner.as_mut() }
    }

    /// The store for as long as it was lent.
    pub(crate) fn into_inner(mut self) -> &'a mut StoreInner {
        // SAFETY: the contract of `new`; the context is used up.
        unsafe { self.inner.as_mut() }
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        // SAFETY: the contract of `new`.
        unsafe { self.inner().data().cast::<T>().as_ref() }
    }

    /// The embedder's data, to change.
    pub fn data_mut(&mut self) -> &mut T {
        // SAFETY: the contract of `new`, and the borrow of `self` is exclusive.
        unsafe { self.inner().data().cast::<T>().as_mut() }
    }

    /// The embedder's data for as long as the store was lent, beside the rest of the store.
    pub(crate) fn split(mut self) -> (&'a mut StoreInner, &'a mut T) {
        // SAFETY: the contract of `new`; the data is an allocation of its own, so the two do not overlap.
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
