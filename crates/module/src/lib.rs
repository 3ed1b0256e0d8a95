//! Stage 1: takes bytes, gives an `Arc<Module>`: decoded, validated, immutable.
//!
//! [`wasmparser`] reads and checks everything; this crate keeps what later stages need of it, in their words
//! ([`wasmr_core::types`], canonical [`TypeId`](wasmr_core::types::TypeId)s) and without copying the code.
//!
//! - `module`: the [`Module`]; `decls`: its declarations; `bytes`: its binary; `const_expr`: constant expressions as data.
//! - `features`: the table of proposals that decide which modules are valid.
//! - `names`: custom sections and the name section, `layout`: where the sections lie; read only when asked for.
//! - [`operator_class`]: the facts about each operator that hold whatever it computes; `cost`: fuel.
//! - [`op`]: decoded operators as operators of core's table; `builtin`: the table of the operators that the runtime executes.
//! - [`operators`]: code as text, for people; `operator_text`: one operator.
//! - `text`: accepts `.wat` where a binary is expected; `text_place`: where in it a fault stands; `text_hints`:
//!   what stands for words that were given up.
//! - [`printable`](mod@printable): foreign text made fit to be shown.
//! - `error`: [`ModuleError`], always the fault of the bytes, with offset and function.
//! - `inspection`: [`Inspection`], a module to look at, whatever it needs.
//!
//! Inside: `decode` is the section loop, `sections` has one function a section, `validate` checks function bodies on
//! several threads, `execution` refuses what no tier executes, `needs` finds out which features a module needs, `types` turns wasmparser's types into core's.
//!
//! # Invariant
//! A [`Module`] exists only if every byte of it was accepted: no [`FuncBody`] can be had of code that was not validated.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

mod builtin;
mod bytes;
mod const_expr;
mod cost;
mod decls;
mod decode;
mod error;
mod execution;
mod features;
mod inspection;
mod layout;
mod module;
mod names;
mod needs;
pub mod op;
pub mod operator_class;
mod operator_text;
pub mod operators;
pub mod printable;
mod sections;
mod text;
#[cfg(feature = "wat")]
mod text_hints;
#[cfg(feature = "wat")]
mod text_place;
mod types;
mod validate;

pub use builtin::{Builtin, BuiltinCall, BuiltinOperands, BuiltinResult};
pub use bytes::ModuleBytes;
pub use const_expr::{ConstExpr, ConstOp};
pub use cost::Costs;
pub use decls::{
    DataMode, DataSegment, ElementItems, ElementMode, ElementSegment, Export, ExternKind, GlobalDecl, Import, TableDecl,
};
pub use error::{Fault, ModuleError};
pub use features::{Feature, Features, Lacks, UnknownFeature};
pub use inspection::Inspection;
pub use layout::{Producers, Section, Sections};
pub use module::{FuncBody, Module, UNNAMED};
pub use names::{CustomSections, Names};
pub use text::bytes_from_input;
#[cfg(not(feature = "wat"))]
pub use text::with_text_place;
#[cfg(feature = "wat")]
pub use text_hints::hint_at;
#[cfg(feature = "wat")]
pub use text_place::with_text_place;
pub use types::BlockSig;
