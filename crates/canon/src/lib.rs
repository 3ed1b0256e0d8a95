//! Takes a decoded component and the code of its core modules, and makes live component instances: stage 3 of components, beside
//! `wasmr_runtime` for core modules. This crate names no tier.
//!
//! # The tour
//! - A [`LoadedComponent`] is linked by a [`Linker`]: `matching` finds a definition for each item of the host that the component uses,
//!   and reports all that are missing or do not fit. The result is a [`ComponentPre`], which `instantiate` makes an [`Instance`].
//! - `state` is what the store keeps: flags and handle tables of component instances. `handles`, `borrow` and `resource` are the
//!   resources.
//! - `abi` walks types to pass values. A [`Val`] is a value of any type; `typed` passes Rust types.
//! - `func` calls a guest's export. `lower` answers a guest's call of an import: the import is a function of the host (`host_func`), a
//!   function of another component instance, or one of the `builtins`. `call` is the only call of core functions.
//! - `error` is the reason why a value could not be passed. `item_types` are the types of imports and exports for embedders.
//!
//! # Invariants
//! Values of a guest are checked before they are used, so a guest can neither make the host panic nor make it allocate more than its
//! budget. Whatever ends a call early leaves the component instances that it was in unusable.
#![deny(unsafe_code)]
#![warn(unreachable_pub)]

mod abi;
mod borrow;
mod builtins;
#[allow(unsafe_code)]
mod call;
mod error;
mod func;
mod handles;
mod host_func;
mod instance;
#[allow(unsafe_code)]
mod instantiate;
mod item_types;
mod linker;
mod loaded;
mod lower;
mod macros;
mod matching;
mod pre;
#[doc(hidden)]
pub mod private;
mod resource;
mod state;
mod typed;
mod value;

pub use abi::{Budget, FlatIn, FlatOut, LiftCx, LowerCx};
pub use error::{AbiError, ValueError};
pub use func::{Func, FuncTypeError, TypedFunc};
pub use instance::{ExportError, Instance};
pub use item_types::{ComponentFunc, ComponentInstance, ComponentItem, Type, TypeKind};
pub use linker::{Linker, LinkerInstance, NameTaken};
pub use loaded::LoadedComponent;
pub use matching::{ComponentLinkError, ImportFailure};
pub use pre::{ComponentPre, InstantiateError};
pub use resource::{Resource, ResourceAny, ResourceType};
pub use typed::{
    Abi, ComponentType, GuestBytes, Interface, Lift, LiftParams, LiftPayload, LiftReturn, Lower, LowerParams,
    LowerPayload, LowerReturn, Params, Payload,
};
pub use value::{List, Val};
