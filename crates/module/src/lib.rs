//! Stage 1: turns bytes into an `Arc<Module>`, which is decoded, validated and immutable.
//!
//! [`wasmparser`] decodes and validates. This crate keeps the parts that later stages use, as types of
//! [`wasmr_core::types`] with canonical [`TypeId`](wasmr_core::types::TypeId)s, and does not copy the code.
//!
//! - `module`: the [`Module`]; `decls`: its declarations; `bytes`: its binary; `const_expr`: constant expressions as data.
//! - `features`: the table of proposals that decide which modules are valid.
//! - `names`: custom sections and the name section; `extended_names`: the names that only `inspect` shows; `section_map`: the
//!   position of each section. All are read on demand.
//! - [`operator_class`]: the facts about each operator that do not depend on its operands; `fuel_cost`: fuel.
//! - [`op`]: decoded operators as operators of core's table; `builtin`: the table of the operators that the runtime executes.
//! - [`operators`]: the code of a module as text, for display; `operator_text`: one operator.
//! - `text`: accepts `.wat` where a binary is expected; `text_place`: line and column of a fault in it; `text_hints`:
//!   hints for obsolete words of the text format; `legacy_text`: the folded `try` of legacy exceptions.
//! - [`printable`](mod@printable): escaping of foreign text for terminals.
//! - [`binary_checks`]: checks of a binary that modules and components share.
//! - `error`: [`ModuleError`], the reason for a refusal, with offset and function.
//! - `inspection`: [`Inspection`], a module for display only, which may use every feature of the table.
//!
//! Internal: `decode` is the section loop, and `sections` has one function for each section. `validate` checks function
//! bodies on several threads. `outline` decodes a binary that was validated earlier. `required_features` finds the features that
//! a module requires. `types` converts wasmparser's types to core's.
//!
//! # Invariant
//! A [`Module`] exists only if the whole binary is valid. [`Module::new`] validates it; the caller of [`Module::from_outline`]
//! vouches that the same binary was validated earlier. A [`FuncBody`] therefore always holds validated code.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub mod binary_checks;
mod branch_hints;
mod builtin;
mod bytes;
pub mod cast;
mod catches;
mod const_expr;
mod decls;
mod decode;
mod error;
mod extended_names;
mod features;
mod fuel_cost;
mod inspection;
#[cfg(feature = "wat")]
mod legacy_text;
mod module;
mod names;
pub mod op;
pub mod operator_class;
mod operator_text;
pub mod operators;
mod outline;
pub mod printable;
mod required_features;
mod section_map;
mod sections;
mod text;
#[cfg(feature = "wat")]
mod text_hints;
#[cfg(feature = "wat")]
mod text_place;
mod types;
mod validate;

pub use branch_hints::check_branch_hints;
pub use builtin::{AccessImmediate, Builtin, BuiltinCall, BuiltinOperands, BuiltinResult};
pub use bytes::ModuleBytes;
pub use catches::{Clause, ClauseTarget, LegacyTries, LegacyTry};
pub use const_expr::{ConstExpr, ConstOp};
pub use decls::{
    DataMode, DataSegment, ElementItems, ElementMode, ElementSegment, Export, ExternKind, GlobalDecl, Import, TableDecl,
};
pub use error::{Fault, ModuleError};
pub use extended_names::ExtendedNames;
pub use features::{Feature, Features, Standard, UnknownFeature};
pub use fuel_cost::Costs;
pub use inspection::Inspection;
#[cfg(feature = "wat")]
pub use legacy_text::{Unfolded, unfold_tries};
pub use module::{FuncBody, Module, UNNAMED, Validity};
pub use names::{CustomSections, Names};
pub use outline::OutlineMismatch;
pub use section_map::{Producers, Section, SectionMap};
pub use text::bytes_from_input;
#[cfg(not(feature = "wat"))]
pub use text::with_text_place;
#[cfg(feature = "wat")]
pub use text_hints::hint_at;
#[cfg(feature = "wat")]
pub use text_place::with_text_place;
pub use types::{BlockSig, core_extern_type, core_func_type};
