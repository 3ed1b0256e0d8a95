//! Stage 0: the words of the WebAssembly specification. Takes nothing, gives every later stage its vocabulary.
//!
//! - [`types`]: value, reference, function and composite types, with [`TypeId`](types::TypeId)s that are canonical
//!   across modules; [`registry`] hands them out, [`subtype`] says which type may stand where another is expected.
//! - [`value`]: [`V128`](value::V128), typed [`Val`](value::Val)s and what a value looks like in an untyped 8-byte slot.
//! - [`trap`]: every way a guest can trap, with the spec's text.
//! - [`op`] and [`ops`]: one row and one plain function per numeric operator and per access to memory. The interpreter and
//!   constant expressions call that function; compiled code is tested against it.
//! - [`count`]: numbers with their nouns, for messages.
//! - [`fuel`]: what execution costs, the same in every tier.
//! - [`limits`]: implementation limits, each with its reason.
#![deny(unsafe_code)]

pub mod count;
pub mod fuel;
pub mod limits;
pub mod op;
pub mod ops;
pub mod registry;
pub mod subtype;
pub mod trap;
pub mod types;
pub mod value;
