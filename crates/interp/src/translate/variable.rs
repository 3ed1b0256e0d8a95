//! Locals, globals and `select`. A `local.get` emits nothing, a `local.set` usually redirects the cell that made the value.

use wasmparser::Operator;
use wasmr_core::types::ValType;

use super::Translator;
use super::stack::{Class, Fuse, Kind, Operand, Ty, fields, fields_imm, is_near};
use crate::execute::{fused, variable};

impl Translator<'_> {
    /// `local.get`.
    pub fn local_get(&mut self, local: u32) {
        let ty = self.locals[local as usize].ty;
        self.push(Kind::Local(local), ty);
    }

    /// `local.set`.
    pub fn local_set(&mut self, local: u32) {
        self.assign(local);
        self.truncate(self.stack.len() - 1);
    }

    /// `local.tee`.
    pub fn local_tee(&mut self, local: u32) {
        self.assign(local);
    }

    /// Puts the top value into a local and leaves it on the stack.
    fn assign(&mut self, local: u32) {
        let index = self.stack.len() - 1;
        let value = self.stack[index];
        if value.kind == Kind::Local(local) {
            return;
        }
        self.preserve(local);
        let slot = self.locals[local as usize].slot;
        match value.kind {
            Kind::Local(other) => self.emit_copy(self.locals[other as usize].slot, slot, value.ty),
            Kind::Const(bits) => self.emit_constant(slot, bits),
            Kind::Temp => {
                if self.pending.is_some_and(|pending| pending.index == index) && is_near(slot) {
                    self.settle_to(slot, value.ty);
                    // The value is now in the local only.
                    self.stack[index].kind = Kind::Local(local);
                    self.local_values.push(index);
                } else {
                    self.settle();
                    self.emit_copy(self.temp_slot(value.height), slot, value.ty);
                }
            }
        }
    }

    /// Translates a global or `select`; whether it is one.
    pub fn variable_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::GlobalGet { global_index } => self.global_get(*global_index),
            Operator::GlobalSet { global_index } => self.global_set(*global_index),
            Operator::Select => self.select(),
            Operator::TypedSelect { .. } => self.select(),
            _ => return false,
        }
        true
    }

    /// Whether a global is imported, and its offset in the instance.
    fn global_place(&self, index: u32) -> (bool, u32) {
        let imported = self.module.imported_global_count();
        if index < imported {
            (true, self.layout.imported_global(index))
        } else {
            (false, self.layout.defined_global(index - imported))
        }
    }

    fn global_get(&mut self, index: u32) {
        let (imported, offset) = self.global_place(index);
        let content = self.module.globals()[index as usize].ty.content;
        let ty = Ty::of(content);
        let word1 = fields_imm(0, 0, offset);
        if content == ValType::V128 {
            let handler = if imported { variable::global_get_imported_v128 } else { variable::global_get_v128 };
            self.emit_slot_result(handler, word1, &[], ty);
            return;
        }
        let handlers = variable::global_get_handlers(ty.class() == Class::Float, imported);
        let start = self.begin();
        let fuse = if ty == Ty::I32 && !imported { Fuse::Global { start, offset } } else { Fuse::None };
        self.emit_result(handlers, word1, &[], ty, fuse);
    }

    fn global_set(&mut self, index: u32) {
        let (imported, offset) = self.global_place(index);
        let height = self.stack.last().expect("validated").height;
        let ty = self.stack.last().expect("validated").ty;
        if ty == Ty::V128 {
            let a = self.pop_slot();
            let handler = if imported { variable::global_set_imported_v128 } else { variable::global_set_v128 };
            self.emit(handler, &[fields_imm(0, a, offset)]);
            return;
        }
        let (operand, ty, fuse) = self.pop_fusable();
        if let Fuse::Add { start, a, b: Operand::Imm(addend) } = fuse
            && !imported
        {
            let (from_acc, a) = match a {
                Operand::Slot(slot) => (false, slot as i16),
                _ => (true, 0),
            };
            self.code.truncate(start);
            self.emit(fused::set_global_plus_handler(from_acc), &[fields_imm(0, a, offset), addend as u32 as u64]);
            return;
        }
        let (from_acc, a) = match self.prefer_acc(operand, ty.class()) {
            Operand::Acc => (true, 0),
            other => (false, self.to_slot(other, ty, height)),
        };
        let handler = variable::global_set_handler(ty.class() == Class::Float, imported, from_acc);
        self.emit(handler, &[fields_imm(0, a, offset)]);
    }

    fn select(&mut self) {
        let height = self.stack.last().expect("validated").height;
        let ty = self.stack[self.stack.len() - 2].ty;
        let (from_acc, x) = if ty == Ty::V128 {
            (false, self.pop_slot())
        } else {
            let (condition, condition_ty) = self.pop();
            match self.prefer_acc(condition, Class::Int) {
                Operand::Acc => (true, 0),
                other => (false, self.to_slot(other, condition_ty, height)),
            }
        };
        let b = self.pop_slot();
        let a = self.pop_slot();
        if ty == Ty::V128 {
            self.emit_slot_result(variable::select_v128, fields(0, a, b, x), &[], ty);
        } else {
            let handlers = variable::select_handlers(ty.class() == Class::Float, from_acc);
            self.emit_result(handlers, fields(0, a, b, x), &[], ty, Fuse::None);
        }
    }
}
