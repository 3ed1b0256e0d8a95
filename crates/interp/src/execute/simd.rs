//! Vector operators: a handler for each shape, compiled for each operator. Operands and results are in slots. A `v128` takes
//! two.

use wasmr_core::op::{
    ExtractLane, ReplaceLane, Scalar, Shift, Splat, VectorBinary, VectorTernary, VectorTest, VectorUnary,
};
use wasmr_core::ops;
use wasmr_core::value::V128;

use super::dispatch::handlers;
use super::operand::{Destination, SlotD};

/// Reads the vector in two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub(crate) unsafe fn read(slot: *mut u64) -> V128 {
    // SAFETY: the caller promises two slots, which are plain bytes.
    V128(unsafe { slot.cast::<[u8; 16]>().read() })
}

/// Writes a vector into two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub(crate) unsafe fn write(slot: *mut u64, value: V128) {
    // SAFETY: the caller promises two slots.
    unsafe { slot.cast::<[u8; 16]>().write(value.0) }
}

handlers! {
    fn unary[O: VectorUnary](m) {
        write(m.d(), O::apply(read(m.a())));
        m.next(2)
    }

    fn binary[O: VectorBinary](m) {
        write(m.d(), O::apply(read(m.a()), read(m.b())));
        m.next(2)
    }

    fn ternary[O: VectorTernary](m) {
        write(m.d(), O::apply(read(m.a()), read(m.b()), read(m.x())));
        m.next(2)
    }

    fn canonical_f32x4[](m) {
        write(m.d(), ops::canonical_f32x4(read(m.a())));
        m.next(2)
    }

    fn canonical_f64x2[](m) {
        write(m.d(), ops::canonical_f64x2(read(m.a())));
        m.next(2)
    }

    /// The result goes to the accumulator too.
    fn test[O: VectorTest](m) {
        let value = O::apply(read(m.a()));
        SlotD::write(&mut m, value);
        m.next(2)
    }

    /// The count is in slot `b`.
    fn shift[O: Shift](m) {
        let count = *m.b() as i32;
        write(m.d(), O::apply(read(m.a()), count));
        m.next(2)
    }

    fn splat[O: Splat](m) {
        let scalar = O::Operand::from_slot(*m.a());
        write(m.d(), O::apply(scalar));
        m.next(2)
    }

    /// The lane is field `b`. The result goes to the accumulator too.
    fn extract_lane[O: ExtractLane](m) {
        let value = O::apply(read(m.a()), m.narrow(2) as u8);
        SlotD::write(&mut m, value);
        m.next(2)
    }

    /// The scalar is in slot `b`, the lane in the low bits of field `x`.
    fn replace_lane[O: ReplaceLane](m) {
        let new = O::Operand::from_slot(*m.b());
        write(m.d(), O::apply(read(m.a()), new, m.narrow(3) as u8));
        m.next(2)
    }

    /// The lanes are words 2 and 3.
    fn shuffle[](m) {
        let lanes = V128::from_slots([m.word(2), m.word(3)]).0;
        write(m.d(), ops::i8x16_shuffle(read(m.a()), read(m.b()), lanes));
        m.next(4)
    }
}
