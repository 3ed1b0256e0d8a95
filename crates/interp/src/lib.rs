//! Stage 3a: takes a validated function body and executes it. The interpreter is the first tier: it runs every operator, and
//! starts without delay.
//!
//! From below to above:
//!
//! - `execute`: the handlers of the instructions. Each jumps to the next one.
//! - `instr`: the instruction set, a table of the handlers.
//! - `translate`: operators → instructions, in one pass at a function's first call.
//! - `code_block`: the code of one function; `regions`, `loops`: its `try_table`s and loops.
//! - `baseline`: the baseline compiler: machine code, made in one pass over a function's instructions.
//! - `machine_code`: the functions that get such code, and the memory of it.
//! - `paired_call`: calls and returns in such code.
//! - `code`: the code of a module, shared by its instances.
//! - `profile`: samples of the functions that are executed, and their effects; `catch`: the search for a catch clause.
//! - `hooks`: the calls from handlers to the above.
//! - `entry`: the host's way in; `tier`: the answers to the questions that a store asks of a tier.
//! - `listing`: translated code as text, baseline code for a disassembler.
//!
//! The layouts of instances, functions and memories are in [`wasmr_runtime::vm`], the meaning of each numeric operator in
//! [`wasmr_core::ops`], slow operators in [`wasmr_runtime::builtins`].

#![warn(unreachable_pub)]
#![allow(
    improper_ctypes_definitions,
    reason = "handlers pass a vector register to one another only; no other language sees their signature"
)]

#[cfg(wasmr_baseline)]
mod baseline;
mod catch;
mod code;
mod code_block;
mod entry;
mod execute;
mod hooks;
mod instr;
mod listing;
mod loops;
mod machine_code;
#[cfg(wasmr_baseline)]
mod paired_call;
mod profile;
mod regions;
mod sample_clock;
#[cfg(test)]
mod test_program;
mod tier;
mod translate;

pub use code::{CodeOptions, FuncSamples, ModuleCode};
pub use code_block::CodeBlock;
pub use listing::{
    BaselineError, BaselineListing, CodePiece, InstructionText, LEGEND, Listing, Reference, list, list_baseline,
};
pub use machine_code::{Ahead, BaselineWhen};
pub use sample_clock::SampleWeight;
pub use tier::{InterpTier, MAY_FAULT, locate, walk_segment};
pub use translate::{Source, TranslateError};
