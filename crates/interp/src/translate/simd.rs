//! Vector operators. All operands are in slots.

use wasmparser::{MemArg, Operator};
use wasmr_core::op::Op;

use super::Translator;
use super::numeric::result_type;
use super::stack::Ty;
use crate::instr::field::{fields, fields_imm};
use crate::instr::{
    ConstantV128, LoadLane, Shuffle, StoreLane, Vector, VectorLoad, VectorLoadChecked, VectorStore, VectorStoreChecked,
    handler,
};

impl Translator<'_> {
    /// Translates a vector operator that is not in core's table. Returns true if it was one.
    pub(crate) fn simd_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::V128Const { value } => {
                let bits = value.i128() as u128;
                let words = [bits as u64, (bits >> 64) as u64];
                self.emit_slot_result(handler(ConstantV128, ()), 0, &words, Ty::V128);
            }
            Operator::I8x16Shuffle { lanes } => {
                let b = self.pop_slot();
                let a = self.pop_slot();
                let bits = u128::from_le_bytes(*lanes);
                let words = [bits as u64, (bits >> 64) as u64];
                self.emit_slot_result(handler(Shuffle, ()), fields(0, a, b, 0), &words, Ty::V128);
            }
            _ => return false,
        }
        true
    }

    /// Translates an operator of the table without immediates: its operands go to the fields `a`, `b`, `x`, in order.
    pub(crate) fn vector(&mut self, op: Op) {
        let mut slots = [0; 3];
        for slot in slots[..op.info().operands.len()].iter_mut().rev() {
            *slot = self.pop_slot();
        }
        let [a, b, x] = slots;
        self.emit_slot_result(handler(Vector(op), ()), fields(0, a, b, x), &[], result_type(op));
    }

    /// Translates the extraction of a lane.
    pub(crate) fn extract_lane(&mut self, op: Op, lane: u8) {
        let a = self.pop_slot();
        self.emit_slot_result(handler(Vector(op), ()), fields(0, a, lane as i16, 0), &[], result_type(op));
    }

    /// Translates the replacement of a lane.
    pub(crate) fn replace_lane(&mut self, op: Op, lane: u8) {
        let b = self.pop_slot();
        let a = self.pop_slot();
        self.emit_slot_result(handler(Vector(op), ()), fields(0, a, b, lane as i16), &[], Ty::V128);
    }

    /// Translates a load that makes a whole vector.
    pub(crate) fn vector_load(&mut self, op: Op, memarg: &MemArg) {
        if self.is_guarded(memarg) {
            let (at, a) = self.pop_address();
            let word1 = fields_imm(0, a, memarg.offset as u32);
            self.emit_slot_result(handler(VectorLoad(op), at), word1, &[], Ty::V128);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        let word1 = fields_imm(0, a, memory);
        self.emit_slot_result(handler(VectorLoadChecked(op), is64), word1, &[memarg.offset], Ty::V128);
    }

    /// Translates the store of a whole vector.
    pub(crate) fn vector_store(&mut self, op: Op, memarg: &MemArg) {
        let d = self.pop_slot();
        if self.is_guarded(memarg) {
            let (at, a) = self.pop_address();
            self.emit(handler(VectorStore(op), at), &[fields_imm(d, a, memarg.offset as u32)]);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        self.emit(handler(VectorStoreChecked(op), is64), &[fields_imm(d, a, memory), memarg.offset]);
    }

    /// Translates the load or store of one lane.
    pub(crate) fn lane_access(&mut self, op: Op, memarg: &MemArg, lane: u8) {
        let vector = self.pop_slot();
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        let (word1, word3) = (fields_imm(0, a, memory), vector as i32 as u32 as u64 | (lane as u64) << 32);
        match op.info().result {
            Some(_) => self.emit_slot_result(handler(LoadLane(op), is64), word1, &[memarg.offset, word3], Ty::V128),
            None => {
                self.emit(handler(StoreLane(op), is64), &[word1, memarg.offset, word3]);
            }
        }
    }
}
