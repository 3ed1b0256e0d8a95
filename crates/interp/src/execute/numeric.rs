//! Scalar numeric operators: a handler for each shape, compiled for each operator and operand form.
//!
//! An operator's meaning is a function in [`wasmr_core::ops`], which its marker type in [`wasmr_core::op`] leads to.
//! [`instr`](crate::instr) lists the handlers by operator and by the places of the operands.

use wasmr_core::op::{Binary, Compare, Op, Unary};
use wasmr_core::ops;

use super::dispatch::{FloatAcc, handlers};
use super::operand::{Destination, Source};

/// Operation on the low lanes of float registers.
type InPlace = fn(FloatAcc, FloatAcc) -> FloatAcc;

/// Returns the operator on the low lanes of float registers, if there is a machine instruction for it. With it the accumulator
/// stays in its register, and LLVM exchanges no operands.
#[cfg(target_arch = "x86_64")]
const fn in_place(op: Op) -> Option<InPlace> {
    match op {
        Op::F32Add => Some(ops::ordered::add_low_f32),
        Op::F32Sub => Some(ops::ordered::sub_low_f32),
        Op::F32Mul => Some(ops::ordered::mul_low_f32),
        Op::F32Div => Some(ops::ordered::div_low_f32),
        Op::F64Add => Some(ops::ordered::add_low_f64),
        Op::F64Sub => Some(ops::ordered::sub_low_f64),
        Op::F64Mul => Some(ops::ordered::mul_low_f64),
        Op::F64Div => Some(ops::ordered::div_low_f64),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
const fn in_place(_: Op) -> Option<InPlace> {
    None
}

handlers! {
    fn binary[O: Binary, X: Source, Y: Source, D: Destination](m) {
        if let Some(operation) = const { in_place(O::OP) } {
            let value = operation(X::read_wide::<O::Operand>(&m), Y::read_wide::<O::Operand>(&m));
            D::write_wide::<O::Operand>(&mut m, value);
            return m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>());
        }
        match O::apply(X::read(&m), Y::read(&m)) {
            Ok(value) => {
                D::write(&mut m, value);
                m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
            }
            Err(code) => m.trap(code),
        }
    }

    fn compare[O: Compare, X: Source, Y: Source, D: Destination](m) {
        let value = O::apply(X::read(&m), Y::read(&m)) as i32;
        D::write(&mut m, value);
        m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
    }

    fn unary[O: Unary, X: Source, D: Destination](m) {
        match O::apply(X::read(&m)) {
            Ok(value) => {
                D::write(&mut m, value);
                m.next(2)
            }
            Err(code) => m.trap(code),
        }
    }

    fn canonical_f32[X: Source, D: Destination](m) {
        let value = ops::canonical_f32(X::read(&m));
        D::write(&mut m, value);
        m.next(2)
    }

    fn canonical_f64[X: Source, D: Destination](m) {
        let value = ops::canonical_f64(X::read(&m));
        D::write(&mut m, value);
        m.next(2)
    }

    /// Jumps `imm` words if the comparison gives `WANTED`.
    fn branch_compare[O: Compare, X: Source, Y: Source, const WANTED: bool](m) {
        if O::apply(X::read(&m), Y::read(&m)) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2 + X::words::<O::Operand>() + Y::words::<O::Operand>())
        }
    }
}
