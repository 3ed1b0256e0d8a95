//! Atomic accesses and `atomic.fence`, sequentially consistent as all atomic instructions of Cranelift.
//!
//! [`memory`](super::memory) computes and checks addresses, as for other accesses. The alignment is checked before.

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Type, Value};
use wasmparser::{MemArg, Operator};
use wasmr_core::op::Op;
use wasmr_core::trap::TrapCode;

use super::memory::{Site, memory_type};
use super::state::Translator;
use crate::abi::value_type;
use crate::trap_code::trap_code;

impl Translator<'_, '_> {
    /// Translates `operator` if it is an atomic operator that accesses no memory. Returns true if it was.
    pub(super) fn atomic_operator(&mut self, operator: &Operator<'_>) -> bool {
        if !matches!(operator, Operator::AtomicFence { .. }) {
            return false;
        }
        self.builder.ins().fence();
        true
    }

    pub(super) fn atomic_load(&mut self, op: Op, memarg: &MemArg) {
        let memory = access_type(op);
        let (flags, pointer) = self.atomic_site(memarg, memory);
        let value = self.builder.ins().atomic_load(memory, flags, pointer);
        self.push_extended(op, value);
    }

    pub(super) fn atomic_store(&mut self, op: Op, memarg: &MemArg) {
        let memory = access_type(op);
        let value = self.pop_wrapped(memory);
        let (flags, pointer) = self.atomic_site(memarg, memory);
        self.builder.ins().atomic_store(flags, value, pointer);
    }

    pub(super) fn atomic_rmw(&mut self, op: Op, memarg: &MemArg, change: AtomicRmwOp) {
        let memory = access_type(op);
        let value = self.pop_wrapped(memory);
        let (flags, pointer) = self.atomic_site(memarg, memory);
        let old = self.builder.ins().atomic_rmw(memory, flags, change, pointer, value);
        self.push_extended(op, old);
    }

    pub(super) fn atomic_cmpxchg(&mut self, op: Op, memarg: &MemArg) {
        let memory = access_type(op);
        let replacement = self.pop_wrapped(memory);
        let expected = self.pop_wrapped(memory);
        let (flags, pointer) = self.atomic_site(memarg, memory);
        let old = self.builder.ins().atomic_cas(flags, pointer, expected, replacement);
        self.push_extended(op, old);
    }

    /// Pops an index, and returns flags and address of an atomic access there. Traps if the address is not aligned.
    fn atomic_site(&mut self, memarg: &MemArg, memory: Type) -> (MemFlagsData, Value) {
        let size = memory.bytes();
        if size > 1 {
            let index = self.pop();
            // The low bits of the sum are right even if the sum overflows, which the check of the bounds finds.
            let address = self.builder.ins().iadd_imm_s(index, (memarg.offset % u64::from(size)) as i64);
            let rest = self.builder.ins().band_imm_u(address, i64::from(size) - 1);
            self.builder.ins().trapnz(rest, trap_code(TrapCode::UnalignedAtomic));
            self.push(index);
        }
        let Site { flags, pointer, offset } = self.site(memarg, size);
        let pointer = if offset == 0 { pointer } else { self.builder.ins().iadd_imm_s(pointer, i64::from(offset)) };
        (flags, pointer)
    }

    /// Pops an operand, and returns its low bits of type `memory`.
    fn pop_wrapped(&mut self, memory: Type) -> Value {
        let value = self.pop();
        if self.builder.func.dfg.value_type(value) == memory {
            value
        } else {
            self.builder.ins().ireduce(memory, value)
        }
    }

    /// Pushes the value of a cell, zero-extended to the operator's result.
    fn push_extended(&mut self, op: Op, value: Value) {
        let result = op.info().result.map(value_type).expect("the operator has a result");
        let is_whole = self.builder.func.dfg.value_type(value) == result;
        let value = if is_whole { value } else { self.builder.ins().uextend(result, value) };
        self.push(value);
    }
}

/// Returns the type of the cell that an operator accesses.
fn access_type(op: Op) -> Type {
    op.info().access.map(memory_type).expect("the operator accesses memory")
}
