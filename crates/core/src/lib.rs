//! Stage 0: the vocabulary of the WebAssembly specification, for all later stages.
//!
//! - [`types`]: value, reference, function and composite types, with [`TypeId`](types::TypeId)s that are canonical
//!   across modules. [`registry`] assigns the ids, [`subtype`] has the matching rules, [`type_text`] prints types.
//! - [`value`]: vectors ([`V128`](value::V128)), and the form of a value in untyped 8-byte slots.
//! - [`layout`]: the places of fields and elements in objects of the heap.
//! - [`trap`]: the traps, with the specification's texts.
//! - [`op`] and [`ops`]: one table row and one plain function per numeric operator and per memory access. The interpreter
//!   and constant expressions call that function; tests compare compiled code with it.
//! - [`encoding`]: numbers and lists as bytes, for tables that outlive the process.
//! - [`count`]: numbers with their nouns, for messages. [`edit_distance`]: how similar two names are.
//! - [`fuel`]: the fuel costs, the same in every tier.
//! - [`limits`]: implementation limits, each with its reason.
#![deny(unsafe_code)]
#![warn(unreachable_pub)]

pub mod count;
pub mod edit_distance;
pub mod encoding;
pub mod fuel;
pub mod layout;
pub mod limits;
pub mod op;
pub mod ops;
pub mod registry;
pub mod subtype;
pub mod trap;
pub mod type_text;
pub mod types;
pub mod value;
