//! Vector loads and stores: guarded and checked ones, as in [`memory`](super::memory). Checked accesses have their operands and
//! results in slots.

use wasmr_core::op::{LoadLane, MemoryInt, StoreLane, VectorLoad, VectorMemory};
use wasmr_core::ops;
use wasmr_core::trap::TrapCode;
use wasmr_core::value::V128;

use super::access;
use super::dispatch::{Machine, handlers};
use super::memory::{checked, checked_address, guarded_address, read_word, write_word};
use super::operand::{SlotB, Source, VectorDestination, VectorSource, read_slots, write_slots};
use super::simd::lane_in_slots;

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

/// Returns the lane to store: `place` is the slot of the vector, with the lane in the high half.
///
/// # Safety
/// The handlers' contract: the slot and the next one are in the frame.
#[inline(always)]
unsafe fn lane_of_slot<L: StoreLane>(m: &Machine, place: u64) -> L::Memory {
    // SAFETY: the caller promises two slots, and lanes of instructions are inside a vector.
    unsafe {
        let slot = m.fp.offset(place as i32 as isize);
        L::extract(lane_in_slots(slot, (place >> 32) as usize, L::Memory::ACCESS.bytes), 0)
    }
}

/// Place of the vector whose lane a load replaces.
pub(crate) struct InWord2;

impl VectorSource for InWord2 {
    #[inline(always)]
    unsafe fn read_vector(m: &Machine) -> V128 {
        // SAFETY: the caller promises that the low half of word 2 is the first slot of a vector.
        unsafe { read_slots(m.fp.offset(m.word(2) as i32 as isize)) }
    }
}

handlers! {
    fn load[L: VectorLoad, X: Source, D: VectorDestination](m) {
        let loaded = access::load_for_vector::<L::Memory>(&m, guarded_address(X::read(&m), m.imm()));
        D::write_vector(&mut m, L::extend(loaded));
        m.next(2)
    }

    /// A load at `i32.add(X, b)`. Field `x` is the offset, zero-extended.
    fn load_indexed[L: VectorLoad, X: Source, D: VectorDestination](m) {
        let address = ops::i32_add(X::read(&m), SlotB::read(&m));
        let loaded = access::load_for_vector::<L::Memory>(&m, guarded_address(address, m.narrow(3) as u16 as i32));
        D::write_vector(&mut m, L::extend(loaded));
        m.next(2)
    }

    /// A load at `i32.add(X, imm)`. Word 2 is the offset.
    fn load_displaced[L: VectorLoad, X: Source, D: VectorDestination](m) {
        let address = ops::i32_add(X::read(&m), m.imm());
        let loaded = access::load_for_vector::<L::Memory>(&m, guarded_address(address, m.word(2) as i32));
        D::write_vector(&mut m, L::extend(loaded));
        m.next(3)
    }

    /// A load from the memory that `imm` names, at slot `a` plus word 2.
    fn load_checked[L: VectorLoad, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::BYTES as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let loaded = read_for_vector::<L::Memory>(at);
        write_slots(m.d(), L::extend(loaded));
        m.next(3)
    }

    /// Stores the vector in slot `d`, in the accumulator, or in words 2 and 3.
    fn store[X: Source, V: VectorSource](m) {
        access::store_vector(&m, guarded_address(X::read(&m), m.imm()), V::read_vector(&m));
        m.next(2 + V::WORDS)
    }

    fn store_checked[const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), 16) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        at.cast::<V128>().write_unaligned(read_slots(m.d()));
        m.next(3)
    }

    /// Word 2 has the slot of the vector, unless that is in the accumulator, and the lane in the high half.
    fn load_lane[L: LoadLane, X: Source, V: VectorSource, D: VectorDestination](m) {
        let raw = access::load::<L::Memory>(&m, guarded_address(X::read(&m), m.imm()));
        let value = L::replace(V::read_vector(&m), raw, (m.word(2) >> 32) as u8);
        D::write_vector(&mut m, value);
        m.next(3)
    }

    /// Word 2 has the slot of the vector, and the lane in the high half.
    fn store_lane[L: StoreLane, X: Source](m) {
        let raw = lane_of_slot::<L>(&m, m.word(2));
        access::store(&m, guarded_address(X::read(&m), m.imm()), raw);
        m.next(3)
    }

    /// Address in slot `a`, memory in `imm`, offset in word 2; word 3: vector slot, lane in the high half.
    fn load_lane_checked[L: LoadLane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let raw = L::Memory::from_word(read_word(at, L::Memory::ACCESS.bytes));
        let vector = read_slots(m.fp.offset(m.word(3) as i32 as isize));
        let value = L::replace(vector, raw, (m.word(3) >> 32) as u8);
        write_slots(m.d(), value);
        m.next(4)
    }

    fn store_lane_checked[L: StoreLane, const IS64: bool](m) {
        let address = checked_address::<IS64>(&m);
        let Some(at) = checked(&m, m.imm() as u32, address, m.word(2), L::Memory::ACCESS.bytes as u64) else {
            return m.trap(TrapCode::MemoryOutOfBounds);
        };
        let raw = lane_of_slot::<L>(&m, m.word(3));
        write_word(at, L::Memory::ACCESS.bytes, raw.to_word());
        m.next(4)
    }
}
