//! Stage 3a: takes a validated function body and executes it. The interpreter is the first tier: it runs every operator, and starts
//! without delay.
//!
//! - `translate`: operators → instructions, in one pass at a function's first call.
//! - `instr`: the instruction set as a table.
//! - [`execute`]: the handlers of the instructions, threaded through one another.
//! - [`profile`]: the samples of a profile, and their effects.
//! - [`copy_patch`]: machine code for hot functions, made of copies of the handlers.
//! - [`listing`]: translated code as text, for people.
//! - [`regions`]: the `try_table`s around an instruction; [`loops`]: the loops of a function.
//! - [`code`]: the translated functions of a module; [`entry`]: the entry from the host; [`tier`]: the interpreter as a tier.
//!
//! The layouts of instances, functions and memories are in [`wasmr_runtime::vm`], the numeric operators in [`wasmr_core::ops`], and
//! the slow operators in [`wasmr_runtime::builtins`].

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
pub(crate) mod translate;

pub use code::{CodeOptions, ModuleCode};
pub use copy_patch::CopyWhen;
pub use tier::{InterpTier, MAY_FAULT};
