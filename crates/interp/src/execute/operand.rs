//! Places of a handler's operands and result, as types. A handler is written once per operator shape and instantiated for each
//! combination that the [instruction set](crate::instr) lists.
//!
//! Sources: [`SlotA`], [`SlotB`] (frame slots), [`Acc`] (the accumulator of the operand's class), [`Imm`] (a constant in the
//! instruction). Destinations: [`Acc`] (the accumulator only: the next instruction is the sole user), [`SlotD`] (a slot, and
//! the accumulator as well).

use wasmr_core::op::{Number, Scalar};
use wasmr_core::types::ValType;

use super::dispatch::{FloatAcc, Machine};

/// Moves of a scalar through the machine: floats travel in `facc`, integers in `acc`. Each method is one register move or none,
/// as the type is known when a handler is compiled.
pub(crate) trait Travels: Scalar {
    /// Words that a constant takes after word 1.
    const IMM_WORDS: usize = if matches!(Self::TYPE, ValType::F64) { 1 } else { 0 };

    /// Reads the accumulator of the value's class.
    #[inline(always)]
    fn from_acc(m: &Machine) -> Self {
        if Self::FLOAT { Self::from_wide(m.facc) } else { Self::from_slot(m.acc) }
    }

    /// Writes the accumulator of the value's class.
    #[inline(always)]
    fn to_acc(self, m: &mut Machine) {
        if Self::FLOAT {
            m.facc = self.into_low_lane(m.facc);
        } else {
            m.acc = self.to_slot();
        }
    }

    /// Returns a float register with this value, which is a float.
    #[inline(always)]
    fn to_wide(self) -> FloatAcc {
        self.into_low_lane(facc::zero())
    }

    /// Reads a float register as this type, which is a float.
    #[inline(always)]
    fn from_wide(register: FloatAcc) -> Self {
        match Self::TYPE {
            ValType::F32 => Self::from_number(Number::F32(facc::get_f32(register))),
            _ => Self::from_number(Number::F64(facc::get_f64(register))),
        }
    }

    /// Returns `register` with this value in its low lane, if the value is a float.
    #[inline(always)]
    fn into_low_lane(self, register: FloatAcc) -> FloatAcc {
        match self.to_number() {
            Number::F32(value) => facc::set_f32(register, value),
            Number::F64(value) => facc::set_f64(register, value),
            Number::I32(_) | Number::I64(_) => register,
        }
    }

    /// Reads the constant of an instruction: in word 2 if it is an `f64`, else in `imm`.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has a constant of this type.
    #[inline(always)]
    unsafe fn from_imm(m: &Machine) -> Self {
        // SAFETY: the caller promises that the instruction has the field read here.
        let slot = unsafe { if Self::IMM_WORDS == 1 { m.word(2) } else { m.imm() as i64 as u64 } };
        Self::from_slot(slot)
    }
}

impl<T: Scalar> Travels for T {}

#[cfg(target_arch = "x86_64")]
mod facc {
    //! The low lane of an SSE register. Writing keeps the upper lane, so that `f64` arithmetic is one machine instruction.
    use super::FloatAcc;
    use std::arch::x86_64::*;

    #[inline(always)]
    pub(crate) fn get_f64(acc: FloatAcc) -> f64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cvtsd_f64(acc) }
    }

    #[inline(always)]
    pub(crate) fn set_f64(acc: FloatAcc, value: f64) -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_move_sd(acc, _mm_set_sd(value)) }
    }

    #[inline(always)]
    pub(crate) fn get_f32(acc: FloatAcc) -> f32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cvtss_f32(_mm_castpd_ps(acc)) }
    }

    #[inline(always)]
    pub(crate) fn set_f32(acc: FloatAcc, value: f32) -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_castps_pd(_mm_move_ss(_mm_castpd_ps(acc), _mm_set_ss(value))) }
    }

    /// Returns a register without a value.
    #[inline(always)]
    pub(crate) fn zero() -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_setzero_pd() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod facc {
    //! A plain `f64`; an `f32` is in its low bits.
    use super::FloatAcc;

    pub(crate) fn get_f64(acc: FloatAcc) -> f64 {
        acc
    }

    pub(crate) fn set_f64(_: FloatAcc, value: f64) -> FloatAcc {
        value
    }

    pub(crate) fn get_f32(acc: FloatAcc) -> f32 {
        f32::from_bits(acc.to_bits() as u32)
    }

    pub(crate) fn set_f32(_: FloatAcc, value: f32) -> FloatAcc {
        f64::from_bits(value.to_bits() as u64)
    }

    /// Returns a register without a value.
    pub(crate) fn zero() -> FloatAcc {
        0.0
    }
}
pub(crate) use facc::zero as zero_float_acc;

