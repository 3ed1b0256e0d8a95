//! Reports on an engine's tiers, to explain the speed of a program: [`TierReport`] is the sum of all compilations, a [`TierEvent`]
//! tells of one as it happens, and [`FunctionCount`] is the part of a module that was executed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmr_core::count::Count;
use wasmr_module::Module;

/// An attempt of an engine to make machine code.
#[derive(Debug)]
#[non_exhaustive]
pub enum TierEvent<'a> {
    /// A function was compiled, or the compiler refused it.
    Compiled {
        /// The function's module.
        module: &'a Module,
        /// The function's index in the module.
        func: u32,
        /// Offset of the loop at which the code starts; `None` for the function's start.
        at_loop: Option<usize>,
        /// Offset of a loop at which a running call of the function can continue in the code as well.
        also_at_loop: Option<usize>,
        /// Time that the attempt took.
        time: Duration,
        /// Bytes of machine code, or the reason why there is none.
        result: Result<usize, String>,
    },
    /// Nothing is compiled for now. The engine tries again later, unless no code can be made for the host. It tells the same reason
    /// only once.
    Unavailable {
        /// The reason.
        why: &'a str,
    },
}

/// The receiver of [`TierEvent`]s: set with [`Config::observe`](crate::Config::observe).
#[derive(Clone)]
pub(crate) struct Observer(pub Arc<dyn Fn(&TierEvent<'_>) + Send + Sync>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&Arc::as_ptr(&self.0)).finish()
    }
}

/// The functions of a module that were executed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionCount {
    /// Functions that the module defines.
    pub defined: u32,
    /// Functions translated for the interpreter, at their first calls; counted once for guard-paged and once for checked memories.
    pub translated: u32,
}

/// The compilations of an engine so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierReport {
    /// The reason why nothing is compiled at the moment, although the mode asks for it; `None` if nothing prevents it.
    pub unavailable: Option<String>,
    /// Functions and loops whose code was loaded, because an earlier process compiled them.
    pub loaded: u64,
    /// Bytes of machine code that were loaded.
    pub loaded_bytes: u64,
    /// Functions compiled, counted once for guard-paged and once for checked memories.
    pub functions: u64,
    /// Loops compiled: functions with code that starts at a loop.
    pub loops: u64,
    /// Functions and loops that the compiler refused, so that they stay interpreted. Each try counts.
    pub refused: u64,
    /// Bytes of machine code that were compiled.
    pub code_bytes: u64,
    /// Time that all compiler threads spent together.
    pub compile_time: Duration,
    /// Compiler threads.
    pub threads: usize,
}

impl fmt::Display for TierReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.unavailable {
            write!(f, "interpreted only, because nothing can be compiled: {why}")?;
            if self.functions + self.loops == 0 {
                return Ok(());
            }
            write!(f, "; before that ")?;
        }
        let TierReport { functions, loops, refused, code_bytes, compile_time, threads, .. } = self;
        write!(
            f,
            "{} and {} compiled to {} in {compile_time:.1?} on {}, {refused} refused",
            Count(*functions, "function"),
            Count(*loops, "loop"),
            Count(*code_bytes, "byte"),
            Count(*threads, "thread"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_comes_first() {
        let nothing = TierReport { unavailable: Some("no room".to_owned()), ..TierReport::default() };
        assert_eq!(nothing.to_string(), "interpreted only, because nothing can be compiled: no room");
        let some = TierReport { functions: 2, loops: 1, code_bytes: 300, threads: 1, ..TierReport::default() };
        assert!(some.to_string().starts_with("2 functions and 1 loop compiled to 300 bytes in "));
    }
}
