//! Why there is no machine code: for a function ([`CompileError`]), or on this host ([`Unavailable`]).

use crate::budget::MAX_BYTES;

/// Why a function is not compiled. It stays with the interpreter.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// An operator that this tier does not compile.
    #[error("the operator at offset {offset:#x} is not compiled")]
    Operator {
        /// Where it is in the module.
        offset: usize,
    },
    /// A body that costs more to compile than it is worth.
    #[error("the body has {bytes} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A function that would take too much memory or time to compile, however small its body is.
    #[error("to compile it would take more than {} MiB, or very long", MAX_BYTES >> 20)]
    TooMuch,
    /// There is no loop where one was asked for.
    #[error("no loop is at that offset, or nothing leads to it")]
    NoSuchLoop,
    /// The body cannot be read, which validation excludes unless the module's bytes changed since.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(String),
    /// Cranelift refuses.
    #[error("code generation: {0}")]
    Codegen(String),
    /// There is no room for the code, or no way to make any.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

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
