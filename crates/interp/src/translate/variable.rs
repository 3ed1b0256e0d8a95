//! Locals, globals and `select`. A `local.get` emits nothing. A `local.set` usually redirects the instruction that made the
//! value.

use wasmparser::Operator;
use wasmr_core::types::ValType;

use super::Translator;
use super::numeric::slot_or_acc;
use super::stack::{Class, Fuse, Kind, Operand, Ty, is_near};
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Dst, In};
use crate::instr::{GlobalGet, GlobalGetV128, GlobalSet, GlobalSetV128, Select, SelectV128, SetGlobalPlus, handler};

impl Translator<'_> {
    /// `local.get`.
    pub(crate) fn local_get(&mut self, local: u32) {
        let ty = self.locals[local as usize].ty;
        self.push(Kind::Local(local), ty);
    }

    /// `local.set`.
    pub(crate) fn local_set(&mut self, local: u32) {
        self.assign(local);
        self.truncate(self.stack.len() - 1);
    }

    /// `local.tee`.
    pub(crate) fn local_tee(&mut self, local: u32) {
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
            Kind::Const(bits) => self.emit_constant(slot, bits, value.ty),
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

    /// Translates `operator` if it accesses a global or is a `select`. Returns true if it was.
    pub(crate) fn variable_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::GlobalGet { global_index } => self.global_get(*global_index),
            Operator::GlobalSet { global_index } => self.global_set(*global_index),
            Operator::Select => self.select(),
            Operator::TypedSelect { .. } => self.select(),
            _ => return false,
        }
        true
    }

    /// Returns true if a global is imported, and its offset in the instance.
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
            self.emit_slot_result(handler(GlobalGetV128, imported), word1, &[], ty);
            return;
        }
        let is_float = ty.class() == Class::Float;
        let handlers = Dst::BOTH.map(|dst| handler(GlobalGet, (is_float, imported, dst)));
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
            self.emit(handler(GlobalSetV128, imported), &[fields_imm(0, a, offset)]);
            return;
        }
        let (operand, ty, fuse) = self.pop_fusable();
        if let Fuse::Add { start, a, b: Operand::Imm(addend) } = fuse
            && !imported
        {
            let (at, a) = slot_or_acc(a);
            self.code.truncate(start);
            self.emit(handler(SetGlobalPlus, at), &[fields_imm(0, a, offset), addend as u32 as u64]);
            return;
        }
        let (at, a) = match self.prefer_acc(operand, ty.class()) {
            Operand::Acc => (In::Acc, 0),
            other => (In::Slot, self.operand_slot(other, ty, height)),
        };
        let is_float = ty.class() == Class::Float;
        self.emit(handler(GlobalSet, (is_float, imported, at)), &[fields_imm(0, a, offset)]);
    }

    fn select(&mut self) {
        let height = self.stack.last().expect("validated").height;
        let ty = self.stack[self.stack.len() - 2].ty;
        let (at, x) = if ty == Ty::V128 {
            (In::Slot, self.pop_slot())
        } else {
            let (condition, condition_ty) = self.pop();
            match self.prefer_acc(condition, Class::Int) {
                Operand::Acc => (In::Acc, 0),
                other => (In::Slot, self.operand_slot(other, condition_ty, height)),
            }
        };
        let b = self.pop_slot();
        let a = self.pop_slot();
        if ty == Ty::V128 {
            let handlers = Dst::BOTH.map(|dst| handler(SelectV128, dst));
            self.emit_result(handlers, fields(0, a, b, x), &[], ty, Fuse::None);
        } else {
            let is_float = ty.class() == Class::Float;
            let handlers = Dst::BOTH.map(|dst| handler(Select, (is_float, at, dst)));
            self.emit_result(handlers, fields(0, a, b, x), &[], ty, Fuse::None);
        }
    }
}
