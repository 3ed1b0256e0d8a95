//! Blocks, branches, `br_table`, returns, `unreachable`, `nop`, `drop`.

use wasmparser::Operator;
use wasmr_core::op::Op;
use wasmr_core::types::ValType;
use wasmr_module::BlockSig;
use wasmr_module::operator_class::{Nesting, OperatorClass};

use super::Translator;
use super::labels::{FixupPlace, Label, LabelKind};
use super::numeric::operand_type;
use super::stack::{Class, Count, Fuse, Kind, Operand, Ty};
use crate::execute::dispatch::Handler;
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Form, In, Ordered};
use crate::instr::{
    Br, BrIf, BrIf64, BrIfAnd, BrTable, BranchCompare, CountAndBranch, Return, ReturnConstant, ReturnPlain,
    Unreachable, handler,
};

impl<'m> Translator<'m> {
    /// Translates `operator` if it is a control operator. Returns true if it was.
    pub(crate) fn control_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.emit(handler(Unreachable, ()), &[0]);
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
                self.loops.add(self.offset, start);
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
            Operator::Else | Operator::Catch { .. } | Operator::CatchAll => self.divide(operator),
            Operator::End | Operator::Delegate { .. } => self.end(),
            Operator::Br { relative_depth } => {
                let label = self.label_index(*relative_depth);
                self.branch(label);
                self.become_unreachable();
            }
            Operator::BrIf { relative_depth } => self.branch_on(true, *relative_depth),
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

    /// Skips an operator in unreachable code, where only the structure of blocks matters.
    pub(crate) fn skip(&mut self, operator: &Operator<'_>) {
        let nested = self.unreachable.unwrap_or(0);
        match OperatorClass::of(operator).nesting() {
            Nesting::Opens => self.unreachable = Some(nested + 1),
            Nesting::Closes if nested > 0 => self.unreachable = Some(nested - 1),
            Nesting::Closes => self.end(),
            Nesting::Divides if nested == 0 => self.divide(operator),
            Nesting::Divides | Nesting::Same => {}
        }
    }

    /// Marks the rest of the block as unreachable.
    pub(crate) fn become_unreachable(&mut self) {
        self.unreachable = Some(0);
        self.settle();
    }

    /// Flushes the values that all paths through a block expect in slots: pushed locals, the block's parameters, the pending
    /// value.
    pub(crate) fn enter_block(&mut self, sig: BlockSig<'m>) {
        self.settle();
        self.flush_locals();
        self.flush_top(sig.params().len());
    }

    /// Opens a block whose label is its end.
    pub(crate) fn open(&mut self, kind: LabelKind, sig: BlockSig<'m>) {
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
        let region = match kind {
            LabelKind::Try { region } | LabelKind::LegacyTry { region, .. } => Some(region),
            _ => self.region(),
        };
        self.labels.push(Label { kind, sig, height, depth, stored, region, fixups: 0, moves: None });
    }

