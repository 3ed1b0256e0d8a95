//! Branches, `br_table`, returns, `unreachable`.

use wasmr_core::op::Scalar;
use wasmr_core::ops;
use wasmr_core::trap::TrapCode;

use super::dispatch::{Handler, handlers};
use super::frame::leave;
use super::operand::{Acc, ImmA, SlotA, SlotD, Source, Travels};

handlers! {
    /// Jumps `imm` words.
    fn br[](m) {
        m.jump(m.imm())
    }

    /// Jumps `imm` words if the `i32` in slot `d` or the accumulator is not zero (or is, if not `WANTED`).
    fn br_if[X: Source, const WANTED: bool](m) {
        if (X::read::<i32>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// The same for an `i64`.
    fn br_if_i64[X: Source, const WANTED: bool](m) {
        if (X::read::<i64>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// Jumps if `d & a` is not zero (or is, if not `WANTED`).
    fn br_if_and[X: Source, Y: Source, const WANTED: bool](m) {
        if (X::read::<i32>(&m) & Y::read::<i32>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// Index in slot `d` or the accumulator, plus word 2; `imm` entries without the default, each a distance in half a word
    /// from word 3 on.
    fn br_table[X: Source](m) {
        let index = (ops::i32_add(X::read(&m), m.word(2) as i32) as u32).min(m.imm() as u32);
        let distance = *m.ip.add(3).as_ptr().cast::<i32>().add(index as usize);
        m.jump(distance)
    }

    /// Returns; results are in place.
    fn return_plain[](m) {
        leave(m)
    }

    /// Returns the value of slot `a`, the accumulator or the constant, at slot `d`.
    fn return_value[T: Scalar, X: Source](m) {
        let value: T = X::read(&m);
        value.to_acc(&mut m);
        *m.d() = value.to_slot();
        leave(m)
    }

    fn unreachable[](m) {
        m.trap(TrapCode::Unreachable)
    }
}

/// `br_if` on an `i32`: operand in slot `d` or the accumulator.
pub fn br_if_handler(from_acc: bool, wanted: bool) -> Handler {
    match (from_acc, wanted) {
        (false, false) => br_if::<SlotD, false>,
        (false, true) => br_if::<SlotD, true>,
        (true, false) => br_if::<Acc, false>,
        (true, true) => br_if::<Acc, true>,
    }
}

/// The same on an `i64`, for a fused `i64.eqz`.
pub fn br_if_i64_handler(from_acc: bool, wanted: bool) -> Handler {
    match (from_acc, wanted) {
        (false, false) => br_if_i64::<SlotD, false>,
        (false, true) => br_if_i64::<SlotD, true>,
        (true, false) => br_if_i64::<Acc, false>,
        (true, true) => br_if_i64::<Acc, true>,
    }
}

/// A fused `i32.and`: operands in slot `d` or the accumulator, and slot `a` or a 16-bit constant.
pub fn br_if_and_handler(from_acc: bool, imm: bool, wanted: bool) -> Handler {
    match (from_acc, imm, wanted) {
        (false, false, false) => br_if_and::<SlotD, SlotA, false>,
        (false, false, true) => br_if_and::<SlotD, SlotA, true>,
        (false, true, false) => br_if_and::<SlotD, ImmA, false>,
        (false, true, true) => br_if_and::<SlotD, ImmA, true>,
        (true, false, false) => br_if_and::<Acc, SlotA, false>,
        (true, false, true) => br_if_and::<Acc, SlotA, true>,
        (true, true, false) => br_if_and::<Acc, ImmA, false>,
        (true, true, true) => br_if_and::<Acc, ImmA, true>,
    }
}
