//! Roots that the host holds: [`Rooted`], [`OwnedRooted`] and [`RootScope`].
//!
//! A [`Rooted`] is a place among the roots of the innermost handle scope (see `gc`), and the store's id. It names its object
//! until the scope ends. Afterwards it names nothing, never another object: each use compares the generation of its place. An
//! [`OwnedRooted`] names its object until its last clone is dropped, which needs no store.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use wasmr_core::types::HeapType;

use crate::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
use crate::gc::HandlePlace;
use crate::handle::{StoreId, check_store};
use crate::host_error::stop_from;
use crate::store::StoreInner;

pub(crate) mod sealed {
    /// Only this crate implements [`GcRef`](super::GcRef), because slots are trusted.
    pub trait Sealed {}
}

/// The kind of objects that a [`Rooted`] names: [`AnyRef`](crate::AnyRef), [`EqRef`](crate::EqRef),
/// [`StructRef`](crate::StructRef), [`ArrayRef`](crate::ArrayRef), [`ExternRef`](crate::ExternRef) or
/// [`ExnRef`](crate::ExnRef).
pub trait GcRef: sealed::Sealed + 'static {
    /// The type of all objects of the kind.
    const HEAP_TYPE: HeapType;
    /// Name of the Rust type, for debugging output.
    #[doc(hidden)]
    const NAME: &'static str;
}

/// Declares kinds of objects: `documentation, Rust type = heap type`.
macro_rules! gc_refs {
    ($($(#[$meta:meta])* $name:ident = $heap:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}

        impl $crate::rooted::sealed::Sealed for $name {}

        impl $crate::rooted::GcRef for $name {
            const HEAP_TYPE: wasmr_core::types::HeapType = wasmr_core::types::HeapType::$heap;
            const NAME: &'static str = stringify!($name);
        }
    )*};
}
pub(crate) use gc_refs;

/// The error of using a reference whose handle scope has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reference is no longer rooted: its handle scope has ended")]
pub struct Unrooted;

stop_from! { Unrooted }

/// A reference that keeps its object alive until the innermost handle scope ends.
///
/// Each call of a host function is a handle scope; [`Store::scope`](crate::Store::scope) and [`RootScope`] open others. A
/// reference obtained outside of all scopes lasts until the store is dropped. To keep an object beyond the scope, use
/// [`to_owned_rooted`](Rooted::to_owned_rooted).
///
/// Two references are equal if they name the same object of the same store. An unboxed integer equals the same integer.
///
/// # Examples
/// ```
/// use wasmr::{Engine, ExternRef, Store, Unrooted};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut store = Store::new(&Engine::default(), ());
/// let (lost, kept) = store.scope(|store| {
///     let reference = ExternRef::new(&mut *store, "a value of the host")?;
///     Ok::<_, Box<dyn std::error::Error>>((reference, reference.to_owned_rooted(&mut *store)?))
/// })?;
/// assert!(lost.data(&store).is_none());
/// assert_eq!(lost.to_owned_rooted(&mut store).err(), Some(Unrooted));
///
/// let kept = kept.to_rooted(&mut store);
/// assert_eq!(kept.data(&store).unwrap().downcast_ref(), Some(&"a value of the host"));
/// # Ok(())
/// # }
/// ```
pub struct Rooted<T: GcRef> {
    place: HandlePlace,
    store: StoreId,
    marker: PhantomData<fn() -> T>,
}

impl<T: GcRef> Clone for Rooted<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: GcRef> Copy for Rooted<T> {}

impl<T: GcRef> PartialEq for Rooted<T> {
    fn eq(&self, other: &Self) -> bool {
        // Objects do not move.
        self.place.reference == other.place.reference && self.store == other.store
    }
}

impl<T: GcRef> Eq for Rooted<T> {}

impl<T: GcRef> fmt::Debug for Rooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#x})", T::NAME, self.place.reference)
    }
}

impl<T: GcRef> Rooted<T> {
    /// Returns the reference in a slot, rooted in the innermost handle scope; `None` for null. The reference is of kind `T`.
    pub(crate) fn from_slot(store: &mut StoreInner, slot: u64) -> Option<Rooted<T>> {
        if slot == 0 {
            return None;
        }
        Some(Rooted::from_object(store, slot))
    }

