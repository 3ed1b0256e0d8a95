//! The common interface of the engines under test: [`wasmr`] in each of its variants, and the independent [`wasmi`].

pub mod wasmi;
pub mod wasmr;

use crate::value::{Host, Outcome, Type, Value};

/// The kind of an export.
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
    /// An export that is not compared.
    Other,
}

/// The place at which a call without results ended. Engines that report it must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Innermost frames, innermost first, as function and offset in the module.
    pub frames: Vec<(u32, Option<usize>)>,
    /// Number of all frames.
    pub total: usize,
    /// Description of the exception's values, if one ended the call.
    pub payload: Vec<u64>,
}

/// The numbers of compiled functions and loops, and of collections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compiled {
    /// Functions.
    pub functions: u64,
    /// Loops with OSR code.
    pub loops: u64,
    /// Functions and loops that could not be compiled.
    pub refused: u64,
    /// Functions and loops whose code was loaded from a cache.
    pub loaded: u64,
    /// Collections of garbage.
    pub collections: u64,
}

/// Instances of one module, with all objects that they can reach and share.
pub trait Running {
    /// Calls an exported function.
    fn call(&mut self, instance: usize, name: &str, args: &[Value]) -> Outcome;
    /// Returns the value of an exported global.
    fn global(&mut self, instance: usize, name: &str) -> Value;
    /// Sets a global, if it is exported.
    fn set_global(&mut self, instance: usize, name: &str, value: Value);
    /// Returns the bytes of an exported memory.
    fn memory(&self, instance: usize, name: &str) -> &[u8];
    /// Returns the nullness of each element of an exported table.
    fn table(&mut self, instance: usize, name: &str) -> Vec<bool>;
    /// Returns the place at which the last call ended.
    fn trace(&self) -> Option<&Trace> {
        None
    }
    /// Returns the remaining fuel, if the engine counts fuel like wasmr.
    fn fuel(&self) -> Option<u64> {
        None
    }
    /// Sets the remaining fuel.
    fn set_fuel(&mut self, _fuel: u64) {}
    /// Returns the numbers of functions and loops compiled so far.
    fn compiled(&self) -> Compiled {
        Compiled::default()
    }
    /// Returns the host's record.
    fn host(&self) -> &Host;
    /// Returns the host's record for changes.
    fn host_mut(&mut self) -> &mut Host;
}
