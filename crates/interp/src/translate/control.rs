//! Blocks, branches, `br_table`, returns, `unreachable`, `nop`, `drop`.

use wasmparser::{BrTable, Operator};
use wasmr_core::op::Op;
use wasmr_core::types::ValType;
use wasmr_module::BlockSig;
use wasmr_module::operator_class::{Nesting, OperatorClass};

use super::Translator;
use super::labels::{FixupPlace, Label, LabelKind};
use super::numeric::operand_type;
use super::stack::{Class, Count, Fuse, Kind, Operand, Ty, fields, fields_imm};
use crate::execute::control;
use crate::execute::dispatch::Handler;
use crate::execute::numeric::Form;
use crate::execute::operand::{Acc, Imm, SlotA};
use crate::execute::rows::{branch_handler, count_and_branch_handler};

impl<'m> Translator<'m> {
    /// Translates a control operator; whether it is one.
    pub fn control_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.emit(control::unreachable, &[0]);
                self.become_unreachable();
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Block { blockty } => {
                let sig = self.module.block_sig(*blockty);
                self.open(LabelKind::Block, sig);
            }
            Operator::Loop { blockty } => {
                let sig = self.module.block_sig(*blockty);
                self.enter_block(sig);
                self.store_constants();
                let start = self.begin();
                self.barrier = start;
                self.clobber_all();
                self.loops.open(self.offset, start);
                self.push_label(LabelKind::Loop { start }, sig);
            }
            Operator::If { blockty } => {
                let sig = self.module.block_sig(*blockty);
                let moves = !sig.params().is_empty() || !self.local_values.is_empty();
                let condition = self.pop_condition(moves);
                self.enter_block(sig);
                let to_else = self.emit_branch_if(condition, false);
                self.push_label(LabelKind::If { to_else }, sig);
            }
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                let label = self.label_index(*relative_depth);
                self.branch(label);
                self.become_unreachable();
            }
            Operator::BrIf { relative_depth } => {
                let label = self.label_index(*relative_depth);
                let moves = self.branch_value_count(label) != 0;
                let condition = self.pop_condition(moves);
                self.branch_if(condition, true, *relative_depth);
            }
            Operator::BrTable { targets } => {
                self.br_table(targets);
                self.become_unreachable();
            }
            Operator::Return => {
                self.return_values();
                self.become_unreachable();
            }
            _ => return false,
        }
        true
    }

    /// Passes over an operator in unreachable code, where only the structure of blocks matters.
    pub fn skip(&mut self, operator: &Operator<'_>) {
        let nested = self.unreachable.unwrap_or(0);
        match OperatorClass::of(operator).nesting() {
            Nesting::Opens => self.unreachable = Some(nested + 1),
            Nesting::Closes if nested > 0 => self.unreachable = Some(nested - 1),
            Nesting::Closes => self.end(),
            Nesting::Divides if nested == 0 => self.else_(),
            Nesting::Divides | Nesting::Same => {}
        }
    }

    /// Marks the rest of the block as unreachable.
    pub fn become_unreachable(&mut self) {
        self.unreachable = Some(0);
        self.settle();
    }

    /// Puts everything where all paths through a block expect it.
    pub fn enter_block(&mut self, sig: BlockSig<'m>) {
        self.settle();
        self.flush_locals();
        self.flush_top(sig.params().len());
    }

    /// Opens a block whose label is its end.
    pub fn open(&mut self, kind: LabelKind, sig: BlockSig<'m>) {
        self.enter_block(sig);
        self.push_label(kind, sig);
    }

    fn push_label(&mut self, kind: LabelKind, sig: BlockSig<'m>) {
        let depth = self.stack.len() - sig.params().len();
        let height = self.stack.get(depth).map_or(self.height, |value| value.height);
        let stored = match kind {
            LabelKind::Loop { .. } => depth,
            _ => self.labels.last().map_or(0, |around| around.stored),
        };
        self.labels.push(Label { kind, sig, height, depth, stored, fixups: 0, moves: None });
    }

    fn else_(&mut self) {
        let index = self.labels.len() - 1;
        let label = self.labels[index];
        let LabelKind::If { to_else } = label.kind else { unreachable!("validated: else belongs to if") };
        if self.unreachable.take().is_none() {
            self.flush_top(label.sig.results().len());
            let cell = self.emit(control::br, &[0]);
            self.link(index, FixupPlace::Branch(cell));
        }
        self.set_target_here(FixupPlace::Branch(to_else));
        self.labels[index].kind = LabelKind::Block;
        self.pending = None;
        self.reset_stack(&label, label.sig.params());
    }

    fn end(&mut self) {
        let Some(label) = self.labels.pop() else { return };
        if let LabelKind::Loop { .. } = label.kind {
            self.loops.close();
        }
        let reached = self.unreachable.is_none();
        if label.kind == LabelKind::Function {
            if reached {
                self.return_values();
            }
            return;
        }
        if reached {
            self.flush_top(label.sig.results().len());
        }
        let mut joined = label.fixups != 0;
        if let LabelKind::If { to_else } = label.kind {
            self.set_target_here(FixupPlace::Branch(to_else));
            joined = true;
        }
        if let LabelKind::Try { region } = label.kind {
            self.try_regions[region].range.end = self.code.len() as u32;
        }
        self.bind(&label);
        self.pending = None;
        self.unreachable = if reached || joined { None } else { Some(0) };
        self.reset_stack(&label, label.sig.results());
    }

    /// Pops a condition, absorbing the cells that computed it where possible. `moves` says that cells may be emitted before the
    /// branch, which a cell that writes a slot must not be moved behind.
    fn pop_condition(&mut self, moves: bool) -> Condition {
        if moves {
            self.last_count = None;
        }
        let height = self.stack.last().expect("validated").height;
        let (operand, ty, fuse) = self.pop_fusable();
        let absorbed = match fuse {
            Fuse::Compare { start, op, a, b } => self.absorb_compare(start, op, a, b),
            Fuse::Eqz { start, operand, is64 } => self.absorb_eqz(start, operand, is64),
            Fuse::And { start, a, b, wanted } => self.absorb_and(start, a, b, wanted),
            _ => None,
        };
        if let Some(condition) = absorbed {
            return condition;
        }
        let operand = self.prefer_acc(operand, Class::Int);
        if operand == Operand::Acc
            && ty == Ty::I32
            && let Some(condition) = self.absorb_count(self.code.len(), Op::I32Ne, Operand::Imm(0))
        {
            return condition;
        }
        let (from_acc, d) = match branch_operand(operand) {
            Some(place) => place,
            None => (false, self.to_slot(operand, Ty::I32, height)),
        };
        let handlers = [control::br_if_handler(from_acc, false), control::br_if_handler(from_acc, true)];
        Condition { handlers, d, a: 0, more: None }
    }

    fn absorb_compare(&mut self, start: usize, op: Op, a: Operand, b: Operand) -> Option<Condition> {
        if a == Operand::Acc
            && let Some(condition) = self.absorb_count(start, op, b)
        {
            return Some(condition);
        }
        let (form, d, a, more) = branch_form(a, b, operand_type(op))?;
        self.code.truncate(start);
        Some(Condition { handlers: [branch_handler(op, form, false), branch_handler(op, form, true)], d, a, more })
    }

    /// A branch on the comparison of a sum with `bound`, if the cell before `start` made that sum.
    fn absorb_count(&mut self, start: usize, op: Op, bound: Operand) -> Option<Condition> {
        let Count { start: sum, d, a, addend } = self.last_count?;
        if sum + 2 != start || sum < self.barrier {
            return None;
        }
        let (is_slot, bound) = match bound {
            Operand::Slot(slot) => (true, slot as u32),
            Operand::Imm(bits) => (false, bits as u32),
            Operand::Acc => return None,
        };
        let handlers = [count_and_branch_handler(op, is_slot, false)?, count_and_branch_handler(op, is_slot, true)?];
        self.code.truncate(sum);
        self.last_count = None;
        Some(Condition { handlers, d, a, more: Some(addend as u32 as u64 | (bound as u64) << 32) })
    }

    fn absorb_eqz(&mut self, start: usize, operand: Operand, is64: bool) -> Option<Condition> {
        if operand == Operand::Acc
            && !is64
            && let Some(condition) = self.absorb_count(start, Op::I32Eq, Operand::Imm(0))
        {
            return Some(condition);
        }
        let (from_acc, d) = branch_operand(operand)?;
        self.code.truncate(start);
        let handler: fn(bool, bool) -> Handler = if is64 { control::br_if_i64_handler } else { control::br_if_handler };
        Some(Condition { handlers: [handler(from_acc, true), handler(from_acc, false)], d, a: 0, more: None })
    }

    fn absorb_and(&mut self, start: usize, a: Operand, b: Operand, wanted: bool) -> Option<Condition> {
        let (form, d, a, None) = branch_form(a, b, Ty::I32)? else { return None };
        self.code.truncate(start);
        let (from_acc, imm) = match form {
            Form::SlotImm => (false, true),
            Form::AccSlot => (true, false),
            Form::AccImm => (true, true),
            _ => (false, false),
        };
        let handler = |taken| control::br_if_and_handler(from_acc, imm, taken == wanted);
        Some(Condition { handlers: [handler(false), handler(true)], d, a, more: None })
    }

    /// Emits a branch, to be linked, that is taken if the condition is `wanted`.
    fn emit_branch_if(&mut self, condition: Condition, wanted: bool) -> usize {
        let Condition { handlers, d, a, more } = condition;
        let cell = self.emit(handlers[wanted as usize], &[fields(d, a, 0, 0)]);
        self.code.extend(more);
        cell
    }

    /// Branches to a label if the condition is `wanted`; what the label takes is on the stack and stays there.
    fn branch_if(&mut self, condition: Condition, wanted: bool, depth: u32) {
        let label = self.label_index(depth);
        let count = self.labels[label].branch_types().len();
        if self.labels[label].kind != LabelKind::Function && self.in_place(label) {
            self.flush_top(count);
            let cell = self.emit_branch_if(condition, wanted);
            self.link(label, FixupPlace::Branch(cell));
            return;
        }
        self.flush_branch_values(label);
        let around = self.emit_branch_if(condition, !wanted);
        self.branch_keeping(label);
        self.set_target_here(FixupPlace::Branch(around));
        self.clobber_all();
    }

    /// Branches on whether the `i64` or reference in slot `d` is not zero.
    pub fn branch_if_reference(&mut self, slot: i16, wanted: bool, depth: u32) {
        let handlers = [control::br_if_i64_handler(false, false), control::br_if_i64_handler(false, true)];
        self.branch_if(Condition { handlers, d: slot, a: 0, more: None }, wanted, depth);
    }

    /// Puts the values that a branch to the label carries into their canonical slots.
    fn flush_branch_values(&mut self, label: usize) {
        self.flush_top(self.branch_value_count(label));
    }

    /// How many values a branch to the label carries.
    fn branch_value_count(&self, label: usize) -> usize {
        match self.labels[label].kind {
            LabelKind::Function => self.ty.results().len(),
            _ => self.labels[label].branch_types().len(),
        }
    }

    /// Branches to a label, leaving the symbolic stack as it is; the values it carries are flushed.
    fn branch_keeping(&mut self, label: usize) {
        if self.labels[label].kind == LabelKind::Function {
            self.return_flushed();
            return;
        }
        self.move_values(label);
        let cell = self.emit(control::br, &[0]);
        self.link(label, FixupPlace::Branch(cell));
    }

    /// Copies the flushed values that a branch to the label carries to the label's canonical slots.
    fn move_values(&mut self, label: usize) {
        let label = self.labels[label];
        let types = label.branch_types();
        let mut height = label.height;
        let first = self.stack.len() - types.len();
        for index in first..self.stack.len() {
            let value = self.stack[index];
            if value.height != height {
                self.emit_copy(self.temp_slot(value.height), self.temp_slot(height), value.ty);
            }
            height += value.ty.slots();
        }
    }

    /// Branches to a label, consuming the values it carries.
    fn branch(&mut self, label: usize) {
        if self.labels[label].kind == LabelKind::Function {
            self.return_values();
            return;
        }
        let target = self.labels[label];
        let count = target.branch_types().len();
        if count == 1 && !self.in_place(label) {
            // The one value goes straight to the label's slot.
            let slot = self.temp_slot(target.height);
            self.move_top_to(slot);
        } else {
            self.flush_top(count);
            self.move_values(label);
        }
        let cell = self.emit(control::br, &[0]);
        self.link(label, FixupPlace::Branch(cell));
    }

    /// Puts the top value, wherever it is, into `slot`; pops it.
    fn move_top_to(&mut self, slot: i32) {
        let index = self.stack.len() - 1;
        let value = self.stack[index];
        if self.pending.is_some_and(|pending| pending.index == index) {
            self.settle_to(slot, value.ty);
            self.pop();
            return;
        }
        let (operand, ty) = self.pop();
        match operand {
            Operand::Slot(from) => self.emit_copy(from, slot, ty),
            Operand::Imm(bits) => self.emit_constant(slot, bits),
            Operand::Acc => unreachable!("only a pending value is in an accumulator alone"),
        }
    }

    fn br_table(&mut self, targets: &BrTable<'_>) {
        let height = self.stack.last().expect("validated").height;
        let (mut operand, ty, fuse) = self.pop_fusable();
        // A case label's bias is added by the cell itself.
        let mut bias = 0;
        if let Fuse::Add { start, a, b: Operand::Imm(addend) } = fuse {
            self.code.truncate(start);
            operand = a;
            bias = addend as u32 as u64;
        }
        let default = self.label_index(targets.default());
        self.flush_branch_values(default);
        let (handler, d): (Handler, i16) = match operand {
            Operand::Acc => (control::br_table::<Acc>, 0),
            other => (control::br_table::<crate::execute::operand::SlotD>, self.to_slot(other, ty, height)),
        };
        let count = targets.len();
        let cell = self.emit(handler, &[fields_imm(d, 0, count), bias]);
        self.code.extend(std::iter::repeat_n(0, (count as usize + 2) / 2));
        let depths = targets.targets().map(|depth| depth.expect("validated")).chain([targets.default()]);
        for (entry, depth) in depths.enumerate() {
            let label = self.label_index(depth);
            let place = FixupPlace::Table(cell, entry);
            if self.labels[label].kind != LabelKind::Function && self.in_place(label) {
                self.link(label, place);
                continue;
            }
            let moves = match self.labels[label].moves {
                Some((table, moves)) if table == cell => moves,
                _ => {
                    let moves = self.code.len();
                    self.barrier = moves;
                    self.labels[label].moves = Some((cell, moves));
                    self.clobber_all();
                    self.branch_keeping(label);
                    moves
                }
            };
            self.set_target(place, moves);
        }
    }

    /// Returns from the function, consuming its results.
    pub fn return_values(&mut self) {
        let ty = self.ty;
        let base = self.base_slot();
        match ty.results() {
            [] => {
                self.settle();
                self.emit(control::return_plain, &[0]);
            }
            [result] if *result != ValType::V128 => {
                let height = self.stack.last().expect("validated").height;
                let (operand, ty) = self.pop();
                let float = ty.class() == Class::Float;
                match self.prefer_acc(operand, ty.class()) {
                    Operand::Acc => {
                        let handler: Handler =
                            if float { control::return_value::<f64, Acc> } else { control::return_value::<i64, Acc> };
                        self.emit(handler, &[fields(base as i16, 0, 0, 0)]);
                    }
                    Operand::Imm(bits) if !float && (ty == Ty::I32 || bits as i32 as i64 as u64 == bits) => {
                        let handler: Handler = if ty == Ty::I32 {
                            control::return_value::<i32, Imm>
                        } else {
                            control::return_value::<i64, Imm>
                        };
                        self.emit(handler, &[fields_imm(base as i16, 0, bits as u32)]);
                    }
                    other => {
                        let a = self.to_slot(other, ty, height);
                        let handler: Handler = if float {
                            control::return_value::<f64, SlotA>
                        } else {
                            control::return_value::<i64, SlotA>
                        };
                        self.emit(handler, &[fields(base as i16, a, 0, 0)]);
                    }
                }
            }
            results => {
                // Results overlap parameters, so all are read before the first is written.
                self.flush_top(results.len());
                self.return_flushed();
            }
        }
    }

    /// Returns from the function; its results are flushed and stay on the symbolic stack.
    fn return_flushed(&mut self) {
        let results = self.ty.results().len();
        let mut slot = self.base_slot();
        if let [result] = self.ty.results()
            && *result != ValType::V128
        {
            // Single results travel in the accumulator as well.
            let value = *self.stack.last().expect("validated");
            let from = self.temp_slot(value.height);
            let a = self.near(from, 1);
            let handler: Handler = if matches!(value.ty, Ty::F32 | Ty::F64) {
                control::return_value::<f64, SlotA>
            } else {
                control::return_value::<i64, SlotA>
            };
            self.emit(handler, &[fields(slot as i16, a, 0, 0)]);
            return;
        }
        for index in self.stack.len() - results..self.stack.len() {
            let value = self.stack[index];
            self.emit_copy(self.temp_slot(value.height), slot, value.ty);
            slot += value.ty.slots() as i32;
        }
        self.emit(control::return_plain, &[0]);
    }

    /// Emits a landing for a catch clause that leads to the function's label: what is caught is at the current height.
    pub fn landing_that_returns(&mut self, types: &[Ty]) -> usize {
        let over = self.emit(control::br, &[0]);
        let landing = self.code.len();
        self.barrier = landing;
        let depth = self.stack.len();
        self.clobber_all();
        for &ty in types {
            self.push(Kind::Temp, ty);
        }
        self.return_flushed();
        self.truncate(depth);
        self.set_target_here(FixupPlace::Branch(over));
        self.clobber_all();
        landing
    }
}

