//! Stage 3a: takes a validated function body, gives its execution. The first tier: runs everything, starts at once.
//!
//! - [`translate`]: operators → instructions, in one pass at a function's first call.
//! - `instr`: the instruction set as a table.
//! - [`execute`]: the handlers of the instructions, threaded through one another.
//! - [`profile`]: samples of what is executed, and what follows from them.
//! - [`copy_patch`]: machine code for functions that are executed often, made of the handlers' own.
//! - [`listing`]: translated code as text, for people.
//! - [`regions`]: the `try_table`s around an instruction; [`loops`]: the loops of a function.
//! - [`code`]: who owns translated code; [`entry`]: the host's way in; [`tier`]: what the runtime asks of a tier.
//!
//! The layouts it works on, instance, function, memory, are [`wasmr_runtime::vm`]'s; the meaning of each numeric operator
//! is [`wasmr_core::ops`]'s; slow operators are [`wasmr_runtime::builtins`].

#![allow(
    improper_ctypes_definitions,
    reason = "handlers pass a vector register to one another only; no other language sees their signature"
)]

mod catch;
pub mod code;
pub mod code_block;
pub mod copy_patch;
pub mod entry;
pub mod execute;
mod hooks;
mod instr;
pub mod listing;
pub mod loops;
pub mod profile;
pub mod regions;
pub mod tier;
pub mod translate;

pub use code::{CodeOptions, ModuleCode};
pub use copy_patch::CopyWhen;
pub use tier::{InterpTier, MAY_FAULT};
