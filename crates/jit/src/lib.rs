//! Stage 3b: takes a function, gives machine code, by Cranelift.
//!
//! - [`translate`]: wasm → Cranelift's intermediate representation, files by instruction category.
//! - [`compile`]: that → machine code with its tables; [`link`]: code → where it is executed; [`module`]: all of it for one
//!   module.
//! - `budget`, `liveness`: how much memory one function may take to compile, and what of it does.
//! - [`abi`], [`trampoline`], [`enter`]: how compiled code, the interpreter and the host call one another.
//! - [`running`]: giving functions their code, for those who decide when.
//! - [`helpers`]: what compiled code calls; [`registry`]: from code addresses to functions; [`trap`], [`unwind`], [`frames`]:
//!   traps, exceptions and backtraces.
//!
//! Knows no other tier: the engine decides what is compiled when, and what the rest does.

pub mod abi;
pub(crate) mod budget;
pub mod compile;
pub mod enter;
pub mod frames;
pub mod helpers;
pub mod isa;
pub mod link;
mod liveness;
pub mod module;
mod operand_order;
pub mod registry;
pub mod running;
pub mod trampoline;
pub mod translate;
pub mod trap;
pub mod unwind;

pub use compile::{Refusal, Scratch};
pub use module::{CallPolicy, Callers, CodeOptions, JitModule, LoopCode, NativeCode};
pub use translate::{Entry, LoopEntry};

/// Why no machine code is made on this host. Functions stay with the interpreter.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// The system or the processor.
    #[error("{0}")]
    Host(&'static str),
    /// The system gives no memory that can be executed.
    #[error("no memory for machine code: {0}")]
    Memory(String),
    /// The compiler does not accept its settings or a declaration.
    #[error("the compiler refuses: {0}")]
    Compiler(String),
}

impl Unavailable {
    /// Returns true if that will never change in this process.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Unavailable::Memory(_))
    }
}
