//! Cells that do the work of two: pairs that are frequent in compiled programs (counted over CoreMark, QuickJS and CPython), as
//! a cell less is a jump less. Each is put together from the same functions as the operators it stands for.

use wasmr_core::op::{Compare, Load, Scalar};
use wasmr_core::ops;
use wasmr_runtime::vm::VmGlobal;

use super::access;
use super::dispatch::{Handler, handlers};
use super::memory::guarded_address;
use super::operand::{Acc, Destination, SlotA, SlotB, SlotD, Source};

/// An `i32` as the operand of a comparison of `i32`s.
#[inline(always)]
fn operand<T: Scalar>(value: i32) -> T {
    T::from_slot(value.to_slot())
}

handlers! {
    /// `i32.add(a, i32.shl(Y, x))`: an address in an array.
    fn add_scaled[Y: Source, D: Destination](m) {
        let scaled = ops::i32_shl(Y::read(&m), m.narrow(3) as i32);
        let value = ops::i32_add(SlotA::read(&m), scaled);
        D::write(&mut m, value);
        m.next(2)
    }

    /// `i32.and(i32.shr_u(X, b), x)`: a field of bits, `x` zero-extended.
    fn bit_field[X: Source, D: Destination](m) {
        let shifted = ops::i32_shr_u(X::read(&m), m.narrow(2) as i32);
        let value = ops::i32_and(shifted, m.narrow(3) as u16 as i32);
        D::write(&mut m, value);
        m.next(2)
    }

    /// A load at `i32.add(X, b)`; offset in `x`, zero-extended.
    fn load_indexed[L: Load, X: Source, D: Destination](m) {
        let address = ops::i32_add(X::read(&m), SlotB::read(&m));
        let raw = access::load::<L::Memory>(&m, guarded_address(address, m.narrow(3) as u16 as i32));
        D::write(&mut m, L::extend(raw));
        m.next(2)
    }

    /// A load at `i32.add(X, imm)`; offset in word 2.
    fn load_displaced[L: Load, X: Source, D: Destination](m) {
        let address = ops::i32_add(X::read(&m), m.imm());
        let raw = access::load::<L::Memory>(&m, guarded_address(address, m.word(2) as i32));
        D::write(&mut m, L::extend(raw));
        m.next(3)
    }

    /// `i32.add` of a global of this module at `imm` and word 2: a frame pointer.
    fn global_plus[D: Destination](m) {
        let global = (*m.in_instance::<VmGlobal>(m.imm() as u32)).value[0] as i32;
        let value = ops::i32_add(global, m.word(2) as i32);
        D::write(&mut m, value);
        m.next(3)
    }

    /// Sets a global of this module at `imm` to `i32.add(X, word 2)`.
    fn set_global_plus[X: Source](m) {
        let value = ops::i32_add(X::read(&m), m.word(2) as i32);
        (*m.in_instance::<VmGlobal>(m.imm() as u32)).value[0] = value as u32 as u64;
        m.next(3)
    }

    /// The end of a counting loop: slot `d` becomes slot `a` plus the low half of word 2; jumps `imm` words if its comparison
    /// with the high half gives `WANTED`. Of comparisons of `i32`s only.
    fn count_and_branch[O: Compare, const WANTED: bool](m) {
        let value = ops::i32_add(SlotA::read(&m), m.word(2) as i32);
        SlotD::write(&mut m, value);
        if O::apply(operand(value), operand((m.word(2) >> 32) as i32)) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(3)
        }
    }

    /// The same with a comparison with the slot that the high half of word 2 names.
    fn count_and_branch_slot[O: Compare, const WANTED: bool](m) {
        let value = ops::i32_add(SlotA::read(&m), m.word(2) as i32);
        SlotD::write(&mut m, value);
        let bound = *m.fp.offset((m.word(2) >> 32) as i32 as isize) as i32;
        if O::apply(operand(value), operand(bound)) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(3)
        }
    }
}

/// `i32.add` of slot `a` and a shifted operand, in slot `b` or the accumulator, by destination.
pub fn add_scaled_handlers(from_acc: bool) -> [Handler; 2] {
    if from_acc {
        [add_scaled::<Acc, Acc>, add_scaled::<Acc, SlotD>]
    } else {
        [add_scaled::<SlotB, Acc>, add_scaled::<SlotB, SlotD>]
    }
}

/// A field of bits of slot `a` or the accumulator, by destination.
pub fn bit_field_handlers(from_acc: bool) -> [Handler; 2] {
    if from_acc {
        [bit_field::<Acc, Acc>, bit_field::<Acc, SlotD>]
    } else {
        [bit_field::<SlotA, Acc>, bit_field::<SlotA, SlotD>]
    }
}

/// The sum of a global and a constant, by destination.
pub const GLOBAL_PLUS: [Handler; 2] = [global_plus::<Acc>, global_plus::<SlotD>];

/// Sets a global to the sum of slot `a` or the accumulator and a constant.
pub fn set_global_plus_handler(from_acc: bool) -> Handler {
    if from_acc { set_global_plus::<Acc> } else { set_global_plus::<SlotA> }
}
