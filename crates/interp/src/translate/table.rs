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
            Operator::TableGrow { table: index } => {
                let a = self.pop_block(2);
                let ty = self.table_index_type(*index);
                let handler = if ty == Ty::I64 { table::table_grow::<true> } else { table::table_grow::<false> };
                self.emit_slot_result(handler, fields_imm(0, a, *index), &[], ty);
            }
            Operator::TableFill { table: index } => {
                let d = self.pop_block(3);
                self.emit(table::table_fill, &[fields_imm(d, 0, *index)]);
                self.clobber_all();
            }
            Operator::TableCopy { dst_table, src_table } => {
                let d = self.pop_block(3);
                let tables = *dst_table as u64 | (*src_table as u64) << 32;
                self.emit(table::table_copy, &[fields_imm(d, 0, 0), tables]);
                self.clobber_all();
            }
            Operator::TableInit { elem_index, table: index } => {
                let d = self.pop_block(3);
                let operands = *index as u64 | (*elem_index as u64) << 32;
                self.emit(table::table_init, &[fields_imm(d, 0, 0), operands]);
                self.clobber_all();
            }
            Operator::ElemDrop { elem_index } => {
                self.emit(table::elem_drop, &[fields_imm(0, 0, *elem_index)]);
                self.clobber_all();
            }
            _ => return false,
        }
        true
    }

    fn table_index_type(&self, table: u32) -> Ty {
        if self.is_table64(table) { Ty::I64 } else { Ty::I32 }
    }
}
