//! Places of a handler's operands and result, as types. A handler is written once per operator shape and instantiated for each
//! combination that the [instruction set](crate::instr) lists.
//!
//! Sources: [`SlotA`], [`SlotB`] (frame slots), [`Acc`] (the accumulator of the operand's class), [`Imm`] (a constant in the
//! instruction). Destinations: [`Acc`] (the accumulator only: the next instruction is the sole user), [`SlotD`] (a slot, and
//! the accumulator as well). The same types are places of vectors ([`VectorSource`], [`VectorDestination`]), which take two
//! slots or all of `facc`.

use std::sync::atomic::{Ordering, compiler_fence};

use wasmr_core::op::{Number, Scalar};
use wasmr_core::types::ValType;
use wasmr_core::value::V128;

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
    use super::{FloatAcc, V128};
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

    #[inline(always)]
    pub(crate) fn get_v128(acc: FloatAcc) -> V128 {
        // SAFETY: both types are 16 bytes, in which all bit patterns are valid.
        V128(unsafe { std::mem::transmute::<FloatAcc, [u8; 16]>(acc) })
    }

    #[inline(always)]
    pub(crate) fn set_v128(value: V128) -> FloatAcc {
        // SAFETY: both types are 16 bytes, in which all bit patterns are valid.
        unsafe { std::mem::transmute::<[u8; 16], FloatAcc>(value.0) }
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
    //! A plain vector; a float is in its low bytes.
    use super::{FloatAcc, V128};

    pub(crate) fn get_f64(acc: FloatAcc) -> f64 {
        f64::from_bits(acc.to_slots()[0])
    }

    pub(crate) fn set_f64(_: FloatAcc, value: f64) -> FloatAcc {
        V128::from_slots([value.to_bits(), 0])
    }

    pub(crate) fn get_f32(acc: FloatAcc) -> f32 {
        f32::from_bits(acc.to_slots()[0] as u32)
    }

    pub(crate) fn set_f32(_: FloatAcc, value: f32) -> FloatAcc {
        V128::from_slots([value.to_bits() as u64, 0])
    }

    pub(crate) fn get_v128(acc: FloatAcc) -> V128 {
        acc
    }

    pub(crate) fn set_v128(value: V128) -> FloatAcc {
        value
    }

    /// Returns a register without a value.
    pub(crate) fn zero() -> FloatAcc {
        V128::default()
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

/// Place of a vector operand.
pub(crate) trait VectorSource {
    /// Number of words that the operand takes after word 1.
    const WORDS: usize = 0;
    /// Reads the operand.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has a vector operand in this place.
    unsafe fn read_vector(m: &Machine) -> V128;
}

/// Place of a vector result.
pub(crate) trait VectorDestination {
    /// Writes the result.
    ///
    /// # Safety
    /// The handlers' contract; the instruction has a vector result in this place.
    unsafe fn write_vector(m: &mut Machine, value: V128);
}

/// Slot that field `a` names.
pub(crate) struct SlotA;
/// Slot that field `b` names.
pub(crate) struct SlotB;
/// Slot that field `x` names.
pub(crate) struct SlotX;
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

/// Reads the vector in two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub(crate) unsafe fn read_slots(slot: *mut u64) -> V128 {
    // SAFETY: the caller promises two slots, which are plain bytes.
    V128(unsafe { slot.cast::<[u8; 16]>().read() })
}

/// Writes a vector into two slots.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame.
#[inline(always)]
pub(crate) unsafe fn write_slots(slot: *mut u64, value: V128) {
    // SAFETY: the caller promises two slots.
    unsafe { slot.cast::<[u8; 16]>().write(value.0) }
}

/// Reads the vector constant in word `n` of the instruction and the next one.
///
/// # Safety
/// The handlers' contract; the instruction has these words.
#[inline(always)]
pub(crate) unsafe fn read_constant(m: &Machine, n: usize) -> V128 {
    // SAFETY: the caller promises that the words are part of the instruction at `ip`.
    V128(unsafe { m.ip.as_ptr().add(n).cast::<[u8; 16]>().read() })
}

macro_rules! vectors_in_slots {
    ($($place:ident $field:ident)*) => {$(
        impl VectorSource for $place {
            #[inline(always)]
            unsafe fn read_vector(m: &Machine) -> V128 {
                // SAFETY: the caller promises that the field is the first slot of a vector.
                unsafe { read_slots(m.$field()) }
            }
        }
    )*};
}

vectors_in_slots! { SlotA a  SlotB b  SlotX x  SlotD d }

impl VectorSource for Acc {
    #[inline(always)]
    unsafe fn read_vector(m: &Machine) -> V128 {
        facc::get_v128(m.facc)
    }
}

/// Words 2 and 3.
impl VectorSource for Imm {
    const WORDS: usize = 2;
    #[inline(always)]
    unsafe fn read_vector(m: &Machine) -> V128 {
        // SAFETY: the caller promises that the instruction has a constant vector.
        unsafe { read_constant(m, 2) }
    }
}

impl VectorDestination for Acc {
    #[inline(always)]
    unsafe fn write_vector(m: &mut Machine, value: V128) {
        m.facc = facc::set_v128(value);
    }
}

impl VectorDestination for SlotD {
    #[inline(always)]
    unsafe fn write_vector(m: &mut Machine, value: V128) {
        m.facc = facc::set_v128(value);
        // The optimiser would read the field before the operands, and find no register for it.
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the caller promises that field `d` is the first slot of the result.
        unsafe { write_slots(m.d(), value) };
    }
}

/// Returns the float accumulator for a value in slot form, of either float type.
#[inline(always)]
pub(crate) fn float_acc(slot: u64) -> FloatAcc {
    facc::set_f64(facc::zero(), f64::from_bits(slot))
}
