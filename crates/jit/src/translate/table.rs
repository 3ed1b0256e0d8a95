//! Table operators.

use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::trap::TrapCode;

use super::environment::Region;
use super::state::Translator;
use crate::trap_code::trap_code;

const ELEMENT_LOG2: i64 = 3;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(super) fn table_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::TableGet { table } => {
                let index = self.pop();
                let element = self.element_pointer(table, index, TrapCode::TableOutOfBounds);
                let flags = self.trusted(Region::Table);
                let value = self.builder.ins().load(types::I64, flags, element, 0);
                self.push(value);
            }
            Operator::TableSet { table } => {
                let (index, value) = self.pop2();
                let element = self.element_pointer(table, index, TrapCode::TableOutOfBounds);
                let flags = self.trusted(Region::Table);
                self.builder.ins().store(flags, value, element, 0);
            }
            Operator::TableSize { table } => {
                let (_, len) = self.table_bounds(table);
                self.push_table_index(table, len);
            }
            _ => return false,
        }
        true
    }

    /// Pushes a word in the address type of a table.
    fn push_table_index(&mut self, table: u32, word: Value) {
        let is64 = self.request.module.tables()[table as usize].ty.is64;
        let value = if is64 { word } else { self.builder.ins().ireduce(types::I32, word) };
        self.push(value);
    }

    /// Returns the address of an element of a table. Emits a trap with `code` for an index that is out of bounds.
    pub(super) fn element_pointer(&mut self, table: u32, index: Value, code: TrapCode) -> Value {
        let index = self.as_slot(index);
        let (elements, len) = self.table_bounds(table);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.builder.ins().trapnz(is_outside, trap_code(code));
        let distance = self.builder.ins().ishl_imm_u(index, ELEMENT_LOG2);
        let element = self.builder.ins().iadd(elements, distance);
        if self.request.spectre_guards {
            // Speculation past the check gets the address of the first element, which is inside the table.
            self.builder.ins().select_spectre_guard(is_outside, elements, element)
        } else {
            element
        }
    }
}
