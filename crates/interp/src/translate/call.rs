//! Calls. Arguments are flushed to their canonical slots, which are the callee's argument area.

use wasmparser::Operator;
use wasmr_core::types::{FuncType, ValType};

use super::Translator;
use super::stack::{Class, Kind, Operand, Ty};
use crate::execute::dispatch::Handler;
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::In;
use crate::instr::{
    Call, CallIndirect, CallIndirect64, CallRef, ReturnCall, ReturnCallIndirect, ReturnCallRef, handler,
};
use wasmr_runtime::frame::FRAME_HEADER;

impl<'m> Translator<'m> {
    /// Translates `operator` if it is a call. Returns true if it was.
    pub(crate) fn call_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Call { function_index } => self.call(*function_index),
            Operator::CallIndirect { type_index, table_index } => self.call_indirect(*type_index, *table_index),
            Operator::CallRef { type_index } => {
                let func = self.pop_slot();
                let ty = self.module.func_type_of(*type_index);
                let delta = self.arguments(ty);
                self.emit(handler(CallRef, ()), &[delta as u64, fields(func, 0, 0, 0)]);
                self.results(ty);
            }
            Operator::ReturnCall { function_index } => {
                let ty = self.module.func_type(*function_index);
                let (is_imported, offset) = self.func_place(*function_index);
                self.tail_call(ty, handler(ReturnCall, is_imported), &[offset as u64]);
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let index = self.pop_slot() as i64 as u64;
                let ty = self.module.func_type_of(*type_index);
                let expected = self.module.type_id(*type_index).0;
                let table = self.layout.table(*table_index) as u64 | (expected as u64) << 32;
                self.tail_call(ty, handler(ReturnCallIndirect, self.is_table64(*table_index)), &[table, index]);
            }
            Operator::ReturnCallRef { type_index } => {
                let func = self.pop_slot() as i64 as u64;
                let ty = self.module.func_type_of(*type_index);
                self.tail_call(ty, handler(ReturnCallRef, ()), &[func]);
            }
            _ => return false,
        }
        true
    }

    /// Returns true if a table has 64-bit indices.
    pub(crate) fn is_table64(&self, table: u32) -> bool {
        self.module.tables()[table as usize].ty.is64
    }

    /// Returns the height of the first argument. The arguments are on top of the operand stack.
    fn arguments_height(&self, ty: &FuncType) -> u32 {
        self.height - ty.param_slots() as u32
    }

    /// Flushes and pops the arguments. Returns the distance in slots to the callee's frame.
    fn arguments(&mut self, ty: &FuncType) -> u32 {
        let count = ty.params().len();
        let height = self.arguments_height(ty);
        self.flush_top(count);
        self.truncate(self.stack.len() - count);
        self.height = height;
        (self.temp_slot(height) + (ty.arg_slots() as i32) + FRAME_HEADER as i32) as u32
    }

    /// Pushes the results. The callee puts them where the arguments were.
    fn results(&mut self, ty: &FuncType) {
        self.clobber_all();
        let slot = self.temp_slot(self.height);
        for &result in ty.results() {
            self.push(Kind::Temp, Ty::of(result));
        }
        if let [result] = ty.results()
            && *result != ValType::V128
        {
            self.mirror(Ty::of(*result).class(), slot);
        }
    }

    fn call(&mut self, index: u32) {
        let ty = self.module.func_type(index);
        let delta = self.arguments(ty);
        let (is_imported, offset) = self.func_place(index);
        self.emit(handler(Call, is_imported), &[delta as u64 | (offset as u64) << 32]);
        self.results(ty);
    }

    /// Returns true if a function is imported, and its offset in the instance.
    fn func_place(&self, index: u32) -> (bool, u32) {
        let imported = self.module.imported_func_count();
        if index < imported {
            (true, self.layout.imported_func(index))
        } else {
            (false, self.layout.defined_func(index - imported))
        }
    }

    fn call_indirect(&mut self, type_index: u32, table: u32) {
        let ty = self.module.func_type_of(type_index);
        let expected = self.module.type_id(type_index).0;
        let table64 = self.is_table64(table);
        let height = self.stack.last().expect("validated").height;
        let (at, index) = if table64 {
            (In::Slot, self.pop_slot())
        } else {
            let (operand, operand_ty) = self.pop();
            match self.prefer_acc(operand, Class::Int) {
                Operand::Acc => (In::Acc, 0),
                other => (In::Slot, self.operand_slot(other, operand_ty, height)),
            }
        };
        let delta = self.arguments(ty);
        let handler = if table64 { handler(CallIndirect64, ()) } else { handler(CallIndirect, at) };
        let word1 = delta as u64 | (self.layout.table(table) as u64) << 32;
        self.emit(handler, &[word1, fields_imm(index, 0, expected)]);
        self.results(ty);
    }

    /// Emits a tail call of a function of this type. `more` are the words after those that all tail calls have.
    fn tail_call(&mut self, ty: &FuncType, handler: Handler, more: &[u64]) {
        let count = ty.params().len();
        let from = self.temp_slot(self.arguments_height(ty));
        self.flush_top(count);
        let word1 = from as u32 as u64 | (ty.param_slots() as u64) << 32;
        let sizes = self.arg_slots as u64 | (ty.arg_slots() as u64) << 32;
        let start = self.emit(handler, &[word1, sizes]);
        self.code.extend_from_slice(more);
        debug_assert_eq!(self.code.len(), start + 3 + more.len());
        self.become_unreachable();
    }
}
