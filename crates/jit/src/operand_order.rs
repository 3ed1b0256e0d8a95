//! Keeps the operands of float sums and products in their order, on which depends whose NaN the result is.
//!
//! Comes in: a function that Cranelift has optimised. Goes out: the same one, for which Cranelift's code generator has no reason
//! to exchange operands.
//!
//! Of two NaNs the first operand's is the result, in every tier (see [`ops`](wasmr_core::ops)), and an `addss a, b` does just
//! that. But where the first operand is a load that nothing else uses, Cranelift makes the load part of the instruction, which
//! can have memory as its second operand only: `addss b, [a]`. To cast the loaded value to its own type hides the load from
//! that rule, and costs no instruction. It has to be done after the optimiser, which would remove the cast, and which may have
//! brought load and sum together.
//!
//! The other exchange of Cranelift's takes place in the optimiser: it turns `-a * -b` into `a * b`, whose NaN has another sign.
//! The translator therefore flips sign bits with an exclusive or (`translate/numeric.rs`), of which the optimiser knows nothing.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder, InstructionData, MemFlagsData, Opcode, ValueDef};

/// Hides loads that are the first operand of a float sum or product.
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
