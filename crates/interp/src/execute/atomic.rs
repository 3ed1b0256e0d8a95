//! Atomic accesses, sequentially consistent, and `atomic.fence`.
//!
//! All accesses are checked, which is right for any memory: alignment first, then bounds. The function of the operator in
//! [`wasmr_core::ops`] then accesses the cell, which other threads may access at the same time.

use std::sync::atomic::Ordering;

use wasmr_core::op::{AtomicCmpxchg, AtomicInt, AtomicLoad, AtomicRmw, AtomicStore, Scalar};
use wasmr_core::trap::TrapCode;

use super::dispatch::{Machine, handlers};
use super::memory::{checked, checked_address};
use super::operand::{Destination, SlotD};

/// Returns the cell of an access to the memory that `imm` names, at slot `a` plus word 2.
///
/// # Safety
/// The handlers' contract; the instruction has these fields. The reference must not outlive the instruction.
#[inline(always)]
unsafe fn cell<'c, M: AtomicInt, const IS64: bool>(m: &Machine) -> Result<&'c M::Cell, TrapCode> {
    const { assert!(size_of::<M::Cell>() == M::ACCESS.bytes as usize) }
    // SAFETY: by the handlers' contract the fields are those of the instruction. A base is aligned to a page, or the memory is
    // empty, so that the pointer is aligned as its distance from the base is. `checked` found the cell inside the memory, whose
    // bytes are valid for every value. Other accesses of this thread come before or after the instruction.
    unsafe {
        let (address, offset) = (checked_address::<IS64>(m), m.word(2));
        let size = M::ACCESS.bytes as u64;
        if address.wrapping_add(offset) % size != 0 {
            return Err(TrapCode::UnalignedAtomic);
        }
        let at = checked(m, m.imm() as u32, address, offset, size).ok_or(TrapCode::MemoryOutOfBounds)?;
        Ok(&*at.cast())
    }
}

/// Returns the operand in the slot that half `half` of word 3 names.
///
/// # Safety
/// The handlers' contract; the instruction has the field.
#[inline(always)]
unsafe fn operand<T: Scalar>(m: &Machine, half: usize) -> T {
    // SAFETY: the caller promises that the field is a slot of the frame. Word 3 is halves 6 and 7 of the instruction.
    T::from_slot(unsafe { *m.fp.offset(m.half(6 + half) as i32 as isize) })
}

handlers! {
    fn load[O: AtomicLoad, const IS64: bool](m) {
        match cell::<O::Memory, IS64>(&m) {
            Ok(cell) => {
                let value = O::apply(cell);
                SlotD::write(&mut m, value);
                m.next(3)
            }
            Err(code) => m.trap(code),
        }
    }

    /// Stores slot `d`.
    fn store[O: AtomicStore, const IS64: bool](m) {
        match cell::<O::Memory, IS64>(&m) {
            Ok(cell) => {
                O::apply(cell, O::Operand::from_slot(*m.d()));
                m.next(3)
            }
            Err(code) => m.trap(code),
        }
    }

    fn rmw[O: AtomicRmw, const IS64: bool](m) {
        match cell::<O::Memory, IS64>(&m) {
            Ok(cell) => {
                let value = O::apply(cell, operand(&m, 0));
                SlotD::write(&mut m, value);
                m.next(4)
            }
            Err(code) => m.trap(code),
        }
    }

    fn cmpxchg[O: AtomicCmpxchg, const IS64: bool](m) {
        match cell::<O::Memory, IS64>(&m) {
            Ok(cell) => {
                let value = O::apply(cell, operand(&m, 0), operand(&m, 1));
                SlotD::write(&mut m, value);
                m.next(4)
            }
            Err(code) => m.trap(code),
        }
    }

    fn fence[](m) {
        std::sync::atomic::fence(Ordering::SeqCst);
        m.next(2)
    }
}
