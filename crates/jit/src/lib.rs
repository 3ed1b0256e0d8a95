//! Stage 3b: the optimising compiler. It takes a validated function body and makes machine code of it, with Cranelift.
//!
//! - `translate`: from WebAssembly to CLIF, Cranelift's intermediate representation, with one file for each category of
//!   operators.
//! - `compile`: from CLIF to machine code (`compiled`) and its `tables`. `link` copies the code to executable memory, with `call_stub`s
//!   for callees without code. `module` has the code of one module.
//! - `image`: machine code that outlives the process; `precompile` makes an image ahead of time.
//! - `budget`, `liveness`: bounds on the memory and time that compiling one function takes.
//! - `abi`, `trampoline`, `trampoline_key`, `enter`: calls between compiled code, the interpreter and the host.
//! - `running`: installation of compiled code, and lazy resolution of callees.
//! - `libcalls`: the functions of the runtime that compiled code calls.
//! - `registry`, `registered`, `source_map`: from code addresses to functions and operators.
//! - `dispatch`, `x86`: copies of the code that leads to a branch table, made in machine code.
//! - `isa`, `options`, `operand_order`: the processor and Cranelift's settings; limits of inlining; the order of float operands.
//! - `trap`, `unwind`, `frames`: traps, exceptions and backtraces.
//!
//! This crate knows no other tier. The engine decides when to compile a function, and with which entry.
#![warn(unreachable_pub)]

mod abi;
mod budget;
mod call_stub;
mod compile;
mod compiled;
mod dispatch;
mod enter;
mod error;
mod frames;
mod image;
mod isa;
mod libcalls;
mod link;
mod liveness;
mod module;
mod operand_order;
mod options;
mod precompile;
mod registered;
mod registry;
mod running;
mod source_map;
mod tables;
mod trampoline;
mod trampoline_key;
mod translate;
mod trap;
mod trap_code;
mod unwind;
mod x86;

pub use compile::{CompilerContext, Disassembly};
pub use error::{CompileError, Unavailable};
pub use frames::{locate, walk_segment};
pub use image::copy_image;
pub use isa::processor_features;
pub use module::{Callers, CodeOptions, JitModule, NativeCode};
pub use options::CallPolicy;
pub use precompile::{Precompilation, Precompiled};
pub use running::lazy_resolution_stub;
pub use source_map::{SourceMap, WasmPc};
pub use translate::{Entry, OsrEntry};
