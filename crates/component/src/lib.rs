//! Decodes [components](https://component-model.bytecodealliance.org): takes the bytes of a component, gives an immutable
//! [`Component`].
//!
//! Nested components vanish: their instantiations are executed symbolically at load. The result is one list of [`Step`]s, which
//! instantiation executes in order, and in which every core import is resolved to a [`CoreDef`].
//!
//! - `decode`: the section loop; `flatten`: the symbolic execution; `error`: [`ComponentError`], the reason for a refusal.
//! - `types`: the value and function types of the component model, interned.
//! - `shape`: the layout of each value type in linear memory and in core values.
//! - `component`: the result. `compose`: which plug provides which import.
//! - `names`: versions of interfaces, and functions of resources. `wit`: text of imports and exports;
//!   `type_text`: text of types in messages.

#![forbid(unsafe_code)]

mod component;
mod compose;
mod decode;
mod error;
mod flatten;
mod index;
mod names;
mod shape;
mod type_text;
mod types;
mod wit;

pub use component::{
    Builtin, Component, CoreArgs, CoreDef, CoreFuncType, CoreItem, DefinedResource, ExportItem, Exports, FuncDef,
    Import, ImportItem, ImportPath, InstanceType, Lift, Lowering, ModuleDef, NamedArg, Options, Part, Plug,
    ResourceDef, Step, StringEncoding,
};
pub use compose::{ComposeError, PlugError, PlugFailure};
pub use error::ComponentError;
pub use index::{
    BuiltinId, CoreInstanceId, FuncTypeId, ImportPathId, InstanceId, LiftId, LoweringId, ModuleId, OptionsId,
    ResourceId, TypeId,
};
pub use names::{FuncName, InterfaceName, NameMap};
pub use shape::{FlatType, FuncShape, Layout, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, Shape, discriminant_size, flags_size};
pub use type_text::{ResourceNames, func_type_text, named_func_type_text, named_val_type_text, val_type_text};
pub use types::{Case, Field, FuncType, TypeDef, TypeTooLarge, Types};
pub use wit::{World, WorldItem};
