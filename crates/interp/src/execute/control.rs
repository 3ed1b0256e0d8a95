//! Branches, `br_table`, returns, `unreachable`.

use wasmr_core::op::Scalar;
use wasmr_core::ops;
use wasmr_core::trap::TrapCode;

use super::dispatch::handlers;
use super::frame::leave;
use super::operand::{Source, Travels};

handlers! {
    /// Jumps `imm` words.
    fn br[](m) {
        m.jump(m.imm())
    }

    /// Jumps `imm` words if the `i32` in slot `d` or the accumulator is not zero (zero, if not `WANTED`).
    fn br_if[X: Source, const WANTED: bool](m) {
        if (X::read::<i32>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// As `br_if`, for an `i64`.
    fn br_if_i64[X: Source, const WANTED: bool](m) {
        if (X::read::<i64>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// Jumps if `d & a` is not zero (zero, if not `WANTED`).
    fn br_if_and[X: Source, Y: Source, const WANTED: bool](m) {
        if (X::read::<i32>(&m) & Y::read::<i32>(&m) != 0) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(2)
        }
    }

    /// Jumps by the distance in a table, whose index is slot `d` or the accumulator, plus word 2. `imm` is the number of
    /// entries without the default. The table starts at word 3; an entry takes half a word.
    fn br_table[X: Source](m) {
        let index = (ops::i32_add(X::read(&m), m.word(2) as i32) as u32).min(m.imm() as u32);
        let distance = *m.ip.add(3).as_ptr().cast::<i32>().add(index as usize);
        m.jump(distance)
    }

    /// Returns. The results are in place.
    fn return_plain[](m) {
        leave(m)
    }

    /// Returns one value: slot `a`, the accumulator or the constant. Writes it to slot `d`.
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
