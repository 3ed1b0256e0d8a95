//! Engines under test, made to look alike: [`wasmr`] in each of its modes, and [`wasmi`], written by others.

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

/// Instances of one module, with everything they can reach and share.
pub trait Running {
    /// Calls an exported function.
    fn call(&mut self, instance: usize, name: &str, args: &[Value]) -> Outcome;
    /// The value of an exported global.
    fn global(&mut self, instance: usize, name: &str) -> Value;
    /// Changes an exported global.
    fn set_global(&mut self, instance: usize, name: &str, value: Value);
    /// The bytes of an exported memory.
    fn memory(&self, instance: usize, name: &str) -> &[u8];
    /// For each element of an exported table, whether it is null.
    fn table(&mut self, instance: usize, name: &str) -> Vec<bool>;
    /// What the host saw.
    fn host(&self) -> &Host;
    /// The same, to change.
    fn host_mut(&mut self) -> &mut Host;
}
