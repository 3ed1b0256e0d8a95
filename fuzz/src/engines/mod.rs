//! Engines under test, made to look alike: [`wasmr`] in each of its variants, and [`wasmi`], written by others.

pub mod wasmi;
pub mod wasmr;

use crate::value::{Host, Outcome, Type, Value};

/// What an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A function with its parameters and results.
    Func(Vec<Type>, Vec<Type>),
    /// A memory.
    Memory,
    /// A global.
    Global,
    /// A table.
    Table,
    /// Something that is not compared.
    Other,
}

/// Where a call ended that gave no results, as far as an engine tells. Engines that do must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The innermost frames, innermost first: function, and offset in the module.
    pub frames: Vec<(u32, Option<usize>)>,
    /// How many there were.
    pub total: usize,
    /// What the exception carries, if it ended with one.
    pub payload: Vec<Value>,
}

/// What an engine compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compiled {
    /// Functions.
    pub functions: u64,
    /// Loops, to go on in.
    pub loops: u64,
    /// What could not be.
    pub refused: u64,
}

/// Instances of one module, with everything they can reach and share.
pub trait Running {
    /// Calls an exported function.
    fn call(&mut self, instance: usize, name: &str, args: &[Value]) -> Outcome;
    /// The value of an exported global.
    fn global(&mut self, instance: usize, name: &str) -> Value;
    /// Changes a global, if it is exported.
    fn set_global(&mut self, instance: usize, name: &str, value: Value);
    /// The bytes of an exported memory.
    fn memory(&self, instance: usize, name: &str) -> &[u8];
    /// For each element of an exported table, whether it is null.
    fn table(&mut self, instance: usize, name: &str) -> Vec<bool>;
    /// Where the last call ended.
    fn trace(&self) -> Option<&Trace> {
        None
    }
    /// The fuel left, if the engine counts as wasmr does.
    fn fuel(&self) -> Option<u64> {
        None
    }
    /// Gives fuel in place of what is left.
    fn set_fuel(&mut self, _fuel: u64) {}
    /// What was compiled so far.
    fn compiled(&self) -> Compiled {
        Compiled::default()
    }
    /// What the host saw.
    fn host(&self) -> &Host;
    /// The same, to change.
    fn host_mut(&mut self) -> &mut Host;
}
