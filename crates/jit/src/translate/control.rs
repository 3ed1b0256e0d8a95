//! Control operators: blocks, branches, `br_table`, `return`, `unreachable`, `nop`; and the OSR entry at a loop.

use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, JumpTableData, MemFlagsData, Type, Value, types};
use cranelift_frontend::Variable;
use wasmparser::{BrTable, Operator};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, ValType};
use wasmr_module::operator_class::{Nesting, OperatorClass};

use super::state::{Entry, Frame, FrameKind, LOOP_FRAME, LoopTable, Translator};
use crate::abi::{slots, value_type};
use crate::trap_code::trap_code;

/// Converts values to arguments of a branch.
pub(super) fn block_args(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| BlockArg::Value(value)).collect()
}

pub(super) fn types_of(types: &[ValType]) -> Vec<Type> {
    types.iter().map(|&ty| value_type(ty)).collect()
}

impl Translator<'_, '_> {
    /// Translates `operator`, at `offset` in the module, if it is one of this category. Returns true if it was.
    pub(super) fn control_operator(&mut self, operator: &Operator<'_>, offset: usize) -> bool {
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => self.trap(TrapCode::Unreachable),
            Operator::Block { blockty } => {
                let sig = self.request.module.block_sig(*blockty);
                self.open(FrameKind::Block, types_of(sig.params()), types_of(sig.results()));
            }
            Operator::Loop { blockty } => {
                let sig = self.request.module.block_sig(*blockty);
                let (params, results) = (types_of(sig.params()), types_of(sig.results()));
                self.open_loop(params, results, offset);
            }
            Operator::If { blockty } => {
                let sig = self.request.module.block_sig(*blockty);
                let (params, results) = (types_of(sig.params()), types_of(sig.results()));
                let condition = self.pop();
                let values = self.pop_many(params.len());
                if self.pending_loop.is_some() {
                    // Before the branch, so that the operands are saved for both arms: `open` saves them in one only.
                    self.save_operands(self.stack.len());
                }
                let then = self.builder.create_block();
                let otherwise = self.block_with(&params);
                if let Some(taken) = self.request.module.branch_hint(offset) {
                    self.builder.set_cold_block(if taken { otherwise } else { then });
                }
                self.builder.ins().brif(condition, then, &[], otherwise, &block_args(&values));
                self.builder.seal_block(then);
                self.builder.seal_block(otherwise);
                self.builder.switch_to_block(then);
                self.push_all(&values);
                self.open(FrameKind::If { otherwise }, params, results);
            }
            Operator::Else | Operator::Catch { .. } | Operator::CatchAll => self.divide(operator),
            Operator::End | Operator::Delegate { .. } => self.end(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.become_unreachable();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop();
                self.hinted_branch_if(condition, *relative_depth, self.request.module.branch_hint(offset));
            }
            Operator::BrTable { targets } => {
                self.br_table(targets);
                self.become_unreachable();
            }
            Operator::Return => {
                let depth = self.frames.iter().rev().position(|frame| matches!(frame.kind, FrameKind::Body { .. }));
                self.branch(depth.expect("operators are in a body") as u32);
                self.become_unreachable();
            }
            _ => return false,
        }
        true
    }

    /// Creates a block with parameters of these types.
    pub(super) fn block_with(&mut self, params: &[Type]) -> Block {
        let block = self.builder.create_block();
        for &ty in params {
            self.builder.append_block_param(block, ty);
        }
        block
    }

    /// Pushes a block, whose parameters are on the operand stack, on the control stack.
    pub(super) fn open(&mut self, kind: FrameKind, params: Vec<Type>, results: Vec<Type>) {
        let end = self.block_with(&results);
        let height = self.stack.len() - params.len();
        let is_saved = self.pending_loop.is_some();
        if is_saved {
            self.save_operands(height);
        }
        let handler = self.handler();
        self.frames.push(Frame {
            kind,
            end,
            handler,
            params,
            results,
            height,
            is_saved,
            is_sealed_late: false,
            end_reached: false,
            end_is_likely: false,
        });
    }

    /// Pushes a function's body on the control stack.
    pub(super) fn open_body(&mut self, ty: &FuncType) {
        self.open(FrameKind::Body { inlined: !self.frames.is_empty() }, Vec::new(), types_of(ty.results()));
    }

    fn open_loop(&mut self, params: Vec<Type>, results: Vec<Type>, offset: usize) {
        let header = self.block_with(&params);
        // Read before Cranelift adds block parameters for variables.
        let inside = self.builder.block_params(header).to_vec();
        let is_entry = self.request.entry.osr().is_some_and(|osr| osr.offset == offset);
        let is_saved = self.pending_loop.is_some();
        let pending = if is_entry && self.inlining.is_outermost() { self.pending_loop.take() } else { None };
        let table = self.loop_table(pending.is_some());
        if let Some((entry, frame)) = pending {
            self.enter_loop(header, params.len(), entry, frame);
        } else {
            let values = self.pop_many(params.len());
            if is_saved {
                self.save_operands(self.stack.len());
            }
            match &table {
                Some(LoopTable { index, zero: Some(zero), .. }) => {
                    let index = self.builder.use_var(*index);
                    self.builder.ins().brif(index, header, &[], *zero, &[]);
                    self.builder.seal_block(*zero);
                }
                _ => {
                    self.builder.ins().jump(header, &block_args(&values));
                }
            }
        }
        self.builder.switch_to_block(header);
        if is_saved {
            self.restore_operands(self.stack.len());
        }
        self.push_all(&inside);
        self.open(FrameKind::Loop { header, table }, params, results);
    }

    /// Makes a loop the OSR entry. Two blocks jump to its header: the current one, which is unreachable without a dual entry,
    /// and `entry`, with the values of the interpreter's frame.
    fn enter_loop(&mut self, header: Block, param_count: usize, entry: Block, frame: Value) {
        let osr = self.request.entry.osr().expect("a loop is pending only if there is an OSR entry");
        let params = self.pop_many(param_count);
        let below = self.stack.len();
        self.save_operands(below);
        self.builder.ins().jump(header, &block_args(&params));

        self.builder.switch_to_block(entry);
        if let Entry::StartOrLoop(_) = self.request.entry {
            // The frame was taken. Further calls of this function begin at its start.
            let none = self.builder.ins().iconst(types::I64, 0);
            self.builder.ins().store(MemFlagsData::trusted(), none, self.context, LOOP_FRAME);
        }
        for (index, &slot) in osr.frame.locals.iter().enumerate() {
            let (variable, ty) = self.locals[index];
            let value = self.frame_value(frame, slot, ty);
            self.builder.def_var(variable, value);
        }
        let mut slot = osr.frame.operands;
        for index in 0..below {
            let (variable, ty) = self.operand_variable(index);
            let value = self.frame_value(frame, slot, ty);
            slot += slots(ty);
            self.builder.def_var(variable, value);
        }
        let mut loaded = Vec::with_capacity(param_count);
        for param in params {
            let ty = self.builder.func.dfg.value_type(param);
            loaded.push(self.frame_value(frame, slot, ty));
            slot += slots(ty);
        }
        self.builder.ins().jump(header, &block_args(&loaded));
    }

    /// Returns the variable for the operand at an index of the stack, and its type. If control comes from the OSR entry, the
    /// operand's own value was never computed, so the variable has to carry it.
    fn operand_variable(&mut self, index: usize) -> (Variable, Type) {
        let ty = self.builder.func.dfg.value_type(self.stack[index]);
        let ty = if ty.is_vector() { types::I8X16 } else { ty };
        let variable = *self.operand_variables.entry((index, ty)).or_insert_with(|| self.builder.declare_var(ty));
        (variable, ty)
    }

    /// Saves the lowest `count` operands in their variables.
    pub(super) fn save_operands(&mut self, count: usize) {
        self.saved_operands += count;
        for index in 0..count {
            let (variable, _) = self.operand_variable(index);
            let value = self.canonical(self.stack[index]);
            self.builder.def_var(variable, value);
        }
    }

    /// Restores the lowest `count` operands from their variables.
    pub(super) fn restore_operands(&mut self, count: usize) {
        for index in 0..count {
            let (variable, _) = self.operand_variable(index);
            self.stack[index] = self.builder.use_var(variable);
        }
    }

    /// Loads a value from a slot of the interpreter's frame. Slots are aligned to 8 bytes, so a vector in them may not be to
    /// 16.
    fn frame_value(&mut self, frame: Value, slot: i32, ty: Type) -> Value {
        self.builder.ins().load(ty, MemFlagsData::new().with_notrap(), frame, slot * 8)
    }

    /// Begins the next arm of the innermost block.
    fn divide(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Else => self.else_(),
            _ => self.catch_body(),
        }
    }

    fn else_(&mut self) {
        let frame = self.frames.last().expect("validated: else belongs to if");
        let FrameKind::If { otherwise } = frame.kind else { unreachable!("validated: else belongs to if") };
        let (count, end, height, is_saved) = (frame.results.len(), frame.end, frame.height, frame.is_saved);
        if self.reachable {
            let values = self.pop_many(count);
            self.builder.ins().jump(end, &block_args(&values));
        }
        let was_reachable = self.reachable;
        let frame = self.frames.last_mut().expect("as above");
        frame.end_reached |= was_reachable;
        frame.end_is_likely |= was_reachable;
        frame.kind = FrameKind::Block;
        self.stack.truncate(height);
        self.builder.switch_to_block(otherwise);
        let params = self.builder.block_params(otherwise).to_vec();
        if is_saved {
            self.restore_operands(height);
        }
        self.push_all(&params);
        self.reachable = true;
    }

    fn end(&mut self) {
        let mut frame = self.frames.pop().expect("validated: end belongs to a block");
        if self.reachable {
            let values = self.pop_many(frame.results.len());
            self.builder.ins().jump(frame.end, &block_args(&values));
            (frame.end_reached, frame.end_is_likely) = (true, true);
        }
        if let FrameKind::If { otherwise } = frame.kind {
            // Without an `else`, an `if` whose condition is zero returns its parameters as results.
            self.builder.switch_to_block(otherwise);
            let values = self.builder.block_params(otherwise).to_vec();
            self.builder.ins().jump(frame.end, &block_args(&values));
            (frame.end_reached, frame.end_is_likely) = (true, true);
        }
        if let FrameKind::Loop { header, table } = &frame.kind {
            self.seal_header(*header, frame.params.len());
            self.seal_targets(table.as_ref());
        }
        match frame.kind {
            FrameKind::Try { handler } | FrameKind::LegacyTry { handler, begun: 0 } => self.close_handler(handler),
            _ => {}
        }
        if !frame.is_sealed_late {
            self.builder.seal_block(frame.end);
        }
        self.stack.truncate(frame.height);
        self.reachable = frame.end_reached;
        if self.reachable {
            if !frame.end_is_likely {
                self.builder.set_cold_block(frame.end);
            }
            self.builder.switch_to_block(frame.end);
            let results = self.builder.block_params(frame.end).to_vec();
            if frame.is_saved {
                self.restore_operands(frame.height);
            }
            if let FrameKind::Body { inlined: false } = frame.kind {
                self.return_values(&results);
            } else {
                self.push_all(&results);
            }
        }
    }

    /// Returns the index of the block that a branch of this depth refers to.
    pub(super) fn frame_index(&self, depth: u32) -> usize {
        self.frames.len() - 1 - depth as usize
    }

    /// Returns the block that a branch of this depth refers to.
    fn target(&mut self, depth: u32) -> &mut Frame {
        let index = self.frame_index(depth);
        &mut self.frames[index]
    }

    /// Returns the target of a branch of this depth, and the number of operands that it passes.
    pub(super) fn branch_target(&mut self, depth: u32) -> (Block, usize) {
        self.label_of(self.frame_index(depth))
    }

    /// Returns the target of a branch to the open block with this index, and the number of operands that it passes.
    pub(super) fn label_of(&mut self, index: usize) -> (Block, usize) {
        let frame = &mut self.frames[index];
        if let FrameKind::Loop { header, .. } = frame.kind {
            return (header, frame.params.len());
        }
        (frame.end_reached, frame.end_is_likely) = (true, true);
        (frame.end, frame.results.len())
    }

    fn branch(&mut self, depth: u32) {
        let (block, count) = self.threaded_target(depth);
        let values = self.peek_many(count);
        self.builder.ins().jump(block, &block_args(&values));
    }

    /// Emits a branch that is taken if the condition is not 0.
    pub(super) fn branch_if(&mut self, condition: Value, depth: u32) {
        let (block, count) = self.threaded_target(depth);
        let values = self.peek_many(count);
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, block, &block_args(&values), next, &[]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }

    /// Emits a branch that is taken if the condition is not 0. `hint` is true if it is usually taken. The block that is seldom
    /// reached is laid out after all others.
    fn hinted_branch_if(&mut self, condition: Value, depth: u32, hint: Option<bool>) {
        let was_likely = self.target(depth).end_is_likely;
        self.branch_if(condition, depth);
        match hint {
            Some(true) => {
                let next = self.builder.current_block().expect("`branch_if` has switched to a block");
                self.builder.set_cold_block(next);
            }
            Some(false) => self.target(depth).end_is_likely = was_likely,
            None => {}
        }
    }

    fn br_table(&mut self, targets: &BrTable<'_>) {
        let index = self.pop();
        let depths: Vec<u32> = targets.targets().map(|depth| depth.expect("validated")).collect();
        let (_, count) = self.branch_target(targets.default());
        if !self.take_edges(depths.len(), count) {
            return;
        }
        let values = self.peek_many(count);
        let args = block_args(&values);
        let call = |this: &mut Self, depth: u32| {
            let (block, _) = this.branch_target(depth);
            this.builder.func.dfg.block_call(block, &args)
        };
        let default = call(self, targets.default());
        let calls: Vec<_> = depths.into_iter().map(|depth| call(self, depth)).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
        self.note_loop_table(targets);
    }

    /// Emits the return from the function.
    fn return_values(&mut self, values: &[Value]) {
        match self.results_pointer {
            None => {
                self.builder.ins().return_(values);
            }
            Some(pointer) => {
                for (index, &value) in values.iter().enumerate() {
                    let offset = index as i32 * crate::abi::RESULT_CELL;
                    self.builder.ins().store(MemFlagsData::trusted(), value, pointer, offset);
                }
                self.builder.ins().return_(&[]);
            }
        }
    }

    /// Marks the operators up to the end of the block as unreachable.
    pub(super) fn become_unreachable(&mut self) {
        self.reachable = false;
        self.skipped = 0;
    }

    /// Skips an operator in unreachable code, where only the nesting of blocks matters.
    pub(super) fn skip(&mut self, operator: &Operator<'_>) {
        match OperatorClass::of(operator).nesting() {
            Nesting::Opens => self.skipped += 1,
            Nesting::Closes if self.skipped > 0 => self.skipped -= 1,
            Nesting::Closes => self.end(),
            Nesting::Divides if self.skipped == 0 => self.divide(operator),
            Nesting::Divides | Nesting::Same => {}
        }
    }

    /// Emits a trap that happens if the guest was asked to stop. It is needed only after other code that may run for long, in
    /// which a stop signal has no effect (see [`sys::preempt`](wasmr_runtime::sys::preempt)).
    pub(super) fn check_interrupt(&mut self) {
        let flag = self.interrupt_flag();
        let raised = self.builder.ins().load(types::I8, MemFlagsData::trusted(), flag, 0);
        self.builder.ins().trapnz(raised, trap_code(TrapCode::Interrupted));
    }
}
