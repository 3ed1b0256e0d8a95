//! Errors: [`CompileError`] for one function, [`Unavailable`] for this host.

use crate::budget::MAX_BYTES;

/// The reason why a function gets no machine code and stays interpreted.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The function has an operator that this tier does not compile.
    #[error("the operator at offset {offset:#x} is not compiled")]
    Operator {
        /// Offset of the operator in the module.
        offset: usize,
    },
    /// The function would take too much memory or time to compile, however small its body is.
    #[error("compiling the function would take more than {} MiB of memory, or too long", MAX_BYTES >> 20)]
    TooMuch,
    /// There is no loop at the offset of the OSR entry.
    #[error("there is no reachable loop at that offset")]
    NoSuchLoop,
    /// The body cannot be decoded. Validation excludes this unless the module's bytes changed since then.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(String),
    /// Cranelift failed.
    #[error("code generation: {0}")]
    Codegen(String),
    /// This host has no code memory left, or cannot make machine code at all.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The reason why no machine code can be made on this host. Functions stay interpreted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// The operating system or the processor is not supported.
    #[error("{0}")]
    Host(&'static str),
    /// The operating system provides no executable memory, or no more of it.
    #[error("no memory for machine code: {0}")]
    Memory(String),
    /// Cranelift rejects a setting or a declaration.
    #[error("Cranelift: {0}")]
    Compiler(String),
}

impl Unavailable {
    /// Returns true if the reason stays for the life of the process.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Unavailable::Memory(_))
    }
}
