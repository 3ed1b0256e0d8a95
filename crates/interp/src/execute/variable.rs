//! Moves between slots, constants into slots, globals, `select`.

use std::hint::select_unpredictable;

use wasmr_core::op::Scalar;
use wasmr_runtime::vm::VmGlobal;

use super::dispatch::handlers;
use super::operand::{Destination, Source, VectorDestination, read_slots};

handlers! {
    /// Copies slot `a` to slot `d`. The accumulators stay.
    fn copy[](m) {
        *m.d() = *m.a();
        m.next(2)
    }

    /// Copies slots `a`, `a + 1` to slots `d`, `d + 1`.
    fn copy_v128[](m) {
        m.d().cast::<[u64; 2]>().write(m.a().cast::<[u64; 2]>().read());
        m.next(2)
    }

    /// Copies slots `a`, `b` to slots `d`, `d + 1`.
    fn copy_pair[](m) {
        let first = *m.a();
        let second = *m.b();
        let to = m.d();
        *to = first;
        *to.add(1) = second;
        m.next(2)
    }

    /// Copies slot `a` to slot `d`, then slot `x` to slot `b`.
    fn copy_two[](m) {
        *m.d() = *m.a();
        *m.b() = *m.x();
        m.next(2)
    }

    /// Copies between any two places of a large frame: word 1 is the source, word 2 the destination, word 3 the number of
    /// slots.
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

    /// Puts the constant `imm`, zero-extended, into slot `d`. The accumulators stay.
    fn constant[](m) {
        *m.d() = m.imm() as u32 as u64;
        m.next(2)
    }

    /// Copies word 2 to slot `d`.
    fn constant_wide[](m) {
        *m.d() = m.word(2);
        m.next(3)
    }

    /// Copies words 2 and 3 to slots `d`, `d + 1`.
    fn constant_v128[](m) {
        m.d().cast::<[u64; 2]>().write([m.word(2), m.word(3)]);
        m.next(4)
    }

    /// Reads a scalar global of this module. `imm` is its offset in the instance.
    fn global_get[T: Scalar, D: Destination](m) {
        let value = T::from_slot((*m.in_instance::<VmGlobal>(m.imm() as u32)).value[0]);
        D::write(&mut m, value);
        m.next(2)
    }

    /// Reads a scalar global that is imported. `imm` is the offset of its pointer.
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

    /// Writes slot `a` or the accumulator to a global of this module.
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

    /// `select`: slot `a` if the condition is not zero, else slot `b`. The condition is in slot `x` or the accumulator.
    /// Both values are read. The reads are volatile, or the optimiser would read one slot whose number depends on the
    /// condition.
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

    fn select_v128[D: VectorDestination](m) {
        let condition = *m.x() as u32;
        let from = if condition != 0 { m.a() } else { m.b() };
        D::write_vector(&mut m, read_slots(from));
        m.next(2)
    }
}
