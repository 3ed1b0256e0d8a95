//! Calls: arguments are flushed to their canonical slots, which are the callee's argument area.

use wasmparser::Operator;
use wasmr_core::types::{FuncType, ValType};

use super::Translator;
use super::stack::{Class, Kind, Operand, Ty, fields, fields_imm};
use crate::execute::call;
use wasmr_runtime::frame::FRAME_HEADER;

impl<'m> Translator<'m> {
    /// Translates a call operator; whether it is one.
    pub fn call_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Call { function_index } => self.call(*function_index),
            Operator::CallIndirect { type_index, table_index } => self.call_indirect(*type_index, *table_index),
            Operator::CallRef { type_index } => {
                let func = self.pop_slot();
                let ty = self.module.func_type_of(*type_index);
                let delta = self.arguments(ty);
                self.emit(call::call_ref, &[delta as u64, fields(func, 0, 0, 0)]);
                self.results(ty);
            }
            Operator::ReturnCall { function_index } => {
                let index = *function_index;
                let ty = self.module.func_type(index);
                let imported = self.module.imported_func_count();
                if index < imported {
                    let offset = self.layout.imported_func(index);
                    self.tail_call(ty, call::return_call_imported, &[offset as u64]);
                } else {
                    let offset = self.layout.defined_func(index - imported);
                    self.tail_call(ty, call::return_call_defined, &[offset as u64]);
                }
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let index = self.pop_slot() as i64 as u64;
                let ty = self.module.func_type_of(*type_index);
                let expected = self.module.type_id(*type_index).0;
                let table = self.layout.table(*table_index) as u64 | (expected as u64) << 32;
                let handler = if self.is_table64(*table_index) {
                    call::return_call_indirect::<true>
                } else {
                    call::return_call_indirect::<false>
                };
                self.tail_call(ty, handler, &[table, index]);
            }
            Operator::ReturnCallRef { type_index } => {
                let func = self.pop_slot() as i64 as u64;
                let ty = self.module.func_type_of(*type_index);
                self.tail_call(ty, call::return_call_ref, &[func]);
            }
            _ => return false,
        }
        true
    }

    /// Whether a table has 64-bit indices.
    pub fn is_table64(&self, table: u32) -> bool {
        self.module.tables()[table as usize].ty.is64
    }

    /// Height of the first of the arguments that are on top of the stack.
    fn arguments_height(&self, ty: &FuncType) -> u32 {
        self.height - ty.param_slots() as u32
    }

    /// Flushes the arguments, pops them, and gives the distance to the callee's frame.
    fn arguments(&mut self, ty: &FuncType) -> u32 {
        let count = ty.params().len();
        let height = self.arguments_height(ty);
        self.flush_top(count);
        self.truncate(self.stack.len() - count);
        self.height = height;
        (self.temp_slot(height) + (ty.arg_slots() as i32) + FRAME_HEADER as i32) as u32
    }

    /// Pushes the results, which the callee left where the arguments were.
    fn results(&mut self, ty: &FuncType) {
        self.clobber_all();
        let slot = self.temp_slot(self.height);
        for &result in ty.results() {
            self.push(Kind::Temp, Ty::of(result));
        }
        if let [result] = ty.results()
            && *result != ValType::V128
        {
            match Ty::of(*result).class() {
                Class::Int => self.acc = Some(slot),
                Class::Float => self.facc = Some(slot),
                Class::Vector => {}
            }
        }
    }

    fn call(&mut self, index: u32) {
        let ty = self.module.func_type(index);
        let delta = self.arguments(ty);
        let imported = self.module.imported_func_count();
        if index < imported {
            let word1 = delta as u64 | (self.layout.imported_func(index) as u64) << 32;
            self.emit(call::call_imported, &[word1]);
        } else {
            let word1 = delta as u64 | (self.layout.defined_func(index - imported) as u64) << 32;
            self.emit(call::call_defined, &[word1]);
        }
        self.results(ty);
    }

    fn call_indirect(&mut self, type_index: u32, table: u32) {
        let ty = self.module.func_type_of(type_index);
        let expected = self.module.type_id(type_index).0;
        let table64 = self.is_table64(table);
        let height = self.stack.last().expect("validated").height;
        let (from_acc, index) = if table64 {
            (false, self.pop_slot())
        } else {
            let (operand, operand_ty) = self.pop();
            match self.prefer_acc(operand, Class::Int) {
                Operand::Acc => (true, 0),
                other => (false, self.to_slot(other, operand_ty, height)),
            }
        };
        let delta = self.arguments(ty);
        let handler = if table64 { call::call_indirect_64 } else { call::call_indirect_handler(from_acc) };
        let word1 = delta as u64 | (self.layout.table(table) as u64) << 32;
        self.emit(handler, &[word1, fields_imm(index, 0, expected)]);
        self.results(ty);
    }

    /// Emits a tail call of a function of this type; `more` follows the operands that all tail calls have.
    fn tail_call(&mut self, ty: &FuncType, handler: crate::execute::dispatch::Handler, more: &[u64]) {
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
