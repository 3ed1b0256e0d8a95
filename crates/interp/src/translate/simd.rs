//! Vector operators. As for scalars, the places of the operands decide about the form of each instruction.

use wasmparser::{MemArg, Operator};
use wasmr_core::op::Op;

use super::Translator;
use super::memory::LoadAddress;
use super::numeric::result_type;
use super::stack::{Class, Fuse, Kind, Operand, Ty};
use crate::execute::dispatch::Handler;
use crate::execute::simd::{ZERO_BYTE, has_byte_choice};
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Dst, In, ShiftCount, StoreValue, TernaryForm, Variable, VectorForm};
use crate::instr::{
    ExtractLane, LoadLane, LoadLaneChecked, PermuteBytes, ReplaceLane, Shift, Shuffle, ShuffleBytes, Splat, StoreLane,
    StoreLaneChecked, SwizzleBytes, VectorBinary, VectorLoad, VectorLoadChecked, VectorLoadDisplaced,
    VectorLoadIndexed, VectorStore, VectorStoreChecked, VectorTernary, VectorTest, VectorUnary, handler,
};

impl Translator<'_> {
    /// Translates a vector operator that is not in core's table. Returns true if it was one.
    pub(crate) fn simd_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::V128Const { value } => {
                let index = self.vectors.len() as u64;
                self.vectors.push(words(value.i128() as u128));
                self.push(Kind::Const(index), Ty::V128);
            }
            Operator::I8x16Shuffle { lanes } => self.shuffle(*lanes),
            _ => return false,
        }
        true
    }

    /// Emits an instruction with a result for each destination.
    fn emit_vector(&mut self, handlers: impl Fn(Dst) -> Handler, word1: u64, more: &[u64]) {
        self.emit_result(Dst::BOTH.map(handlers), word1, more, Ty::V128, Fuse::None);
    }

    /// Pops an operand. Returns its place, its type, and the height of its canonical slot.
    fn pop_with_height(&mut self) -> (Operand, Ty, u32) {
        let height = self.stack.last().expect("validated").height;
        let (operand, ty) = self.pop();
        (operand, ty, height)
    }

    /// Puts a popped operand into its canonical slot if it is a constant.
    fn without_constant(&mut self, (operand, ty, height): (Operand, Ty, u32)) -> Operand {
        match operand {
            Operand::Imm(_) => Operand::Slot(self.operand_slot(operand, ty, height) as i32),
            other => other,
        }
    }

    /// Translates an operator of one vector.
    pub(crate) fn vector_unary(&mut self, op: Op) {
        let (at, word1) = self.pop_unary();
        self.emit_vector(|dst| handler(VectorUnary(op), (at, dst)), word1, &[]);
    }

    /// Translates an operator of one vector with a scalar as result.
    pub(crate) fn vector_test(&mut self, op: Op) {
        let (at, word1) = self.pop_unary();
        let handlers = Dst::BOTH.map(|dst| handler(VectorTest(op), (at, dst)));
        self.emit_result(handlers, word1, &[], Ty::I32, Fuse::None);
    }

    /// Translates an operator of two vectors.
    pub(crate) fn vector_binary(&mut self, op: Op) {
        let is_swizzle = matches!(op, Op::I8x16Swizzle | Op::I8x16RelaxedSwizzle);
        if is_swizzle && has_byte_choice() {
            let (form, word1) = self.pop_variable();
            self.emit_vector(|dst| handler(SwizzleBytes, (Variable(form), dst)), word1, &[]);
            return;
        }
        let b = self.pop_with_height();
        let a = self.pop_with_height();
        let a = self.without_constant(a);
        let Operand::Imm(constant) = b.0 else {
            let (form, word1) = self.variable_form(a, b.0);
            self.emit_vector(|dst| handler(VectorBinary(op), (form, dst)), word1, &[]);
            return;
        };
        let constant = self.vectors[constant as usize];
        let (at, word1) = self.unary_operand(self.prefer_acc(a, Class::Vector), Ty::V128);
        let form = if at == In::Acc { VectorForm::AccImm } else { VectorForm::SlotImm };
        self.emit_vector(|dst| handler(VectorBinary(op), (form, dst)), word1, &constant);
    }

    /// Pops two vectors. Returns a form without a constant, and its word 1.
    fn pop_variable(&mut self) -> (VectorForm, u64) {
        let b = self.pop_with_height();
        let a = self.pop_with_height();
        let (a, b) = (self.without_constant(a), self.without_constant(b));
        self.variable_form(a, b)
    }

    /// Returns the form of two vectors that are no constants, and its word 1.
    fn variable_form(&mut self, mut a: Operand, mut b: Operand) -> (VectorForm, u64) {
        self.prefer_accumulator(&mut a, &mut b, Class::Vector);
        let (a, b) = (self.vector_slot(a), self.vector_slot(b));
        let form = match (a, b) {
            (None, _) => VectorForm::AccSlot,
            (_, None) => VectorForm::SlotAcc,
            _ => VectorForm::SlotSlot,
        };
        (form, fields(0, a.unwrap_or(0), b.unwrap_or(0), 0))
    }

    /// Returns a near slot of a vector that is no constant; `None` if it is in the accumulator.
    fn vector_slot(&mut self, operand: Operand) -> Option<i16> {
        match operand {
            Operand::Slot(slot) => Some(self.near(slot, 2)),
            _ => None,
        }
    }

    /// Translates an operator of three vectors.
    pub(crate) fn vector_ternary(&mut self, op: Op) {
        let popped = [self.pop_with_height(), self.pop_with_height(), self.pop_with_height()];
        let [c, b, a] = popped.map(|operand| self.without_constant(operand));
        let mut operands = [a, b, c];
        if !operands.contains(&Operand::Acc) {
            let mirrored = operands.map(|operand| self.prefer_acc(operand, Class::Vector));
            if let Some(place) = mirrored.iter().position(|operand| *operand == Operand::Acc) {
                operands[place] = Operand::Acc;
            }
        }
        let slots = operands.map(|operand| self.vector_slot(operand));
        let form = match slots {
            [None, ..] => TernaryForm::AccFirst,
            [_, None, _] => TernaryForm::AccSecond,
            [.., None] => TernaryForm::AccThird,
            _ => TernaryForm::Slots,
        };
        let [a, b, x] = slots.map(|slot| slot.unwrap_or(0));
        self.emit_vector(|dst| handler(VectorTernary(op), (form, dst)), fields(0, a, b, x), &[]);
    }

    /// Translates a shift of all lanes.
    pub(crate) fn shift(&mut self, op: Op) {
        let (count, ..) = self.pop_with_height();
        let vector = self.pop_with_height();
        let vector = self.without_constant(vector);
        let count = self.prefer_acc(count, Class::Int);
        let (at, word1) = self.unary_operand(self.prefer_acc(vector, Class::Vector), Ty::V128);
        let (count, word1) = match count {
            Operand::Acc => (ShiftCount::Acc, word1),
            Operand::Imm(bits) => (ShiftCount::Imm, word1 | bits << 32),
            Operand::Slot(slot) => (ShiftCount::Slot, word1 | fields(0, 0, self.near(slot, 1), 0)),
        };
        self.emit_vector(|dst| handler(Shift(op), (at, count, dst)), word1, &[]);
    }

    /// Translates the copy of a scalar to all lanes.
    pub(crate) fn splat(&mut self, op: Op) {
        let (at, word1) = self.pop_unary();
        self.emit_vector(|dst| handler(Splat(op), (at, dst)), word1, &[]);
    }

    /// Translates the extraction of a lane.
    pub(crate) fn extract_lane(&mut self, op: Op, lane: u8) {
        let a = self.pop_slot();
        let handlers = Dst::BOTH.map(|dst| handler(ExtractLane(op), dst));
        self.emit_result(handlers, fields(0, a, lane as i16, 0), &[], result_type(op), Fuse::None);
    }

    /// Translates the replacement of a lane.
    pub(crate) fn replace_lane(&mut self, op: Op, lane: u8) {
        let scalar = self.pop_with_height();
        let vector = self.pop_with_height();
        let scalar = (self.without_constant(scalar), scalar.1);
        let vector = self.without_constant(vector);
        // No form has both in accumulators.
        let new = if vector == Operand::Acc { scalar.0 } else { self.prefer_acc(scalar.0, scalar.1.class()) };
        let vector = if new == Operand::Acc { vector } else { self.prefer_acc(vector, Class::Vector) };
        let (form, a, b) = match (vector, new) {
            (Operand::Slot(a), Operand::Slot(b)) => (VectorForm::SlotSlot, self.near(a, 2), self.near(b, 1)),
            (Operand::Slot(a), _) => (VectorForm::SlotAcc, self.near(a, 2), 0),
            (_, Operand::Slot(b)) => (VectorForm::AccSlot, 0, self.near(b, 1)),
            _ => unreachable!("excluded above"),
        };
        let word1 = fields(0, a, b, lane as i16);
        self.emit_vector(|dst| handler(ReplaceLane(op), (Variable(form), dst)), word1, &[]);
    }

    /// Translates a choice of the bytes of two vectors.
    fn shuffle(&mut self, lanes: [u8; 16]) {
        if !has_byte_choice() {
            let b = self.pop_slot();
            let a = self.pop_slot();
            let lanes = words(u128::from_le_bytes(lanes));
            self.emit_slot_result(handler(Shuffle, ()), fields(0, a, b, 0), &lanes, Ty::V128);
            return;
        }
        let b = self.pop_with_height();
        let a = self.pop_with_height();
        let from = |first: u8| {
            let numbers = lanes.map(|lane| if lane & 16 == first { lane & 15 } else { ZERO_BYTE });
            words(u128::from_le_bytes(numbers))
        };
        let either = words(u128::from_le_bytes(lanes.map(|lane| lane & 15)));
        let (from_a, from_b) = (from(0), from(16));
        let none = [u64::from_le_bytes([ZERO_BYTE; 8]); 2];
        // The only vector whose bytes matter, if there is one.
        let single = if from_b == none || self.is_zero(b.0) {
            Some((a, from_a))
        } else if from_a == none || self.is_zero(a.0) {
            Some((b, from_b))
        } else if a.0 == b.0 && a.0 != Operand::Acc {
            Some((a, either))
        } else {
            None
        };
        if let Some((operand, numbers)) = single {
            let operand = self.without_constant(operand);
            let (at, word1) = self.unary_operand(self.prefer_acc(operand, Class::Vector), Ty::V128);
            self.emit_vector(|dst| handler(PermuteBytes, (at, dst)), word1, &numbers);
            return;
        }
        let (a, b) = (self.without_constant(a), self.without_constant(b));
        let (form, word1) = self.variable_form(a, b);
        let numbers = [from_a[0], from_a[1], from_b[0], from_b[1]];
        self.emit_vector(|dst| handler(ShuffleBytes, (Variable(form), dst)), word1, &numbers);
    }

    /// Returns true if a vector is the constant zero.
    fn is_zero(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Imm(index) if self.vectors[index as usize] == [0; 2])
    }

    /// Translates a load that makes a whole vector.
    pub(crate) fn vector_load(&mut self, op: Op, memarg: &MemArg) {
        if self.is_guarded(memarg) {
            let address = self.load_address(memarg.offset as u32);
            let (word1, word2) = address.words();
            let handlers = |dst| match address {
                LoadAddress::Plain(at, _) => handler(VectorLoad(op), (at, dst)),
                LoadAddress::Indexed(at, _) => handler(VectorLoadIndexed(op), (at, dst)),
                LoadAddress::Displaced(at, ..) => handler(VectorLoadDisplaced(op), (at, dst)),
            };
            self.emit_vector(handlers, word1, word2);
            return;
        }
        let a = self.pop_slot();
        let (is64, memory) = self.checked_access(memarg);
        let word1 = fields_imm(0, a, memory);
        self.emit_slot_result(handler(VectorLoadChecked(op), is64), word1, &[memarg.offset], Ty::V128);
    }

    /// Translates the store of a whole vector.
    pub(crate) fn vector_store(&mut self, op: Op, memarg: &MemArg) {
        if !self.is_guarded(memarg) {
            let d = self.pop_slot();
            let a = self.pop_slot();
            let (is64, memory) = self.checked_access(memarg);
            self.emit(handler(VectorStoreChecked(op), is64), &[fields_imm(d, a, memory), memarg.offset]);
            return;
        }
        let (value, at, a) = self.pop_stored(Ty::V128);
        let offset = memarg.offset as u32;
        match value {
            Operand::Acc => self.emit(handler(VectorStore(op), (at, StoreValue::Acc)), &[fields_imm(0, a, offset)]),
            Operand::Slot(slot) => {
                let d = self.near(slot, 2);
                self.emit(handler(VectorStore(op), (at, StoreValue::Slot)), &[fields_imm(d, a, offset)])
            }
            Operand::Imm(index) => {
                let [low, high] = self.vectors[index as usize];
                let words = [fields_imm(0, a, offset), low, high];
                self.emit(handler(VectorStore(op), (at, StoreValue::Imm)), &words)
            }
        };
    }

    /// Translates the load or store of one lane.
    pub(crate) fn lane_access(&mut self, op: Op, memarg: &MemArg, lane: u8) {
        let place = |slot: i16| slot as i32 as u32 as u64 | (lane as u64) << 32;
        let is_load = op.info().result.is_some();
        if !self.is_guarded(memarg) {
            let vector = self.pop_slot();
            let a = self.pop_slot();
            let (is64, memory) = self.checked_access(memarg);
            let (word1, more) = (fields_imm(0, a, memory), [memarg.offset, place(vector)]);
            if is_load {
                self.emit_slot_result(handler(LoadLaneChecked(op), is64), word1, &more, Ty::V128);
            } else {
                self.emit(handler(StoreLaneChecked(op), is64), &[word1, more[0], more[1]]);
            }
            return;
        }
        let offset = memarg.offset as u32;
        if !is_load {
            let vector = self.pop_slot();
            let (at, a) = self.pop_address();
            self.emit(handler(StoreLane(op), at), &[fields_imm(0, a, offset), place(vector)]);
            return;
        }
        let vector = self.pop_with_height();
        let vector = self.without_constant(vector);
        let (at, a) = self.pop_address();
        let vector = self.prefer_acc(vector, Class::Vector);
        let slot = self.vector_slot(vector);
        let in_slot = if slot.is_some() { In::Slot } else { In::Acc };
        let word1 = fields_imm(0, a, offset);
        self.emit_vector(|dst| handler(LoadLane(op), (at, in_slot, dst)), word1, &[place(slot.unwrap_or(0))]);
    }
}

/// Returns the words of a vector in an instruction.
fn words(bits: u128) -> [u64; 2] {
    [bits as u64, (bits >> 64) as u64]
}
