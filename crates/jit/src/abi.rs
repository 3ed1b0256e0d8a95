//! The calling convention of compiled functions, as Cranelift signatures.
//!
//! A function takes its context and then its WebAssembly parameters. Results are in registers if they fit. Otherwise the caller
//! passes, as the last argument, the address of an array with 16 bytes for each result. The convention is Cranelift's `Tail`,
//! the only one with tail calls.
//!
//! OSR code takes the context and a pointer to the interpreter's frame. It returns the function's results in the same way.

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use wasmr_core::types::{FuncType, ValType};

/// Bytes for each result in memory.
pub(crate) const RESULT_CELL: i32 = 16;

/// Number of results of one register class that the convention returns in registers.
const RESULT_REGISTERS: usize = 8;

/// Returns the Cranelift type of a value in canonical form: a vector is `I8X16`.
pub(crate) fn value_type(ty: ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::Ref(_) => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// Returns the number of 8-byte slots of a value of a Cranelift type.
pub(crate) fn slots(ty: Type) -> i32 {
    if ty.is_vector() { 2 } else { 1 }
}

/// Returns the parameter for the context, from which the prologue loads the stack limit.
pub(crate) fn context_param() -> AbiParam {
    AbiParam::special(types::I64, ArgumentPurpose::VMContext)
}

/// The location of a call's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultsIn {
    /// Registers.
    Registers,
    /// Memory that the last argument points to.
    Memory,
}

/// Returns the location of the results of functions of a type.
pub(crate) fn results_in(ty: &FuncType) -> ResultsIn {
    let is_float = |ty: &&ValType| matches!(ty, ValType::F32 | ValType::F64 | ValType::V128);
    let floats = ty.results().iter().filter(is_float).count();
    let integers = ty.results().len() - floats;
    if floats.max(integers) <= RESULT_REGISTERS { ResultsIn::Registers } else { ResultsIn::Memory }
}

/// Returns the signature of functions of a type.
pub(crate) fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(context_param());
    signature.params.extend(ty.params().iter().map(|&ty| AbiParam::new(value_type(ty))));
    add_results(&mut signature, ty);
    signature
}

/// Returns the signature of OSR code for functions of a type.
pub(crate) fn loop_signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(context_param());
    signature.params.push(AbiParam::new(types::I64));
    add_results(&mut signature, ty);
    signature
}

fn add_results(signature: &mut Signature, ty: &FuncType) {
    match results_in(ty) {
        ResultsIn::Registers => {
            signature.returns.extend(ty.results().iter().map(|&ty| AbiParam::new(value_type(ty))));
        }
        ResultsIn::Memory => signature.params.push(AbiParam::new(types::I64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_to_memory_when_a_class_of_registers_is_full() {
        let ty = |results: Vec<ValType>| FuncType::new([], results);
        let mut mixed = vec![ValType::I32; 8];
        mixed.extend([ValType::V128; 8]);
        assert_eq!(results_in(&ty(mixed.clone())), ResultsIn::Registers);
        mixed.push(ValType::I64);
        assert_eq!(results_in(&ty(mixed)), ResultsIn::Memory);
        assert_eq!(results_in(&ty(vec![ValType::F64; 9])), ResultsIn::Memory);
    }
}
