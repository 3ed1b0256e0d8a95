//! Resource types and the embedder's handles: [`ResourceType`], [`ResourceAny`], [`Resource`].
//!
//! A resource type is generative: each instantiation of a component makes types of its own. Two types are equal if they are of one
//! store, one instantiation and one definition, or the same type of the host.

use std::any::{Any, TypeId as RustType};
use std::marker::PhantomData;
use std::sync::Arc;

use wasmr_runtime::{AsContextMut, Func as CoreFunc, Stop, StoreContextMut};

use crate::error::{AbiError, Place, Result};
use crate::handles::Handle;
use crate::state::{InstanceKey, State};

/// A resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub(crate) TypeOf);

/// The definition of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TypeOf {
    /// A type of the host, by a Rust type.
    Host(RustType),
    /// A type of the host, by a number.
    HostNumber(u32),
    /// A type that a component instance defines.
    Guest {
        /// Number of the store in the process.
        store: u64,
        /// Number of the instantiation in the store.
        instantiation: u64,
        /// Index of the resource in the component.
        index: u32,
    },
}

impl ResourceType {
    /// Returns the resource type of the host for which a Rust type stands.
    pub fn host<R: 'static>() -> ResourceType {
        ResourceType(TypeOf::Host(RustType::of::<R>()))
    }

    /// Returns the resource type of the host with a number, for hosts that learn of their types at run time.
    pub fn host_dynamic(number: u32) -> ResourceType {
        ResourceType(TypeOf::HostNumber(number))
    }
}

/// A resource type in a store: its position in [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceKey(pub(crate) u32);

/// A resource type in a store.
pub(crate) struct ResourceInfo {
    pub(crate) ty: ResourceType,
    /// The component instance that implements it; `None` for the host.
    pub(crate) implementer: Option<InstanceKey>,
    pub(crate) dtor: Option<CoreFunc>,
    /// Destructor of the host, for the type of the store's data.
    pub(crate) host_dtor: Option<ErasedDtor>,
}

/// A [`HostDtor`] without the type of the store's data.
pub(crate) type ErasedDtor = Arc<dyn Any + Send + Sync>;

/// A destructor of the host, which gets the representation.
pub(crate) type HostDtor<T> = Arc<dyn Fn(StoreContextMut<'_, T>, u32) -> std::result::Result<(), Stop> + Send + Sync>;

/// A resource that the embedder has: an owned one of any type, or one that was lent for a call.
///
/// An owned resource that the embedder neither passes on nor [drops](ResourceAny::resource_drop) lives as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceAny {
    pub(crate) ty: ResourceType,
    pub(crate) rep: u32,
    pub(crate) origin: Origin,
}

/// The way in which the embedder got a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Owned: the index in the embedder's handle table.
    Owned(u32),
    /// Lent: the id of the call's scope.
    Lent(u64),
}

impl ResourceAny {
    /// Returns the type.
    pub fn ty(&self) -> ResourceType {
        self.ty
    }

    /// Returns true if the embedder owns it, so that it can be passed on.
    pub fn owned(&self) -> bool {
        matches!(self.origin, Origin::Owned(_))
    }

    /// Drops an owned resource: its destructor runs.
    ///
    /// # Errors
    /// If the resource is not owned, was passed on before, or its destructor fails.
    pub fn resource_drop<C: AsContextMut<Data: 'static>>(self, mut store: C) -> std::result::Result<(), Stop> {
        let mut context = store.as_context_mut();
        let state = context.extension::<State>();
        let (key, rep) = self.take(state).map_err(|error| error.into_stop("resource-drop", Place::Call))?;
        crate::builtins::destroy(context, key, rep, None)
    }

    /// Removes an owned resource from the embedder's handles.
    pub(crate) fn take(self, state: &mut State) -> Result<(ResourceKey, u32)> {
        let (index, handle) = self.find(state)?;
        if handle.lends != 0 {
            return Err(AbiError::host("cannot remove owned resource while borrowed"));
        }
        state.host.remove(index);
        Ok((handle.ty, handle.rep))
    }

    /// Returns the embedder's handle of an owned resource, with its index.
    pub(crate) fn find(self, state: &mut State) -> Result<(u32, Handle)> {
        let Origin::Owned(index) = self.origin else {
            return Err(AbiError::host("a resource that was lent for a call is not owned"));
        };
        let handle = state.host.get(index).map(|handle| *handle).ok();
        let is_it = |handle: &Handle| state.resources[handle.ty.0 as usize].ty == self.ty && handle.rep == self.rep;
        match handle.filter(is_it) {
            Some(handle) => Ok((index, handle)),
            None => Err(AbiError::host("the resource was passed on or dropped before")),
        }
    }
}

/// A resource of the host: a number that stands for an `R`.
///
/// The host chooses the number, commonly an index in a table of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource<R> {
    rep: u32,
    is_owned: bool,
    marker: PhantomData<fn() -> R>,
}

impl<R: 'static> Resource<R> {
    /// Returns a resource that a host function gives away as `own`.
    pub fn new_own(rep: u32) -> Resource<R> {
        Resource { rep, is_owned: true, marker: PhantomData }
    }

    /// Returns a resource that a host lends as `borrow`.
    pub fn new_borrow(rep: u32) -> Resource<R> {
        Resource { rep, is_owned: false, marker: PhantomData }
    }

    /// Returns the number.
    pub fn rep(&self) -> u32 {
        self.rep
    }

    /// Returns true if it came as `own`: the receiver is responsible for its end.
    pub fn owned(&self) -> bool {
        self.is_owned
    }
}
