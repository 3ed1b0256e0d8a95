//! Vector loads and stores. Plain, extending, splatting and zero-filling loads have a form for guard-paged memory. Accesses of
//! single lanes are always checked, which is right for any memory.

use wasmr_core::op::{LoadLane, MemoryInt, StoreLane, VectorLoad, VectorMemory};
use wasmr_core::trap::TrapCode;
use wasmr_core::value::V128;

use super::access;
use super::dispatch::handlers;
use super::memory::{checked, checked_address, read_word, write_word};
use super::operand::Source;
use super::simd::{read, write};

/// Reads the bytes for a vector from checked memory.
///
/// # Safety
/// `at` points to as many bytes as `M` has, in a memory of the instance.
#[inline(always)]
unsafe fn read_for_vector<M: VectorMemory>(at: *const u8) -> M::Loaded {
    // SAFETY: the caller promises that the bytes are in the memory.
    unsafe {
        match M::BYTES {
            16 => M::vector_loaded(at.cast::<V128>().read_unaligned()),
            bytes => M::word_loaded(read_word(at, bytes)),
        }
    }
}

handlers! {
    fn load[L: VectorLoad, X: Source](m) {
        let at = X::read::<i32>(&m) as u32 as u64 + m.imm() as u32 as u64;
        let loaded = access::load_for_vector::<L::Memory>(&m, at);
        write(m.d(), L::extend(loaded));
        m.next(2)
    }

    /// A load from the memory that `imm` names, at slot `a` plus word 2.
    fn load_checked[L: VectorLoad, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::BYTES as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let loaded = read_for_vector::<L::Memory>(at);
        write(m.d(), L::extend(loaded));
        m.next(3)
    }

    /// Stores slot `d`.
    fn store[X: Source](m) {
        let at = X::read::<i32>(&m) as u32 as u64 + m.imm() as u32 as u64;
        access::store_vector(&m, at, read(m.d()));
        m.next(2)
    }

    fn store_checked[const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), 16) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        at.cast::<V128>().write_unaligned(read(m.d()));
        m.next(3)
    }

    /// Address in slot `a`, memory in `imm`, offset in word 2; word 3: vector slot, lane in the high half.
    fn load_lane[L: LoadLane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let vector = read(m.fp.offset(m.word(3) as i32 as isize));
        let raw = L::Memory::from_word(read_word(at, L::Memory::ACCESS.bytes));
        write(m.d(), L::replace(vector, raw, (m.word(3) >> 32) as u8));
        m.next(4)
    }

    fn store_lane[L: StoreLane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let vector = read(m.fp.offset(m.word(3) as i32 as isize));
        let raw = L::extract(vector, (m.word(3) >> 32) as u8);
        write_word(at, L::Memory::ACCESS.bytes, raw.to_word());
        m.next(4)
    }
}
