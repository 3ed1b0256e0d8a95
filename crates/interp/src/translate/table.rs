//! Tables.

use wasmparser::Operator;

use super::Translator;
use super::stack::{Ty, fields_imm};
use crate::execute::table;

impl Translator<'_> {
    /// Translates a table operator; whether it is one.
    pub fn table_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::TableGet { table: index } => {
                let a = self.pop_slot();
                let offset = self.layout.table(*index);
                self.emit_slot_result(table::table_get, fields_imm(0, a, offset), &[], Ty::Ref);
            }
            Operator::TableSet { table: index } => {
                let d = self.pop_slot();
                let a = self.pop_slot();
                self.emit(table::table_set, &[fields_imm(d, a, self.layout.table(*index))]);
            }
            Operator::TableSize { table: index } => {
                let offset = self.layout.table(*index);
                let ty = self.table_index_type(*index);
                self.emit_slot_result(table::table_size, fields_imm(0, 0, offset), &[], ty);
            }
            _ => return false,
        }
        true
    }

    fn table_index_type(&self, table: u32) -> Ty {
        if self.is_table64(table) { Ty::I64 } else { Ty::I32 }
    }
}
