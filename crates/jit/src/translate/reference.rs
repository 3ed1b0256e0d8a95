//! Reference operators. A reference is a word; null is 0.

use cranelift_codegen::ir::{InstBuilder, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;

use super::state::Translator;
use crate::trap_code::trap_code;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(super) fn reference_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::RefNull { .. } => {
                let null = self.builder.ins().iconst(types::I64, 0);
                self.push(null);
            }
            Operator::RefIsNull => {
                let reference = self.pop();
                let is_null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
                let value = self.builder.ins().uextend(types::I32, is_null);
                self.push(value);
            }
            Operator::RefFunc { function_index } => {
                let func = self.func_pointer(function_index);
                self.push(func);
            }
            Operator::RefAsNonNull => {
                let reference = *self.stack.last().expect("validated");
                self.builder.ins().trapz(reference, trap_code(TrapCode::NullReference));
            }
            Operator::BrOnNull { relative_depth } => {
                let reference = self.pop();
                let is_null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
                self.branch_if(is_null, relative_depth);
                self.push(reference);
            }
            Operator::BrOnNonNull { relative_depth } => {
                // The reference is the last operand that the branch passes.
                let reference = *self.stack.last().expect("validated");
                self.branch_if(reference, relative_depth);
                self.pop();
            }
            _ => return false,
        }
        true
    }
}
