//! Tables.

use wasmparser::Operator;

use super::Translator;
use super::stack::Ty;
use crate::instr::field::fields_imm;
use crate::instr::{TableGet, TableSet, TableSize, handler};

impl Translator<'_> {
    /// Translates `operator` if it is a table operator. Returns true if it was.
    pub(crate) fn table_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::TableGet { table: index } => {
                let a = self.pop_slot();
                let offset = self.layout.table(*index);
                self.emit_slot_result(handler(TableGet, ()), fields_imm(0, a, offset), &[], Ty::Ref);
            }
            Operator::TableSet { table: index } => {
                let d = self.pop_slot();
                let a = self.pop_slot();
                self.emit(handler(TableSet, ()), &[fields_imm(d, a, self.layout.table(*index))]);
            }
            Operator::TableSize { table: index } => {
                let offset = self.layout.table(*index);
                let ty = self.table_index_type(*index);
                self.emit_slot_result(handler(TableSize, ()), fields_imm(0, 0, offset), &[], ty);
            }
            _ => return false,
        }
        true
    }

    fn table_index_type(&self, table: u32) -> Ty {
        if self.is_table64(table) { Ty::I64 } else { Ty::I32 }
    }
}
