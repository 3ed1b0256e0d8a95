//! Operators on locals and globals, constants, `drop` and `select`.

use cranelift_codegen::ir::{InstBuilder, types};
use wasmparser::Operator;

use super::state::Translator;
use crate::abi::value_type;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(super) fn variable_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::LocalGet { local_index } => {
                let (variable, _) = self.locals[local_index as usize];
                self.count_variable(variable);
                let value = self.builder.use_var(variable);
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.set_local(local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = *self.stack.last().expect("validated");
                self.set_local(local_index, value);
            }
            Operator::I32Const { value } => {
                let value = self.builder.ins().iconst(types::I32, i64::from(value as u32));
                self.push(value);
            }
            Operator::I64Const { value } => {
                let value = self.builder.ins().iconst(types::I64, value);
                self.push(value);
            }
            Operator::F32Const { value } => {
                let value =
                    self.builder.ins().f32const(cranelift_codegen::ir::immediates::Ieee32::with_bits(value.bits()));
                self.push(value);
            }
            Operator::F64Const { value } => {
                let value =
                    self.builder.ins().f64const(cranelift_codegen::ir::immediates::Ieee64::with_bits(value.bits()));
                self.push(value);
            }
            Operator::V128Const { value } => {
                let bytes = self.builder.func.dfg.constants.insert(value.bytes().as_slice().into());
                let value = self.builder.ins().vconst(types::I8X16, bytes);
                self.push(value);
            }
            Operator::GlobalGet { global_index } => {
                let ty = value_type(self.request.module.globals()[global_index as usize].ty.content);
                let (base, offset, flags) = self.global(global_index);
                let value = if ty == types::I32 {
                    // The whole slot, as `global.set` writes it: Cranelift passes a value from a store to a load of the same type.
                    let slot = self.builder.ins().load(types::I64, flags, base, offset);
                    self.builder.ins().ireduce(types::I32, slot)
                } else {
                    self.builder.ins().load(ty, flags, base, offset)
                };
                self.push(value);
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                let value = self.canonical(value);
                let value = self.as_slot(value);
                let (base, offset, flags) = self.global(global_index);
                self.builder.ins().store(flags, value, base, offset);
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let condition = self.pop();
                let (first, second) = self.pop2();
                let (first, second) = (self.canonical(first), self.canonical(second));
                let value = self.builder.ins().select(condition, first, second);
                self.push(value);
            }
            _ => return false,
        }
        true
    }

    fn set_local(&mut self, index: u32, value: cranelift_codegen::ir::Value) {
        let (variable, _) = self.locals[index as usize];
        self.count_variable(variable);
        let value = self.canonical(value);
        self.builder.def_var(variable, value);
    }
}