/// The form and fields of a branch cell for two operands of a type, and its word 2, if there is such a cell.
fn branch_form(a: Operand, b: Operand, ty: Ty) -> Option<(Form, i16, i16, Option<u64>)> {
    let near = |slot: i32| i16::try_from(slot).ok();
    // A small constant is sign-extended from 16 bits to the operand's width; `bits` is in slot form.
    let small = |bits: u64| {
        let value = bits as i16;
        let extended = if ty == Ty::I32 { value as i32 as u32 as u64 } else { value as i64 as u64 };
        (extended == bits).then_some(value)
    };
    Some(match (a, b) {
        (Operand::Slot(a), Operand::Slot(b)) => (Form::SlotSlot, near(a)?, near(b)?, None),
        (Operand::Acc, Operand::Slot(b)) => (Form::AccSlot, 0, near(b)?, None),
        (Operand::Slot(a), Operand::Imm(bits)) => match small(bits) {
            Some(b) => (Form::SlotImm, near(a)?, b, None),
            None => (Form::SlotWide, near(a)?, 0, Some(bits)),
        },
        (Operand::Acc, Operand::Imm(bits)) => match small(bits) {
            Some(b) => (Form::AccImm, 0, b, None),
            None => (Form::AccWide, 0, 0, Some(bits)),
        },
        _ => return None,
    })
}

/// The field of a branch cell for one operand, if there is one.
fn branch_operand(operand: Operand) -> Option<(bool, i16)> {
    match operand {
        Operand::Acc => Some((true, 0)),
        Operand::Slot(slot) => Some((false, i16::try_from(slot).ok()?)),
        Operand::Imm(_) => None,
    }
}

/// A popped condition: the branch cell that will test it. `handlers[w]` branches if the condition is `w`.
#[derive(Clone, Copy)]
struct Condition {
    handlers: [Handler; 2],
    d: i16,
    a: i16,
    /// Word 2, if the cell has one.
    more: Option<u64>,
}
