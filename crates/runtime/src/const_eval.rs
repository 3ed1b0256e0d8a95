//! Evaluates [constant
//! expressions](https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions) in an instance,
//! during its construction or later.
//!
//! In: a validated [`ConstExpr`]. Out: the value in slot form. Evaluation cannot fail. Arithmetic is that of `core`, as
//! in every tier.

use wasmr_core::ops;
use wasmr_module::{ConstExpr, ConstOp};

use crate::instance::InstanceObject;

/// Returns the value of `expr`: one slot, or both for a `v128`.
pub(crate) fn evaluate(instance: &InstanceObject, expr: &ConstExpr) -> [u64; 2] {
    if let Some(op) = expr.as_single() {
        return operand(instance, op).unwrap_or_default();
    }
    let mut stack: Vec<[u64; 2]> = Vec::with_capacity(4);
    for &op in expr.ops() {
        let value = match operand(instance, op) {
            Some(value) => value,
            None => {
                let right = stack.pop().unwrap_or_default()[0];
                let left = stack.pop().unwrap_or_default()[0];
                [binary(op, left, right), 0]
            }
        };
        stack.push(value);
    }
    stack.pop().unwrap_or_default()
}

/// Returns the value of an operator without operands; `None` for other operators.
fn operand(instance: &InstanceObject, op: ConstOp) -> Option<[u64; 2]> {
    Some(match op {
        ConstOp::I32Const(value) => [u64::from(value as u32), 0],
        ConstOp::I64Const(value) => [value as u64, 0],
        ConstOp::F32Const(bits) => [u64::from(bits), 0],
        ConstOp::F64Const(bits) => [bits, 0],
        ConstOp::V128Const(vector) => vector.to_slots(),
        ConstOp::RefNull(_) => [0, 0],
        ConstOp::RefFunc(index) => [instance.func_slot(index), 0],
        ConstOp::GlobalGet(index) => instance.global_value(index),
        ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul | ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
            return None;
        }
        ConstOp::NotExecuted => unreachable!("a module with such an operator is refused unless it is only inspected"),
    })
}

fn binary(op: ConstOp, left: u64, right: u64) -> u64 {
    let narrow = |f: fn(i32, i32) -> i32| u64::from(f(left as i32, right as i32) as u32);
    let wide = |f: fn(i64, i64) -> i64| f(left as i64, right as i64) as u64;
    match op {
        ConstOp::I32Add => narrow(ops::i32_add),
        ConstOp::I32Sub => narrow(ops::i32_sub),
        ConstOp::I32Mul => narrow(ops::i32_mul),
        ConstOp::I64Add => wide(ops::i64_add),
        ConstOp::I64Sub => wide(ops::i64_sub),
        ConstOp::I64Mul => wide(ops::i64_mul),
        // `operand` has handled all others.
        _ => 0,
    }
}
