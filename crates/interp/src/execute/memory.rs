//! Loads, stores and `memory.size`.
//!
//! Two families. *Guarded* accesses go to the guard-paged memory 0 through `mem`, without a check (see [`access`]). *Checked*
//! accesses go to any memory, 32- or 64-bit, through its [`VmMemory`], and compare with its length.

use wasmr_core::op::{Load, MemoryInt, Scalar, Store};
use wasmr_core::trap::TrapCode;
use wasmr_runtime::vm::VmMemory;

use super::access;
use super::dispatch::{Machine, handlers};
use super::operand::{Destination, SlotD, Source, Travels};

/// Returns the distance from the memory's base of a 32-bit access to guard-paged memory. It cannot overflow, and is inside the
/// reservation.
#[inline(always)]
pub(crate) fn guarded_address(address: i32, offset: i32) -> u64 {
    address as u32 as u64 + offset as u32 as u64
}

/// Returns a pointer to `size` bytes of a memory, if they are inside it. `memory` is the offset of the memory's pointer in the
/// instance.
///
/// # Safety
/// The handlers' contract; `memory` is such an offset.
#[inline(always)]
pub(crate) unsafe fn checked(m: &Machine, memory: u32, address: u64, offset: u64, size: u64) -> Option<*mut u8> {
    // SAFETY: at that offset is the pointer of a memory, which lives as long as the instance.
    let memory = unsafe { &**m.in_instance::<*mut VmMemory>(memory) };
    let at = address.checked_add(offset)?;
    // Bounds check of all checked accesses. The memory's size is an atomic, which takes a register: the difference needs no other.
    if at > (memory.size() as u64).checked_sub(size)? {
        return None;
    }
    // SAFETY: `at <= len`, so the pointer is inside the memory or one past its end.
    Some(unsafe { memory.base.add(at as usize) })
}

/// Returns the address operand of a checked access, in slot `a`.
///
/// # Safety
/// The handlers' contract; the instruction has the field.
#[inline(always)]
pub(crate) unsafe fn checked_address<const IS64: bool>(m: &Machine) -> u64 {
    // SAFETY: the caller promises that field `a` is a slot.
    let slot = unsafe { *m.a() };
    if IS64 { slot } else { slot as u32 as u64 }
}

/// Reads an integer of `bytes` bytes from checked memory, zero-extended.
///
/// # Safety
/// `at` points to that many bytes in a memory of the instance.
#[inline(always)]
pub(crate) unsafe fn read_word(at: *const u8, bytes: u8) -> u64 {
    // SAFETY: the caller promises that the bytes are in the memory.
    unsafe {
        match bytes {
            1 => at.read() as u64,
            2 => at.cast::<u16>().read_unaligned() as u64,
            4 => at.cast::<u32>().read_unaligned() as u64,
            _ => at.cast::<u64>().read_unaligned(),
        }
    }
}

/// Writes the low `bytes` bytes of a word to checked memory.
///
/// # Safety
/// `at` points to that many bytes in a memory of the instance.
#[inline(always)]
pub(crate) unsafe fn write_word(at: *mut u8, bytes: u8, word: u64) {
    // SAFETY: the caller promises that the bytes are in the memory.
    unsafe {
        match bytes {
            1 => at.write(word as u8),
            2 => at.cast::<u16>().write_unaligned(word as u16),
            4 => at.cast::<u32>().write_unaligned(word as u32),
            _ => at.cast::<u64>().write_unaligned(word),
        }
    }
}

handlers! {
    fn load[L: Load, X: Source, D: Destination](m) {
        let raw = access::load::<L::Memory>(&m, guarded_address(X::read(&m), m.imm()));
        D::write(&mut m, L::extend(raw));
        m.next(2)
    }

    /// Stores slot `d`.
    fn store_slot[S: Store, X: Source](m) {
        let value = S::Operand::from_slot(*m.d());
        access::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(2)
    }

    /// Stores the accumulator of the value's class.
    fn store_acc[S: Store, X: Source](m) {
        let value = S::Operand::from_acc(&m);
        access::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(2)
    }

    /// Stores word 2.
    fn store_imm[S: Store, X: Source](m) {
        let value = S::Operand::from_slot(m.word(2));
        access::store(&m, guarded_address(X::read(&m), m.imm()), S::wrap(value));
        m.next(3)
    }

    /// A load from the memory that `imm` names, at slot `a` plus word 2.
    fn load_checked[L: Load, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let raw = L::Memory::from_word(read_word(at, L::Memory::ACCESS.bytes));
        SlotD::write(&mut m, L::extend(raw));
        m.next(3)
    }

    /// A store of slot `d` to the memory that `imm` names, at slot `a` plus word 2.
    fn store_checked[S: Store, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), S::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let value = S::Operand::from_slot(*m.d());
        write_word(at, S::Memory::ACCESS.bytes, S::wrap(value).to_word());
        m.next(3)
    }

    /// Puts the size of the memory that `imm` names into slot `d`, in pages of `1 << LOG2` bytes.
    fn memory_size[const LOG2: u32](m) {
        let memory = *m.in_instance::<*mut VmMemory>(m.imm() as u32);
        SlotD::write(&mut m, ((*memory).size() >> LOG2) as i64);
        m.next(2)
    }
}