    /// Returns a reference that is not null, rooted in the innermost handle scope. It is of kind `T`.
    pub(crate) fn from_object(store: &mut StoreInner, slot: u64) -> Rooted<T> {
        Rooted { place: store.heap.add_handle(slot), store: store.id(), marker: PhantomData }
    }

    /// Returns the same root as a reference of another kind. The object is of that kind.
    pub(crate) fn cast<U: GcRef>(self) -> Rooted<U> {
        Rooted { place: self.place, store: self.store, marker: PhantomData }
    }

    pub(crate) fn store_id(self) -> StoreId {
        self.store
    }

    /// Returns the reference in slot form.
    ///
    /// # Errors
    /// If its handle scope has ended.
    ///
    /// # Panics
    /// If the reference is of another store.
    #[track_caller]
    pub(crate) fn slot(self, store: &StoreInner) -> Result<u64, Unrooted> {
        check_store(self.store, store);
        store.heap.handle(self.place).ok_or(Unrooted)
    }

    /// Returns true if both references name the same object, or the same unboxed integer: `ref.eq`.
    ///
    /// # Errors
    /// If the handle scope of one has ended.
    ///
    /// # Panics
    /// If one is of another store.
    pub fn ref_eq<U: GcRef>(store: impl AsContext, a: &Rooted<T>, b: &Rooted<U>) -> Result<bool, Unrooted> {
        let context = store.as_context();
        Ok(a.slot(context.inner())? == b.slot(context.inner())?)
    }

    /// Returns a reference that keeps the object alive until it is dropped.
    ///
    /// # Errors
    /// If the handle scope of this reference has ended.
    ///
    /// # Panics
    /// If the reference is of another store.
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>, Unrooted> {
        let mut context = store.as_context_mut();
        let store = context.inner_mut();
        let reference = self.slot(store)? as u32;
        let root = store.heap.add_owned(reference);
        Ok(OwnedRooted { reference, root, store: store.id(), marker: PhantomData })
    }
}

/// A reference that keeps its object alive until the last clone of the reference is dropped.
///
/// See [`Rooted`] for an example.
pub struct OwnedRooted<T: GcRef> {
    reference: u32,
    /// The heap has another clone, and drops the root when that is the only one.
    root: Arc<()>,
    store: StoreId,
    marker: PhantomData<fn() -> T>,
}

impl<T: GcRef> Clone for OwnedRooted<T> {
    fn clone(&self) -> Self {
        OwnedRooted { reference: self.reference, root: self.root.clone(), store: self.store, marker: PhantomData }
    }
}

impl<T: GcRef> fmt::Debug for OwnedRooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#x})", T::NAME, self.reference)
    }
}

impl<T: GcRef> OwnedRooted<T> {
    /// Returns the reference, rooted in the innermost handle scope.
    ///
    /// # Panics
    /// If the reference is of another store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Rooted<T> {
        let mut context = store.as_context_mut();
        check_store(self.store, context.inner());
        Rooted::from_object(context.inner_mut(), self.reference.into())
    }
}

/// A handle scope that lasts as long as the value.
///
/// The scope borrows or owns the store, and stands for it meanwhile. [`Store::scope`](crate::Store::scope) is the same for a
/// closure.
///
/// # Examples
/// ```
/// use wasmr::{AnyRef, Engine, I31, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// for number in 0..1000 {
///     let mut scope = RootScope::new(&mut store);
///     let reference = AnyRef::from_i31(&mut scope, I31::wrapping_u32(number));
///     assert!(reference.is_i31(&scope).unwrap());
///     // The end of the scope releases the reference.
/// }
/// ```
pub struct RootScope<C: AsContextMut> {
    pub(crate) context: C,
    start: usize,
}

impl<C: AsContextMut> RootScope<C> {
    /// Opens a handle scope.
    pub fn new(mut context: C) -> RootScope<C> {
        let start = context.as_context_mut().inner_mut().heap.open_scope();
        RootScope { context, start }
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        self.context.as_context_mut().inner_mut().heap.close_scope(self.start);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.context.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.context.as_context_mut()
    }
}

impl<C: AsContextMut> fmt::Debug for RootScope<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootScope").finish_non_exhaustive()
    }
}
