//! Moves between slots, constants into slots, globals, `select`.

use std::hint::select_unpredictable;

use wasmr_core::op::Scalar;
use wasmr_runtime::vm::VmGlobal;

use super::dispatch::{Handler, handlers};
use super::operand::{Acc, Destination, SlotA, SlotD, Source};

handlers! {
    /// Slot `a` to slot `d`; the accumulators stay.
    fn copy[](m) {
        *m.d() = *m.a();
        m.next(2)
    }

    /// Slots `a`, `a + 1` to slots `d`, `d + 1`.
    fn copy_v128[](m) {
        m.d().cast::<[u64; 2]>().write(m.a().cast::<[u64; 2]>().read());
        m.next(2)
    }

    /// Slots `a`, `b` to slots `d`, `d + 1`.
    fn copy_pair[](m) {
        let first = *m.a();
        let second = *m.b();
        let to = m.d();
        *to = first;
        *to.add(1) = second;
        m.next(2)
    }

    /// Slot `a` to slot `d`, then slot `x` to slot `b`.
    fn copy_two[](m) {
        *m.d() = *m.a();
        *m.b() = *m.x();
        m.next(2)
    }

    /// Between any two slots of a large frame: word 1 is the source, word 2 the destination, word 3 how many.
    fn copy_far[](m) {
        let from = m.fp.offset(m.word(1) as isize);
        let to = m.fp.offset(m.word(2) as isize);
        let value = *from;
        if m.word(3) == 2 {
            *to.add(1) = *from.add(1);
        }
        *to = value;
        m.next(4)
    }

    /// The small constant `imm`, zero-extended, to slot `d`; the accumulators stay.
    fn constant[](m) {
        *m.d() = m.imm() as u32 as u64;
        m.next(2)
    }

    /// Word 2 to slot `d`.
    fn constant_wide[](m) {
        *m.d() = m.word(2);
        m.next(3)
    }

    /// Words 2 and 3 to slots `d`, `d + 1`.
    fn constant_v128[](m) {
        m.d().cast::<[u64; 2]>().write([m.word(2), m.word(3)]);
        m.next(4)
    }

    /// An integer or reference global of this module; offset in the instance in `imm`.
    fn global_get[T: Scalar, D: Destination](m) {
        let value = T::from_slot((*m.in_instance::<VmGlobal>(m.imm() as u32)).value[0]);
        D::write(&mut m, value);
        m.next(2)
    }

    /// An imported one.
    fn global_get_imported[T: Scalar, D: Destination](m) {
        let global = *m.in_instance::<*mut VmGlobal>(m.imm() as u32);
        let value = T::from_slot((*global).value[0]);
        D::write(&mut m, value);
        m.next(2)
    }

    fn global_get_v128[](m) {
        m.d().cast::<[u64; 2]>().write((*m.in_instance::<VmGlobal>(m.imm() as u32)).value);
        m.next(2)
    }

    fn global_get_imported_v128[](m) {
        let global = *m.in_instance::<*mut VmGlobal>(m.imm() as u32);
        m.d().cast::<[u64; 2]>().write((*global).value);
        m.next(2)
    }

    /// Slot `a` or the accumulator to a global of this module.
    fn global_set[T: Scalar, X: Source](m) {
        let value: T = X::read(&m);
        (*m.in_instance::<VmGlobal>(m.imm() as u32)).value[0] = value.to_slot();
        m.next(2)
    }

    fn global_set_imported[T: Scalar, X: Source](m) {
        let value: T = X::read(&m);
        let global = *m.in_instance::<*mut VmGlobal>(m.imm() as u32);
        (*global).value[0] = value.to_slot();
        m.next(2)
    }

    fn global_set_v128[](m) {
        (*m.in_instance::<VmGlobal>(m.imm() as u32)).value = m.a().cast::<[u64; 2]>().read();
        m.next(2)
    }

    fn global_set_imported_v128[](m) {
        let global = *m.in_instance::<*mut VmGlobal>(m.imm() as u32);
        (*global).value = m.a().cast::<[u64; 2]>().read();
        m.next(2)
    }

    /// `select`: slot `a` if the condition is not zero, else slot `b`; condition in slot `x` or the accumulator.
    /// Both values are read, volatile lest the optimiser read a slot number that depends on the condition instead.
    fn select_slot[D: Destination](m) {
        let (condition, a, b) = (*m.x() as u32, m.a().read_volatile(), m.b().read_volatile());
        D::write(&mut m, select_unpredictable(condition != 0, a, b) as i64);
        m.next(2)
    }

    fn select_acc[D: Destination](m) {
        let (condition, a, b) = (m.acc as u32, m.a().read_volatile(), m.b().read_volatile());
        D::write(&mut m, select_unpredictable(condition != 0, a, b) as i64);
        m.next(2)
    }

    fn select_float_slot[D: Destination](m) {
        let (condition, a, b) = (*m.x() as u32, m.a().read_volatile(), m.b().read_volatile());
        D::write(&mut m, f64::from_bits(select_unpredictable(condition != 0, a, b)));
        m.next(2)
    }

    fn select_float_acc[D: Destination](m) {
        let (condition, a, b) = (m.acc as u32, m.a().read_volatile(), m.b().read_volatile());
        D::write(&mut m, f64::from_bits(select_unpredictable(condition != 0, a, b)));
        m.next(2)
    }

    fn select_v128[](m) {
        let condition = *m.x() as u32;
        let from = if condition != 0 { m.a() } else { m.b() };
        m.d().cast::<[u64; 2]>().write(from.cast::<[u64; 2]>().read());
        m.next(2)
    }
}

/// `global.get`'s handlers by destination.
pub fn global_get_handlers(float: bool, imported: bool) -> [Handler; 2] {
    match (float, imported) {
        (false, false) => [global_get::<i64, Acc>, global_get::<i64, SlotD>],
        (false, true) => [global_get_imported::<i64, Acc>, global_get_imported::<i64, SlotD>],
        (true, false) => [global_get::<f64, Acc>, global_get::<f64, SlotD>],
        (true, true) => [global_get_imported::<f64, Acc>, global_get_imported::<f64, SlotD>],
    }
}

/// `global.set`'s handler for a value in slot `a` or the accumulator of its class.
pub fn global_set_handler(float: bool, imported: bool, from_acc: bool) -> Handler {
    match (float, imported, from_acc) {
        (_, false, false) => global_set::<i64, SlotA>,
        (_, true, false) => global_set_imported::<i64, SlotA>,
        (false, false, true) => global_set::<i64, Acc>,
        (false, true, true) => global_set_imported::<i64, Acc>,
        (true, false, true) => global_set::<f64, Acc>,
        (true, true, true) => global_set_imported::<f64, Acc>,
    }
}

/// `select`'s handlers by destination, for values in slots and a condition in slot `x` or the accumulator.
pub fn select_handlers(float: bool, from_acc: bool) -> [Handler; 2] {
    match (float, from_acc) {
        (false, false) => [select_slot::<Acc>, select_slot::<SlotD>],
        (false, true) => [select_acc::<Acc>, select_acc::<SlotD>],
        (true, false) => [select_float_slot::<Acc>, select_float_slot::<SlotD>],
        (true, true) => [select_float_acc::<Acc>, select_float_acc::<SlotD>],
    }
}
