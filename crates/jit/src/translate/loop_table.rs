//! Loops that begin with a branch table, and branches to them that know their way through it.
//!
//! Go's compiler and LLVM emit such a loop for control flow that WebAssembly's blocks cannot express: the table's index is a local,
//! and a jump to somewhere else in the function sets the local to a constant and goes on with the loop. In Go, a function of several
//! basic blocks is such a loop, and its backward jumps are such jumps. They are *threaded*: the branch leads to the target in the
//! table. Then the loops of the program are loops of the code.
//!
//! The local is often a parameter that is 0, as in Go, where it is the place at which a function continues when its goroutine
//! does. The table is then passed by on a test of the parameter.

use cranelift_codegen::ir::{Block, InstBuilder, InstructionData, Opcode, ValueDef, types};
use wasmparser::{BlockType, BrTable, Operator, OperatorsReader};

use super::state::{FrameKind, LoopTable, Translator};

/// Most pairs of a target and a local for which branches are threaded. Each target then joins the values of each local from many
/// branches, which takes compile time in proportion to the pairs or more.
const MOST_PAIRS: usize = 1 << 15;

/// Returns the local that indexes the branch table with which a loop begins, for the operators after `loop`. Only blocks without
/// parameters and results may open before the table.
pub(super) fn index_of(mut operators: OperatorsReader<'_>) -> Option<u32> {
    loop {
        match operators.read().ok()? {
            Operator::Block { blockty: BlockType::Empty } => {}
            Operator::LocalGet { local_index } => {
                return matches!(operators.read().ok()?, Operator::BrTable { .. }).then_some(local_index);
            }
            _ => return None,
        }
    }
}

impl Translator<'_, '_> {
    /// Returns the branch table with which a loop begins whose operator is the current one. Returns `None` if it begins otherwise, or
    /// if fuel is counted, as a branch through the table has to pay for it.
    pub(super) fn loop_table(&mut self, is_osr_entry: bool) -> Option<LoopTable> {
        let local = self.next_loop_index.take().filter(|_| !self.request.metered)?;
        if self.pending_loop.is_some() {
            return None;
        }
        let (index, ty) = self.locals[local as usize];
        if ty != types::I32 {
            return None;
        }
        self.count_variable(index);
        let is_param = !is_osr_entry && self.inlining.is_outermost() && {
            let value = self.builder.use_var(index);
            let entry = self.builder.func.layout.entry_block();
            matches!(self.builder.func.dfg.value_def(value), ValueDef::Param(block, _) if Some(block) == entry)
        };
        let zero = is_param.then(|| self.builder.create_block());
        Some(LoopTable { index, zero, targets: Vec::new(), ends: Vec::new() })
    }

    /// Notes the targets of the `br_table` that was emitted, if a loop begins with it. The operators that follow are unreachable.
    pub(super) fn note_loop_table(&mut self, targets: &BrTable<'_>) {
        let innermost = self.frames.iter().rposition(|frame| matches!(frame.kind, FrameKind::Loop { .. }));
        let Some(loop_index) = innermost else { return };
        let FrameKind::Loop { header, table: Some(table) } = &self.frames[loop_index].kind else { return };
        if !table.targets.is_empty() {
            return;
        }
        debug_assert_eq!(self.builder.current_block(), Some(*header), "nothing is between the loop and its table");
        let zero = table.zero;
        let depths = targets.targets().map(|depth| depth.expect("validated")).chain([targets.default()]);
        let blocks: Vec<Block> = depths.map(|depth| self.branch_target(depth).0).collect();
        if let Some(zero) = zero {
            self.builder.switch_to_block(zero);
            self.builder.ins().jump(blocks[0], &[]);
        }
        if blocks.len().saturating_mul(self.locals.len()) > MOST_PAIRS {
            return;
        }
        let mut ends = Vec::new();
        for frame in &mut self.frames[loop_index + 1..] {
            frame.is_sealed_late = true;
            ends.push(frame.end);
        }
        if let FrameKind::Loop { table: Some(table), .. } = &mut self.frames[loop_index].kind {
            (table.targets, table.ends) = (blocks, ends);
        }
    }

    /// Seals the blocks that branches of the whole loop may lead to, at the loop's end.
    pub(super) fn seal_targets(&mut self, table: Option<&LoopTable>) {
        for &block in table.iter().flat_map(|table| &table.ends) {
            self.seal_header(block, 0);
        }
    }

    /// Returns the target of a branch of this depth, and the number of operands that it passes. If the branch leads to a loop with a
    /// table whose index is a constant now, this is the target in the table.
    pub(super) fn threaded_target(&mut self, depth: u32) -> (Block, usize) {
        let frame = self.frame_index(depth);
        let index = self.table_of(frame).map(|table| table.index);
        let value = index.map(|index| self.builder.use_var(index));
        if let (Some(table), Some(value)) = (self.table_of(frame), value)
            && let Some((default, targets)) = table.targets.split_last()
            && let ValueDef::Result(inst, _) = self.builder.func.dfg.value_def(value)
            && let InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } = self.builder.func.dfg.insts[inst]
        {
            return (*targets.get(imm.bits() as u32 as usize).unwrap_or(default), 0);
        }
        self.branch_target(depth)
    }

    /// Returns the table of an open loop.
    fn table_of(&self, frame: usize) -> Option<&LoopTable> {
        if let FrameKind::Loop { table, .. } = &self.frames[frame].kind { table.as_ref() } else { None }
    }
}
