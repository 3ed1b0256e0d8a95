//! What an engine did beside interpreting, for those who ask why a program is as fast as it is: [`TierReport`] sums it up,
//! [`TierEvent`]s tell it as it happens, [`FunctionCount`] says how much of a module was executed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmr_core::count::Count;
use wasmr_module::Module;

/// Something that an engine did, or gave up, on the way to machine code.
#[derive(Debug)]
#[non_exhaustive]
pub enum TierEvent<'a> {
    /// A function was compiled, or the compiler refused it.
    Compiled {
        /// Its module.
        module: &'a Module,
        /// Its index in the module.
        func: u32,
        /// The offset of the loop that the code starts at, if it does not start at the function's beginning.
        at_loop: Option<usize>,
        /// How long that took.
        time: Duration,
        /// Bytes of machine code, or why there is none.
        result: Result<usize, String>,
    },
    /// Nothing is compiled for now. It is tried again later, unless the host is none that code can be made for; the reason is told
    /// once.
    Unavailable {
        /// Why.
        why: &'a str,
    },
}

/// Who is told of [`TierEvent`]s: set with [`Config::observe`](crate::Config::observe).
#[derive(Clone)]
pub(crate) struct Observer(pub Arc<dyn Fn(&TierEvent<'_>) + Send + Sync>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&Arc::as_ptr(&self.0)).finish()
    }
}

/// How much of a module was executed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionCount {
    /// Functions that it defines.
    pub defined: u32,
    /// Functions translated for the interpreter, at their first calls; counted once for guarded and once for checked memories.
    pub translated: u32,
}

/// What an engine compiled so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierReport {
    /// Why nothing is compiled, if that is so at the moment although the mode asks for it.
    pub unavailable: Option<String>,
    /// Functions compiled, counted once for guarded and once for checked memories.
    pub functions: u64,
    /// Functions compiled from a loop on.
    pub loops: u64,
    /// Functions and loops that the compiler refused: they stay interpreted. What is tried again counts each time.
    pub refused: u64,
    /// Bytes of machine code.
    pub code_bytes: u64,
    /// Time that the threads spent on it together.
    pub compile_time: Duration,
    /// Threads that compile.
    pub threads: usize,
}

impl fmt::Display for TierReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.unavailable {
            write!(f, "interpreted, as nothing can be compiled: {why}")?;
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
        assert_eq!(nothing.to_string(), "interpreted, as nothing can be compiled: no room");
        let some = TierReport { functions: 2, loops: 1, code_bytes: 300, threads: 1, ..TierReport::default() };
        assert!(some.to_string().starts_with("2 functions and 1 loop compiled to 300 bytes in "));
    }
}
