//! Keeps the operands of float sums and products in their order, since the result for two NaNs depends on it.
//!
//! The specification leaves the NaN open (<https://webassembly.github.io/spec/core/exec/numerics.html#nan-propagation>). All
//! tiers return the first operand's (see [`ops`](wasmr_core::ops)), as the instruction `addss a, b` does. But if the first
//! operand is a load without another use, Cranelift folds the load into the instruction, whose only memory operand is the
//! second: `addss b, [a]`. A bitcast of the loaded value to its own type hides the load from that rule and costs no
//! instruction. This pass runs after Cranelift's optimiser, which would remove the bitcast, and which may have put load and sum
//! together.
//!
//! Cranelift exchanges operands in one other place: its optimiser turns `-a * -b` into `a * b`, whose NaN has another sign. The
//! translator therefore flips sign bits with an exclusive or (`translate/numeric.rs`), which the optimiser does not take for a
//! negation.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder, InstructionData, MemFlagsData, Opcode, ValueDef};

/// Hides each load that is the first operand of a float sum or product from the instruction selector.
pub(crate) fn keep(func: &mut Function) {
    let mut cursor = FuncCursor::new(func);
    while cursor.next_block().is_some() {
        while let Some(inst) = cursor.next_inst() {
            let dfg = &cursor.func.dfg;
            let InstructionData::Binary { opcode: Opcode::Fadd | Opcode::Fmul, args: [first, _] } = dfg.insts[inst]
            else {
                continue;
            };
            let ValueDef::Result(source, _) = dfg.value_def(first) else { continue };
            if dfg.insts[source].opcode() != Opcode::Load {
                continue;
            }
            let ty = dfg.value_type(first);
            cursor.use_srcloc(inst);
            let hidden = cursor.ins().bitcast(ty, MemFlagsData::new(), first);
            cursor.func.dfg.inst_args_mut(inst)[0] = hidden;
        }
    }
}
