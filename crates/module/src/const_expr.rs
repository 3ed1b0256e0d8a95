//! [Constant expressions](https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions) as data:
//! initial values of globals and tables, offsets and items of segments.
//!
//! In: a validated `wasmparser::ConstExpr`. Out: a [`ConstExpr`], whose operators the runtime evaluates on a small stack.
//! Nearly every expression in real modules is one operator (all of CPython's 24 000 data segments have one `i32.const`). An
//! expression of one operator is therefore stored inline, without an allocation.
//!
//! Invariant: validation has checked the expression against its expected type. Evaluation fails only if an operator makes an
//! object ([`ConstOp::allocates`]) and the heap is full.

use wasmparser::Operator;
use wasmr_core::types::HeapType;
use wasmr_core::value::V128;

use crate::error::{Fault, ModuleError};
use crate::operator_text::operator_name;
use crate::types::TypeTable;

/// One operator of a constant expression. Operands are on the stack, like those of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstOp {
    /// `i32.const`.
    I32Const(i32),
    /// `i64.const`.
    I64Const(i64),
    /// `f32.const`, as bits.
    F32Const(u32),
    /// `f64.const`, as bits.
    F64Const(u64),
    /// `v128.const`.
    V128Const(V128),
    /// `ref.null`.
    RefNull(HeapType),
    /// `ref.func` with an index into the module's functions.
    RefFunc(u32),
    /// `global.get` with an index into the module's globals.
    GlobalGet(u32),
    /// `i32.add`.
    I32Add,
    /// `i32.sub`.
    I32Sub,
    /// `i32.mul`.
    I32Mul,
    /// `i64.add`.
    I64Add,
    /// `i64.sub`.
    I64Sub,
    /// `i64.mul`.
    I64Mul,
    /// `struct.new` with a type index.
    StructNew(u32),
    /// `struct.new_default` with a type index.
    StructNewDefault(u32),
    /// `array.new` with a type index.
    ArrayNew(u32),
    /// `array.new_default` with a type index.
    ArrayNewDefault(u32),
    /// `array.new_fixed` with a type index and the number of elements.
    ArrayNewFixed(u32, u32),
    /// `ref.i31`.
    RefI31,
    /// `any.convert_extern` or `extern.convert_any`: the reference has the same form in both hierarchies.
    Convert,
}

impl ConstOp {
    /// Returns true if the operator makes an object.
    pub const fn allocates(self) -> bool {
        use ConstOp::{ArrayNew, ArrayNewDefault, ArrayNewFixed, StructNew, StructNewDefault};
        matches!(self, StructNew(_) | StructNewDefault(_) | ArrayNew(_) | ArrayNewDefault(_) | ArrayNewFixed(..))
    }
}

/// A constant expression: its operators in order, without the final `end`, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstExpr(Repr);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr {
    Single(ConstOp),
    Several(Box<[ConstOp]>),
}

impl ConstExpr {
    /// Creates an expression of one operator.
    pub const fn single(op: ConstOp) -> ConstExpr {
        ConstExpr(Repr::Single(op))
    }

    /// Returns the operators, at least one.
    pub fn ops(&self) -> &[ConstOp] {
        match &self.0 {
            Repr::Single(op) => std::slice::from_ref(op),
            Repr::Several(ops) => ops,
        }
    }

    /// Returns the operator, if it is the only one.
    pub fn as_single(&self) -> Option<ConstOp> {
        match self.0 {
            Repr::Single(op) => Some(op),
            Repr::Several(_) => None,
        }
    }

    /// Returns true if the evaluation makes objects.
    pub fn allocates(&self) -> bool {
        self.ops().iter().any(|op| op.allocates())
    }

    /// Decodes a validated expression of the module that `types` belongs to.
    pub(crate) fn decode(expr: &wasmparser::ConstExpr<'_>, types: &TypeTable) -> Result<ConstExpr, ModuleError> {
        let mut reader = expr.get_operators_reader();
        let mut first = None;
        let mut several = Vec::new();
        loop {
            let (operator, offset) = reader.read_with_offset().map_err(ModuleError::malformed)?;
            let op = match operator {
                Operator::End => break,
                Operator::I32Const { value } => ConstOp::I32Const(value),
                Operator::I64Const { value } => ConstOp::I64Const(value),
                Operator::F32Const { value } => ConstOp::F32Const(value.bits()),
                Operator::F64Const { value } => ConstOp::F64Const(value.bits()),
                Operator::V128Const { value } => ConstOp::V128Const(V128(*value.bytes())),
                Operator::RefNull { hty } => ConstOp::RefNull(types.heap_type(hty)?),
                Operator::RefFunc { function_index } => ConstOp::RefFunc(function_index),
                Operator::GlobalGet { global_index } => ConstOp::GlobalGet(global_index),
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                Operator::StructNew { struct_type_index } => ConstOp::StructNew(struct_type_index),
                Operator::StructNewDefault { struct_type_index } => ConstOp::StructNewDefault(struct_type_index),
                Operator::ArrayNew { array_type_index } => ConstOp::ArrayNew(array_type_index),
                Operator::ArrayNewDefault { array_type_index } => ConstOp::ArrayNewDefault(array_type_index),
                Operator::ArrayNewFixed { array_type_index, array_size } => {
                    ConstOp::ArrayNewFixed(array_type_index, array_size)
                }
                Operator::RefI31 => ConstOp::RefI31,
                Operator::AnyConvertExtern | Operator::ExternConvertAny => ConstOp::Convert,
                // Validation excludes this, but an outline may be of other bytes.
                other => {
                    let message =
                        format!("wasmr does not execute `{}` in a constant expression", operator_name(&other));
                    return Err(ModuleError::new(Fault::Unsupported, message, Some(offset)));
                }
            };
            match first {
                None => first = Some(op),
                Some(head) => {
                    if several.is_empty() {
                        several.push(head);
                    }
                    several.push(op);
                }
            }
        }
        match first {
            Some(op) if several.is_empty() => Ok(ConstExpr(Repr::Single(op))),
            Some(_) => Ok(ConstExpr(Repr::Several(several.into()))),
            // Validation excludes this: an expression has one result, and without operators it would have none.
            None => Err(ModuleError::new(Fault::Invalid, "empty constant expression", None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_three_words() {
        assert_eq!(size_of::<ConstExpr>(), 24);
    }
}
