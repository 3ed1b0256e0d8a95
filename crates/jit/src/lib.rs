//! Stage 3b: takes a function, gives machine code, by Cranelift.
//!
//! - `translate`: wasm → Cranelift's intermediate representation, files by instruction category.
//! - `compile`: that → machine code with its tables (`compiled`); `link`: code → where it is executed; `module`: all of it for one
//!   module.
//! - `budget`, `liveness`: how much memory one function may take to compile, and what of it does.
//! - `abi`, `trampoline`, `enter`: how compiled code, the interpreter and the host call one another.
//! - `running`: giving functions their code, for those who decide when.
//! - `libcalls`: what compiled code calls; `registry`: from code addresses to functions, `positions`: from code to operators; `trap`, `unwind`, `frames`:
//!   traps, exceptions and backtraces.
//!
//! Knows no other tier: the engine decides what is compiled when, and what the rest does.
#![warn(unreachable_pub)]

mod abi;
mod budget;
mod compile;
mod compiled;
mod enter;
mod error;
mod frames;
mod isa;
mod libcalls;
mod link;
mod liveness;
mod module;
mod operand_order;
mod options;
mod positions;
mod registry;
mod running;
mod trampoline;
mod translate;
mod trap;
mod trap_code;
mod unwind;

pub use compile::{CompilerContext, Disassembly};
pub use error::{CompileError, Unavailable};
pub use frames::walk_segment;
pub use module::{Callers, CodeOptions, JitModule, LoopCode, NativeCode};
pub use options::CallPolicy;
pub use positions::{Place, Positions};
pub use running::unresolved;
pub use translate::{Entry, LoopEntry};
