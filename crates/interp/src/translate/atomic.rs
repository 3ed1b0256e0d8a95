//! Atomic accesses and `atomic.fence`.

use wasmparser::{MemArg, Operator};
use wasmr_core::op::{Op, Shape};

use super::Translator;
use super::numeric::result_type;
use crate::instr::field::fields_imm;
use crate::instr::{AtomicCmpxchg, AtomicFence, AtomicLoad, AtomicRmw, AtomicStore, handler};

impl Translator<'_> {
    /// Translates an atomic operator that accesses no memory. Returns true if it was one.
    pub(crate) fn atomic_operator(&mut self, operator: &Operator<'_>) -> bool {
        if !matches!(operator, Operator::AtomicFence { .. }) {
            return false;
        }
        self.emit(handler(AtomicFence, ()), &[0]);
        true
    }

    /// Translates an atomic access. Word 3 has the slots of the operands of a modification.
    pub(crate) fn atomic_access(&mut self, op: Op, memarg: &MemArg) {
        let word = |slot: i16| u64::from(i32::from(slot) as u32);
        let mut operands = [0; 2];
        for slot in operands[..op.info().operands.len()].iter_mut().rev() {
            *slot = self.pop_slot();
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        let [first, second] = operands;
        let (word1, more) = (fields_imm(0, a, memory), [memarg.offset, word(first) | word(second) << 32]);
        let (handler, more) = match op.shape() {
            Shape::AtomicLoad => (handler(AtomicLoad(op), is64), &more[..1]),
            Shape::AtomicRmw => (handler(AtomicRmw(op), is64), &more[..]),
            Shape::AtomicCmpxchg => (handler(AtomicCmpxchg(op), is64), &more[..]),
            _ => {
                self.emit(handler(AtomicStore(op), is64), &[fields_imm(first, a, memory), memarg.offset]);
                return;
            }
        };
        self.emit_slot_result(handler, word1, more, result_type(op));
    }
}
