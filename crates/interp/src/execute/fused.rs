//! Fused instructions (superinstructions, Proebsting 1995): one instruction for a pair of operators that is frequent in
//! compiled programs, counted over CoreMark, QuickJS and CPython. One instruction less is one indirect jump less. Each handler
//! calls the functions of the operators that it replaces.

use wasmr_core::op::{Compare, Load, Scalar};
use wasmr_core::ops;
use wasmr_runtime::vm::VmGlobal;

use super::access;
use super::dispatch::handlers;
use super::memory::guarded_address;
use super::operand::{Destination, SlotA, SlotB, SlotD, Source};

/// Returns an `i32` as the operand of a comparison of `i32`s.
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

    /// A load at `i32.add(X, b)`. Field `x` is the offset, zero-extended.
    fn load_indexed[L: Load, X: Source, D: Destination](m) {
        let address = ops::i32_add(X::read(&m), SlotB::read(&m));
        let raw = access::load::<L::Memory>(&m, guarded_address(address, m.narrow(3) as u16 as i32));
        D::write(&mut m, L::extend(raw));
        m.next(2)
    }

    /// A load at `i32.add(X, imm)`. Word 2 is the offset.
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

    /// The end of a counting loop: slot `d` becomes slot `a` plus the low half of word 2. Jumps `imm` words if the comparison
    /// of the sum with the high half gives `WANTED`. For comparisons of `i32`s only.
    fn count_and_branch[O: Compare, const WANTED: bool](m) {
        let value = ops::i32_add(SlotA::read(&m), m.word(2) as i32);
        SlotD::write(&mut m, value);
        if O::apply(operand(value), operand((m.word(2) >> 32) as i32)) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(3)
        }
    }

    /// As `count_and_branch`, but compares with the slot that the high half of word 2 names.
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