    /// Begins the next arm of the innermost block.
    fn divide(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Else => self.else_(),
            _ => self.catch_body(),
        }
    }

    fn else_(&mut self) {
        let index = self.labels.len() - 1;
        let label = self.labels[index];
        let LabelKind::If { to_else } = label.kind else { unreachable!("validated: else belongs to if") };
        if self.unreachable.take().is_none() {
            self.flush_top(label.sig.results().len());
            let instruction = self.emit(handler(Br, ()), &[0]);
            self.link(index, FixupPlace::Branch(instruction));
        }
        self.set_target_here(FixupPlace::Branch(to_else));
        self.labels[index].kind = LabelKind::Block;
        self.reset_stack(&label, label.sig.params());
    }

    fn end(&mut self) {
        let Some(label) = self.labels.pop() else { return };
        let reached = self.unreachable.is_none();
        if label.kind == LabelKind::Function {
            if reached {
                self.return_values();
            }
            return;
        }
        if reached {
            self.flush_top(label.sig.results().len());
            if let LabelKind::LegacyTry { .. } = label.kind {
                // The reference of an exception may be below the results.
                self.move_values(&label);
            }
        }
        let mut joined = label.fixups != 0;
        if let LabelKind::If { to_else } = label.kind {
            self.set_target_here(FixupPlace::Branch(to_else));
            joined = true;
        }
        match label.kind {
            LabelKind::Try { region } | LabelKind::LegacyTry { region, begun: 0 } => self.end_region(region),
            _ => {}
        }
        self.bind(&label);
        self.unreachable = if reached || joined { None } else { Some(0) };
        self.reset_stack(&label, label.sig.results());
    }

    /// Pops a condition. The branch absorbs the instructions that computed it where possible. `moves` is true if instructions
    /// may be emitted before the branch. An instruction that writes a slot is then not absorbed, because it would move past
    /// them.
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
        let (at, d) = match branch_operand(operand) {
            Some(place) => place,
            None => (In::Slot, self.operand_slot(operand, Ty::I32, height)),
        };
        let handlers = [false, true].map(|wanted| handler(BrIf, (at, wanted)));
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
        let handlers = [false, true].map(|wanted| handler(BranchCompare(op), (Ordered(form), wanted)));
        Some(Condition { handlers, d, a, more })
    }

    /// Returns a branch on the comparison of a sum with `bound`, if the instruction before `start` computed that sum.
    fn absorb_count(&mut self, start: usize, op: Op, bound: Operand) -> Option<Condition> {
        let Count { start: sum, d, a, addend } = self.last_count?;
        // Only comparisons of `i32`s have such an instruction.
        if sum + 2 != start || sum < self.barrier || operand_type(op) != Ty::I32 {
            return None;
        }
        let (is_slot, bound) = match bound {
            Operand::Slot(slot) => (true, slot as u32),
            Operand::Imm(bits) => (false, bits as u32),
            Operand::Acc => return None,
        };
        let handlers = [false, true].map(|wanted| handler(CountAndBranch(op), (is_slot, wanted)));
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
        let (at, d) = branch_operand(operand)?;
        self.code.truncate(start);
        let branch = |wanted| if is64 { handler(BrIf64, (at, wanted)) } else { handler(BrIf, (at, wanted)) };
        Some(Condition { handlers: [branch(true), branch(false)], d, a: 0, more: None })
    }

    fn absorb_and(&mut self, start: usize, a: Operand, b: Operand, wanted: bool) -> Option<Condition> {
        let (form, d, a, None) = branch_form(a, b, Ty::I32)? else { return None };
        self.code.truncate(start);
        let (at, is_constant) = match form {
            Form::SlotImm => (In::Slot, true),
            Form::AccSlot => (In::Acc, false),
            Form::AccImm => (In::Acc, true),
            _ => (In::Slot, false),
        };
        let handlers = [!wanted, wanted].map(|wanted| handler(BrIfAnd, (at, is_constant, wanted)));
        Some(Condition { handlers, d, a, more: None })
    }

    /// Emits a branch that is taken if the condition is `wanted`. The caller links it.
    fn emit_branch_if(&mut self, condition: Condition, wanted: bool) -> usize {
        let Condition { handlers, d, a, more } = condition;
        let instruction = self.emit(handlers[wanted as usize], &[fields(d, a, 0, 0)]);
        self.code.extend(more);
        instruction
    }

    /// Branches to a label if the condition is `wanted`. The values that the label takes stay on the symbolic stack.
    fn branch_if(&mut self, condition: Condition, wanted: bool, depth: u32) {
        let label = self.label_index(depth);
        let count = self.labels[label].branch_types().len();
        if self.labels[label].kind != LabelKind::Function && self.in_place(label) {
            self.flush_top(count);
            let instruction = self.emit_branch_if(condition, wanted);
            self.link(label, FixupPlace::Branch(instruction));
            return;
        }
        self.flush_branch_values(label);
        let around = self.emit_branch_if(condition, !wanted);
        self.branch_keeping(label);
        self.set_target_here(FixupPlace::Branch(around));
        self.clobber_all();
    }

    /// Pops a condition, and branches to a label if it is `wanted`.
    pub(crate) fn branch_on(&mut self, wanted: bool, depth: u32) {
        let label = self.label_index(depth);
        let moves = self.branch_value_count(label) != 0;
        let condition = self.pop_condition(moves);
        self.branch_if(condition, wanted, depth);
    }

    /// Branches to a label if the `i64` or reference in `slot` is not zero (zero, if not `wanted`).
    pub(crate) fn branch_if_reference(&mut self, slot: i16, wanted: bool, depth: u32) {
        let handlers = [false, true].map(|wanted| handler(BrIf64, (In::Slot, wanted)));
        self.branch_if(Condition { handlers, d: slot, a: 0, more: None }, wanted, depth);
    }

    /// Puts the values that a branch to the label carries into their canonical slots.
    fn flush_branch_values(&mut self, label: usize) {
        self.flush_top(self.branch_value_count(label));
    }

    /// Returns the number of values that a branch to the label carries.
    fn branch_value_count(&self, label: usize) -> usize {
        match self.labels[label].kind {
            LabelKind::Function => self.ty.results().len(),
            _ => self.labels[label].branch_types().len(),
        }
    }

    /// Branches to a label and leaves the symbolic stack as it is. The values that the branch carries are flushed already.
    fn branch_keeping(&mut self, label: usize) {
        if self.labels[label].kind == LabelKind::Function {
            self.return_flushed();
            return;
        }
        self.move_values(&{ self.labels[label] });
        let instruction = self.emit(handler(Br, ()), &[0]);
        self.link(label, FixupPlace::Branch(instruction));
    }

    /// Copies the flushed values that a branch to the label carries to the label's canonical slots.
    fn move_values(&mut self, label: &Label<'_>) {
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

    /// Branches to a label and consumes the values that the branch carries.
    pub(crate) fn branch(&mut self, label: usize) {
        if self.labels[label].kind == LabelKind::Function {
            self.return_values();
            return;
        }
        let target = self.labels[label];
        let count = target.branch_types().len();
        if count == 1 && !self.in_place(label) {
            // A single value goes straight to the label's slot.
            let slot = self.temp_slot(target.height);
            self.move_top_to(slot);
        } else {
            self.flush_top(count);
            self.move_values(&target);
        }
        let instruction = self.emit(handler(Br, ()), &[0]);
        self.link(label, FixupPlace::Branch(instruction));
    }

    /// Pops the top value, from any place, into `slot`.
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
            Operand::Imm(bits) => self.emit_constant(slot, bits, ty),
            Operand::Acc => unreachable!("only a pending value is in an accumulator alone"),
        }
    }

    fn br_table(&mut self, targets: &wasmparser::BrTable<'_>) {
        let height = self.stack.last().expect("validated").height;
        let (mut operand, ty, fuse) = self.pop_fusable();
        // The instruction adds the bias of the case labels itself.
        let mut bias = 0;
        if let Fuse::Add { start, a, b: Operand::Imm(addend) } = fuse {
            self.code.truncate(start);
            operand = a;
            bias = addend as u32 as u64;
        }
        let default = self.label_index(targets.default());
        self.flush_branch_values(default);
        let (at, d) = match operand {
            Operand::Acc => (In::Acc, 0),
            other => (In::Slot, self.operand_slot(other, ty, height)),
        };
        let count = targets.len();
        let instruction = self.emit(handler(BrTable, at), &[fields_imm(d, 0, count), bias]);
        self.code.extend(std::iter::repeat_n(0, (count as usize + 2) / 2));
        let depths = targets.targets().map(|depth| depth.expect("validated")).chain([targets.default()]);
        for (entry, depth) in depths.enumerate() {
            let label = self.label_index(depth);
            let place = FixupPlace::Table(instruction, entry);
            if self.labels[label].kind != LabelKind::Function && self.in_place(label) {
                self.link(label, place);
                continue;
            }
            let moves = match self.labels[label].moves {
                Some((table, moves)) if table == instruction => moves,
                _ => {
                    let moves = self.code.len();
                    self.barrier = moves;
                    self.labels[label].moves = Some((instruction, moves));
                    self.clobber_all();
                    self.branch_keeping(label);
                    moves
                }
            };
            self.set_target(place, moves);
        }
    }

    /// Returns from the function and consumes its results.
    pub(crate) fn return_values(&mut self) {
        let ty = self.ty;
        let base = self.base_slot();
        match ty.results() {
            [] => {
                self.settle();
                self.emit(handler(ReturnPlain, ()), &[0]);
            }
            [result] if *result != ValType::V128 => {
                let height = self.stack.last().expect("validated").height;
                let (operand, ty) = self.pop();
                let is_float = ty.class() == Class::Float;
                match self.prefer_acc(operand, ty.class()) {
                    Operand::Acc => {
                        self.emit(handler(Return, (is_float, In::Acc)), &[fields(base as i16, 0, 0, 0)]);
                    }
                    Operand::Imm(bits) if !is_float && (ty == Ty::I32 || bits as i32 as i64 as u64 == bits) => {
                        let word1 = fields_imm(base as i16, 0, bits as u32);
                        self.emit(handler(ReturnConstant, ty != Ty::I32), &[word1]);
                    }
                    other => {
                        let a = self.operand_slot(other, ty, height);
                        self.emit(handler(Return, (is_float, In::Slot)), &[fields(base as i16, a, 0, 0)]);
                    }
                }
            }
            results => {
                // Results overlap parameters. Therefore all are read before the first is written.
                self.flush_top(results.len());
                self.return_flushed();
            }
        }
    }

    /// Returns from the function. Its results are flushed already and stay on the symbolic stack.
    fn return_flushed(&mut self) {
        let results = self.ty.results().len();
        let mut slot = self.base_slot();
        if let [result] = self.ty.results()
            && *result != ValType::V128
        {
            // A single result is in the accumulator as well.
            let value = *self.stack.last().expect("validated");
            let from = self.temp_slot(value.height);
            let a = self.near(from, 1);
            let is_float = value.ty.class() == Class::Float;
            self.emit(handler(Return, (is_float, In::Slot)), &[fields(slot as i16, a, 0, 0)]);
            return;
        }
        for index in self.stack.len() - results..self.stack.len() {
            let value = self.stack[index];
            self.emit_copy(self.temp_slot(value.height), slot, value.ty);
            slot += value.ty.slots() as i32;
        }
        self.emit(handler(ReturnPlain, ()), &[0]);
    }

    /// Emits the code of a catch clause whose label is the function: it returns the values, which are at the current height.
    /// Returns its first word.
    pub(crate) fn landing_that_returns(&mut self, types: &[Ty]) -> usize {
        let over = self.emit(handler(Br, ()), &[0]);
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

/// Returns the form, the fields and the word 2 of a branch on two operands, if there is such an instruction.
fn branch_form(a: Operand, b: Operand, ty: Ty) -> Option<(Form, i16, i16, Option<u64>)> {
    let near = |slot: i32| i16::try_from(slot).ok();
    // A small constant is sign-extended from 16 bits to the operand's width. `bits` is in slot form.
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

/// Returns the place of the operand of a branch and its field, if a field can name it.
fn branch_operand(operand: Operand) -> Option<(In, i16)> {
    match operand {
        Operand::Acc => Some((In::Acc, 0)),
        Operand::Slot(slot) => Some((In::Slot, i16::try_from(slot).ok()?)),
        Operand::Imm(_) => None,
    }
}

/// A popped condition: the branch that will test it. `handlers[w]` branches if the condition is `w`.
#[derive(Clone, Copy)]
struct Condition {
    handlers: [Handler; 2],
    d: i16,
    a: i16,
    /// Word 2, if the branch has one.
    more: Option<u64>,
}
