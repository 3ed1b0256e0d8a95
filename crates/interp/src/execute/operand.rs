//! Where a handler's operands come from and where its result goes, as types: a handler is written once per operator
//! shape and instantiated for each combination that the translator may ask for.
//!
//! Sources: [`SlotA`], [`SlotB`] (frame slots), [`Acc`] (the accumulator of the operand's class), [`Imm`] (a constant in the
//! cell). Destinations: [`Acc`] (the accumulator only: the next cell is the sole user), [`SlotD`] (a slot, and the
//! accumulator as well).

use wasmr_core::op::{Number, Scalar};
use wasmr_core::types::ValType;

use super::dispatch::{FloatAcc, Machine};

/// The way of a scalar through the machine: floats travel in `facc`, integers in `acc`. Each method is one register move or
/// none, as the type is known when a handler is compiled.
pub trait Travels: Scalar {
    /// Words that a constant takes behind word 1.
    const IMM_WORDS: usize = if matches!(Self::TYPE, ValType::F64) { 1 } else { 0 };

    /// From the accumulator of its class.
    #[inline(always)]
    fn from_acc(m: &Machine) -> Self {
        if Self::FLOAT { Self::from_wide(m.facc) } else { Self::from_slot(m.acc) }
    }

    /// Into the accumulator of its class.
    #[inline(always)]
    fn to_acc(self, m: &mut Machine) {
        if Self::FLOAT {
            m.facc = self.into_low_lane(m.facc);
        } else {
            m.acc = self.to_slot();
        }
    }

    /// Into a float register, if it is a float.
    #[inline(always)]
    fn to_wide(self) -> FloatAcc {
        self.into_low_lane(facc::zero())
    }

    /// From a float register, if it is a float.
    #[inline(always)]
    fn from_wide(register: FloatAcc) -> Self {
        match Self::TYPE {
            ValType::F32 => Self::from_number(Number::F32(facc::get_f32(register))),
            _ => Self::from_number(Number::F64(facc::get_f64(register))),
        }
    }

    /// Into the low lane of a float register, if it is a float.
    #[inline(always)]
    fn into_low_lane(self, register: FloatAcc) -> FloatAcc {
        match self.to_number() {
            Number::F32(value) => facc::set_f32(register, value),
            Number::F64(value) => facc::set_f64(register, value),
            Number::I32(_) | Number::I64(_) => register,
        }
    }

    /// The constant of a cell: in word 2 if it is an `f64`, else in `imm`.
    ///
    /// # Safety
    /// The handlers' contract; the cell has a constant of this type.
    #[inline(always)]
    unsafe fn from_imm(m: &Machine) -> Self {
        // SAFETY: the caller's promise.
        let slot = unsafe { if Self::IMM_WORDS == 1 { m.word(2) } else { m.imm() as i64 as u64 } };
        Self::from_slot(slot)
    }
}

impl<T: Scalar> Travels for T {}

#[cfg(target_arch = "x86_64")]
mod facc {
    //! The low lane of an SSE register. Writing keeps the upper lane, so that `f64` arithmetic is one instruction.
    use super::FloatAcc;
    use std::arch::x86_64::*;

    #[inline(always)]
    pub fn get_f64(acc: FloatAcc) -> f64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cvtsd_f64(acc) }
    }

    #[inline(always)]
    pub fn set_f64(acc: FloatAcc, value: f64) -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_move_sd(acc, _mm_set_sd(value)) }
    }

    #[inline(always)]
    pub fn get_f32(acc: FloatAcc) -> f32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cvtss_f32(_mm_castpd_ps(acc)) }
    }

    #[inline(always)]
    pub fn set_f32(acc: FloatAcc, value: f32) -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_castps_pd(_mm_move_ss(_mm_castpd_ps(acc), _mm_set_ss(value))) }
    }

    /// No value.
    #[inline(always)]
    pub fn zero() -> FloatAcc {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_setzero_pd() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod facc {
    //! A plain `f64`; an `f32` sits in its low bits.
    use super::FloatAcc;

    pub fn get_f64(acc: FloatAcc) -> f64 {
        acc
    }

    pub fn set_f64(_: FloatAcc, value: f64) -> FloatAcc {
        value
    }

    pub fn get_f32(acc: FloatAcc) -> f32 {
        f32::from_bits(acc.to_bits() as u32)
    }

    pub fn set_f32(_: FloatAcc, value: f32) -> FloatAcc {
        f64::from_bits(value.to_bits() as u64)
    }

    /// No value.
    pub fn zero() -> FloatAcc {
        0.0
    }
}
pub use facc::zero as zero_float_acc;

/// Where an operand comes from.
pub trait Source {
    /// Words that it takes behind word 1.
    fn words<T: Scalar>() -> usize {
        0
    }
    /// Reads it.
    ///
    /// # Safety
    /// The handlers' contract; the cell has such an operand of type `T`.
    unsafe fn read<T: Scalar>(m: &Machine) -> T;
    /// Reads it into a float register.
    ///
    /// # Safety
    /// As for [`read`](Source::read).
    #[inline(always)]
    unsafe fn read_wide<T: Scalar>(m: &Machine) -> FloatAcc {
        // SAFETY: the caller's promise.
        unsafe { Self::read::<T>(m) }.to_wide()
    }
}

/// Where a result goes.
pub trait Destination {
    /// Writes it.
    ///
    /// # Safety
    /// The handlers' contract; the cell has such a destination.
    unsafe fn write<T: Scalar>(m: &mut Machine, value: T);
    /// Writes a float that is in a register, which becomes the accumulator.
    ///
    /// # Safety
    /// As for [`write`](Destination::write).
    unsafe fn write_wide<T: Scalar>(m: &mut Machine, value: FloatAcc);
}

/// The slot that field `a` names.
pub struct SlotA;
/// The slot that field `b` names.
pub struct SlotB;
/// The accumulator.
pub struct Acc;
/// The cell's constant.
pub struct Imm;
/// The constant in word 2.
pub struct Wide;
/// The small constant in field `a`.
pub struct ImmA;
/// The slot that field `d` names, and the accumulator.
pub struct SlotD;

impl Source for SlotA {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller's promise.
        T::from_slot(unsafe { *m.a() })
    }
}

impl Source for SlotB {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller's promise.
        T::from_slot(unsafe { *m.b() })
    }
}

/// A branch's first operand: branches have no destination and keep their operands in fields `d` and `a`.
impl Source for SlotD {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller's promise.
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
        // SAFETY: the caller's promise.
        unsafe { T::from_imm(m) }
    }
}

impl Source for Wide {
    fn words<T: Scalar>() -> usize {
        1
    }
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller's promise.
        T::from_slot(unsafe { m.word(2) })
    }
}

/// Integers only: sign-extended.
impl Source for ImmA {
    #[inline(always)]
    unsafe fn read<T: Scalar>(m: &Machine) -> T {
        // SAFETY: the caller's promise.
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
        // SAFETY: the caller's promise.
        unsafe { *m.d() = value.to_slot() };
    }
    #[inline(always)]
    unsafe fn write_wide<T: Scalar>(m: &mut Machine, value: FloatAcc) {
        m.facc = value;
        // SAFETY: the caller's promise.
        unsafe { *m.d() = T::from_wide(value).to_slot() };
    }
}

/// The float accumulator for a value in slot form, whichever float type it has.
#[inline(always)]
pub fn float_acc(slot: u64) -> FloatAcc {
    facc::set_f64(facc::zero(), f64::from_bits(slot))
}