/// Place of an operand.
pub(crate) trait Source {
    /// Returns the number of words that the operand takes after word 1.
    fn words<T: Scalar>() -> usize {
        0
    }
    /// Reads the operand.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has an operand of type `T` in this place.
    unsafe fn read<T: Scalar>(m: &Machine) -> T;
    /// Reads the operand into a float register.
    ///
    /// # Safety
    /// As for [`read`](Source::read).
    #[inline(always)]
    unsafe fn read_wide<T: Scalar>(m: &Machine) -> FloatAcc {
        // SAFETY: the caller promises what `read` asks for.
        unsafe { Self::read::<T>(m) }.to_wide()
    }
}

/// Place of a result.
pub(crate) trait Destination {
    /// Writes the result.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has a result in this place.
    unsafe fn write<T: Scalar>(m: &mut Machine, value: T);
    /// Writes a float that is in a register, which becomes the accumulator.
    ///
    /// # Safety
    /// As for [`write`](Destination::write).
    unsafe fn write_wide<T: Scalar>(m: &mut Machine, value: FloatAcc);
}

/// Slot that field `a` names.
pub(crate) struct SlotA;
/// Slot that field `b` names.
pub(crate) struct SlotB;
/// Accumulator of the operand's class.
pub(crate) struct Acc;
/// Constant of the instruction.
pub(crate) struct Imm;
/// Constant in word 2.
pub(crate) struct Wide;
/// Small constant in field `a`.
pub(crate) struct ImmA;
/// Slot that field `d` names, and the accumulator.
pub(crate) struct SlotD;

impl Source for SlotA {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that field `a` is a slot.
        T::from_slot(unsafe { *m.a() })
    }
}

impl Source for SlotB {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that field `b` is a slot.
        T::from_slot(unsafe { *m.b() })
    }
}

/// A branch's first operand: branches have no destination and keep their operands in fields `d` and `a`.
impl Source for SlotD {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that field `d` is a slot.
        T::from_slot(unsafe { *m.d() })
    }
}

impl Source for Acc {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        T::from_acc(m)
    }
    #[inline(always)]
    unsafe fn read_wide<T: Scalar>(m: &Machine) -> FloatAcc {
        m.facc
    }
}

impl Source for Imm {
    fn words<T: Scalar>() -> usize {
        T::IMM_WORDS
    }
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that the instruction has a constant of this type.
        unsafe { T::from_imm(m) }
    }
}

impl Source for Wide {
    fn words<T: Scalar>() -> usize {
        1
    }
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that word 2 is the operand.
        T::from_slot(unsafe { m.word(2) })
    }
}

/// Integers only: sign-extended.
impl Source for ImmA {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller promises that field `a` is a constant.
        T::from_slot(unsafe { m.a_imm() } as i64 as u64)
    }
}

impl Destination for Acc {
    #[inline(always)]
    unsafe fn write<T: Scalar>(m: &mut Machine, value: T) {
        value.to_acc(m);
    }
    #[inline(always)]
    unsafe fn write_wide<T: Scalar>(m: &mut Machine, value: FloatAcc) {
        m.facc = value;
    }
}

impl Destination for SlotD {
    #[inline(always)]
    unsafe fn write<T: Scalar>(m: &mut Machine, value: T) {
        value.to_acc(m);
        // SAFETY: the caller promises that field `d` is the result's slot.
        unsafe { *m.d() = value.to_slot() };
    }
    #[inline(always)]
    unsafe fn write_wide<T: Scalar>(m: &mut Machine, value: FloatAcc) {
        m.facc = value;
        // SAFETY: the caller promises that field `d` is the result's slot.
        unsafe { *m.d() = T::from_wide(value).to_slot() };
    }
}

/// Returns the float accumulator for a value in slot form, of either float type.
#[inline(always)]
pub(crate) fn float_acc(slot: u64) -> FloatAcc {
    facc::set_f64(facc::zero(), f64::from_bits(slot))
}
