//! Evaluates [constant
//! expressions](https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions) in an instance,
//! during its construction or later.
//!
//! In: a validated [`ConstExpr`]. Out: the value in slot form. Arithmetic is that of `core`, as in every tier, and objects are
//! made by the functions of `objects`, as for every tier. [`evaluate`] fails only if the heap is full. [`evaluate_pure`] is
//! for expressions that make no objects, and cannot fail.

use wasmr_core::ops;
use wasmr_module::{ConstExpr, ConstOp};

use crate::instance::{Instance, InstanceObject};
use crate::limits::ResourceError;
use crate::objects::NewObject;
use crate::store::StoreInner;
use crate::vm_gc::i31_new;

/// Returns the value of an expression that makes no objects: one slot, or both for a `v128`.
pub(crate) fn evaluate_pure(object: &InstanceObject, expr: &ConstExpr) -> [u64; 2] {
    if let Some(op) = expr.as_single() {
        return operand(object, op).unwrap_or_default();
    }
    let mut stack: Vec<[u64; 2]> = Vec::with_capacity(4);
    for &op in expr.ops() {
        let value = operand(object, op).unwrap_or_else(|| [computed(op, &mut stack), 0]);
        stack.push(value);
    }
    stack.pop().unwrap_or_default()
}

/// Returns the value of an expression: one slot, or both for a `v128`. `instance` is an instance of `store`. `extra` are roots
/// that are stored nowhere else.
///
/// # Errors
/// If the heap is full.
pub(crate) fn evaluate(
    store: &mut StoreInner,
    instance: Instance,
    expr: &ConstExpr,
    extra: &[u64],
) -> Result<[u64; 2], ResourceError> {
    if !expr.allocates() {
        return Ok(evaluate_pure(instance.0.get(store), expr));
    }
    let module = instance.0.get(store).module().clone();
    // The roots that are stored nowhere else come first, then the slots of the operands.
    let mut roots = extra.to_vec();
    let mut stack: Vec<[u64; 2]> = Vec::new();
    for &op in expr.ops() {
        let object = instance.0.get(store);
        if let Some(value) = operand(object, op) {
            stack.push(value);
            continue;
        }
        let count = match op {
            ConstOp::StructNew(ty) => module.struct_layout(ty).fields.len(),
            ConstOp::StructNewDefault(_) => 0,
            ConstOp::ArrayNew(_) => 2,
            ConstOp::ArrayNewDefault(_) => 1,
            ConstOp::ArrayNewFixed(_, len) => len as usize,
            _ => {
                let value = computed(op, &mut stack);
                stack.push([value, 0]);
                continue;
            }
        };
        let operands = stack.split_off(stack.len().saturating_sub(count));
        roots.truncate(extra.len());
        roots.extend(stack.as_flattened());
        roots.extend(operands.as_flattened());
        let slots_of = |stored: wasmr_core::layout::Stored, value: &[u64; 2]| value[..stored.slots()].to_vec();
        let new = match op {
            ConstOp::StructNew(ty) => {
                let layout = module.struct_layout(ty);
                let fields = layout.fields.iter().zip(&operands);
                let slots = fields.flat_map(|(field, value)| slots_of(field.stored, value)).collect::<Vec<u64>>();
                store.new_object(object.descriptor(ty), NewObject::Struct(layout, &slots), &roots)
            }
            ConstOp::StructNewDefault(ty) => {
                store.new_object(object.descriptor(ty), NewObject::StructDefault(module.struct_layout(ty)), &roots)
            }
            ConstOp::ArrayNew(ty) => {
                let (element, len) = (module.array_element(ty), operands[1][0] as u32);
                let new = NewObject::ArrayOf(element.stored, &operands[0], len);
                store.new_object(object.descriptor(ty), new, &roots)
            }
            ConstOp::ArrayNewDefault(ty) => {
                let (element, len) = (module.array_element(ty), operands[0][0] as u32);
                store.new_object(object.descriptor(ty), NewObject::ArrayDefault(element.stored, len), &roots)
            }
            ConstOp::ArrayNewFixed(ty, _) => {
                let stored = module.array_element(ty).stored;
                let slots = operands.iter().flat_map(|value| slots_of(stored, value)).collect::<Vec<u64>>();
                store.new_object(object.descriptor(ty), NewObject::ArrayFixed(stored, &slots), &roots)
            }
            _ => unreachable!("the operator makes an object"),
        };
        let reference = new.ok_or_else(|| store.heap.full())?;
        stack.push([reference, 0]);
    }
    Ok(stack.pop().unwrap_or_default())
}

/// Returns the value of an operator without operands that makes no object; `None` for other operators.
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
        _ => return None,
    })
}

/// Returns the result of an operator with operands that makes no object.
fn computed(op: ConstOp, stack: &mut Vec<[u64; 2]>) -> u64 {
    let mut pop = || stack.pop().unwrap_or_default()[0];
    let right = pop();
    match op {
        ConstOp::RefI31 => return i31_new(right as u32),
        ConstOp::Convert => return right,
        _ => {}
    }
    let left = pop();
    let narrow = |f: fn(i32, i32) -> i32| u64::from(f(left as i32, right as i32) as u32);
    let wide = |f: fn(i64, i64) -> i64| f(left as i64, right as i64) as u64;
    match op {
        ConstOp::I32Add => narrow(ops::i32_add),
        ConstOp::I32Sub => narrow(ops::i32_sub),
        ConstOp::I32Mul => narrow(ops::i32_mul),
        ConstOp::I64Add => wide(ops::i64_add),
        ConstOp::I64Sub => wide(ops::i64_sub),
        ConstOp::I64Mul => wide(ops::i64_mul),
        // `operand` and `evaluate` have handled all others.
        _ => 0,
    }
}
