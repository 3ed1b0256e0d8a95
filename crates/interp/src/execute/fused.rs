//! Cells that do the work of two: pairs that are frequent in compiled programs (counted over CoreMark, QuickJS and CPython), as
//! a cell less is a jump less. Each is put together from the same functions as the operators it stands for.

use wasmr_core::ops;
use wasmr_runtime::vm::VmGlobal;

use super::access::Raw;
use super::dispatch::{Handler, handlers};
use super::memory::{Load, LoadOp, guarded_address};
use super::numeric::{Compare, CompareOp, Dst};
use super::operand::{Acc, Destination, SlotA, SlotB, SlotD, Source};

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
        let raw = L::Memory::load(&m, guarded_address(address, m.narrow(3) as u16 as i32));
        D::write(&mut m, L::extend(raw));
        m.next(2)
    }

    /// A load at `i32.add(X, imm)`; offset in word 2.
    fn load_displaced[L: Load, X: Source, D: Destination](m) {
        let address = ops::i32_add(X::read(&m), m.imm());
        let raw = L::Memory::load(&m, guarded_address(address, m.word(2) as i32));
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
    /// with the high half gives `WANTED`.
    fn count_and_branch[O: Compare<Operand = i32>, const WANTED: bool](m) {
        let value = ops::i32_add(SlotA::read(&m), m.word(2) as i32);
        SlotD::write(&mut m, value);
        if O::apply(value, (m.word(2) >> 32) as i32) == WANTED {
            m.jump(m.imm())
        } else {
            m.next(3)
        }
    }

    /// The same with a comparison with the slot that the high half of word 2 names.
    fn count_and_branch_slot[O: Compare<Operand = i32>, const WANTED: bool](m) {
        let value = ops::i32_add(SlotA::read(&m), m.word(2) as i32);
        SlotD::write(&mut m, value);
        let bound = *m.fp.offset((m.word(2) >> 32) as i32 as isize) as i32;
        if O::apply(value, bound) == WANTED {
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

type LoadRow = [[Handler; 2]; 4];

const fn load_row<L: Load>() -> LoadRow {
    [
        [load_indexed::<L, SlotA, Acc>, load_indexed::<L, SlotA, SlotD>],
        [load_indexed::<L, Acc, Acc>, load_indexed::<L, Acc, SlotD>],
        [load_displaced::<L, SlotA, Acc>, load_displaced::<L, SlotA, SlotD>],
        [load_displaced::<L, Acc, Acc>, load_displaced::<L, Acc, SlotD>],
    ]
}

macro_rules! load_table {
    ($($name:ident $op:ident $text:literal $raw:ident -> $value:ident;)*) => {
        static LOAD: &[LoadRow] = &[$(load_row::<super::memory::markers::$name>(),)*];
    };
}
wasmr_core::for_each_load_op!(load_table);

impl LoadOp {
    /// At the sum of slot `a` or the accumulator and slot `b`, by destination.
    pub fn indexed(self, from_acc: bool) -> [Handler; 2] {
        LOAD[self as usize][from_acc as usize]
    }

    /// At the sum of slot `a` or the accumulator and a constant, by destination.
    pub fn displaced(self, from_acc: bool) -> [Handler; 2] {
        LOAD[self as usize][2 + from_acc as usize]
    }
}

/// Picks the comparison's instance of a handler.
macro_rules! by_compare {
    ($op:expr, $handler:ident, $wanted:expr, $($compare:ident $marker:ident),*) => {
        match ($op, $wanted) {
            $((CompareOp::$compare, false) => Some($handler::<super::numeric::markers::$marker, false> as Handler),
            (CompareOp::$compare, true) => Some($handler::<super::numeric::markers::$marker, true> as Handler),)*
            _ => None,
        }
    };
}

/// The end of a counting loop with this comparison, if there is one.
pub fn count_and_branch_handler(op: CompareOp, slot: bool, wanted: bool) -> Option<Handler> {
    if slot {
        by_compare!(
            op, count_and_branch_slot, wanted, I32Eq i32_eq, I32Ne i32_ne, I32LtS i32_lt_s, I32LtU i32_lt_u, I32GeS i32_ge_s,
            I32GeU i32_ge_u, I32GtS i32_gt_s, I32GtU i32_gt_u, I32LeS i32_le_s, I32LeU i32_le_u
        )
    } else {
        by_compare!(
            op, count_and_branch, wanted, I32Eq i32_eq, I32Ne i32_ne, I32LtS i32_lt_s, I32LtU i32_lt_u, I32GeS i32_ge_s,
            I32GeU i32_ge_u, I32GtS i32_gt_s, I32GtU i32_gt_u, I32LeS i32_le_s, I32LeU i32_le_u
        )
    }
}

const _: () = assert!(Dst::Acc as usize == 0 && Dst::Slot as usize == 1, "handlers by destination");
