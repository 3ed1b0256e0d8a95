//! References. Null is the zero word, so most of this is integer code.

use wasmparser::Operator;
use wasmr_core::op::Op;

use super::Translator;
use super::stack::{Kind, Operand, Ty};
use crate::instr::field::fields;
use crate::instr::{RefAsNonNull, handler};

impl Translator<'_> {
    /// Translates `operator` if it is a reference operator. Returns true if it was.
    pub(crate) fn reference_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::RefNull { .. } => self.push(Kind::Const(0), Ty::Ref),
            Operator::RefIsNull => self.eqz(Op::I64Eqz),
            Operator::RefAsNonNull => {
                let a = self.pop_slot();
                self.emit_slot_result(handler(RefAsNonNull, ()), fields(0, a, 0, 0), &[], Ty::Ref);
            }
            Operator::BrOnNull { relative_depth } => {
                // The reference stays on the stack if the branch is not taken. The values that the label takes are below it.
                let top = self.stack.len() - 1;
                self.flush(top);
                let (operand, ty) = self.pop();
                let Operand::Slot(slot) = operand else { unreachable!("flushed") };
                let d = self.near(slot, 1);
                self.branch_if_reference(d, false, *relative_depth);
                self.push(Kind::Temp, ty);
            }
            Operator::BrOnNonNull { relative_depth } => {
                // The reference is the last value that the label takes.
                let top = self.stack.len() - 1;
                self.flush(top);
                let slot = self.temp_slot(self.stack[top].height);
                let d = self.near(slot, 1);
                self.branch_if_reference(d, true, *relative_depth);
                self.pop();
            }
            _ => return false,
        }
        true
    }
}
