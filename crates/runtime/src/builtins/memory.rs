//! `memory.grow`, `memory.fill`, `memory.copy`, `memory.init`, `data.drop`.
//!
//! Each checks its whole range before it changes a byte.

use std::ptr;

use wasmr_core::trap::TrapCode;

use super::{index_max, object, range_within};
use crate::memory;
use crate::vm::VmInstance;

/// `memory.grow`: the size before, in pages, or -1, as wide as the memory's addresses. A guarded memory keeps its base, and only guarded memories
/// have it cached in instances.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_grow(instance: *mut VmInstance, memory: u32, delta: u64) -> u64 {
    // SAFETY: the contract. The memory is an allocation of its own, so the two borrows do not overlap.
    unsafe {
        let object = object(instance);
        let failed = index_max(object.module().memories()[memory as usize].is64);
        let store = &mut *(*(*instance).store).store;
        memory::grow(store, object.memory(memory), delta).unwrap_or(failed)
    }
}

/// `memory.fill`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_fill(
    instance: *mut VmInstance,
    memory: u32,
    dst: u64,
    value: u8,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the contract; the range is within the memory.
    unsafe {
        let memory = &(*object(instance).memory(memory)).vm;
        let range = range_within(dst, len, memory.len).ok_or(TrapCode::MemoryOutOfBounds)?;
        ptr::write_bytes(memory.base.add(range.start), value, range.len());
    }
    Ok(())
}

/// `memory.copy`; the ranges may overlap.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_copy(
    instance: *mut VmInstance,
    dst_memory: u32,
    src_memory: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    // SAFETY: the contract; both ranges are within their memories.
    unsafe {
        let source = &(*object(instance).memory(src_memory)).vm;
        let target = &(*object(instance).memory(dst_memory)).vm;
        let from = range_within(src, len, source.len).ok_or(TrapCode::MemoryOutOfBounds)?;
        let to = range_within(dst, len, target.len).ok_or(TrapCode::MemoryOutOfBounds)?;
        ptr::copy(source.base.add(from.start).cast_const(), target.base.add(to.start), from.len());
    }
    Ok(())
}

/// `memory.init`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_init(
    instance: *mut VmInstance,
    memory: u32,
    segment: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<(), TrapCode> {
    // SAFETY: the contract.
    let (object, memory) = unsafe { (object(instance), &(*object(instance).memory(memory)).vm) };
    let module = object.module();
    let bytes = match object.segments.is_data_dropped(segment) {
        true => &[],
        false => module.data_bytes(&module.data()[segment as usize]),
    };
    let from = range_within(src.into(), len.into(), bytes.len()).ok_or(TrapCode::MemoryOutOfBounds)?;
    let to = range_within(dst, len.into(), memory.len).ok_or(TrapCode::MemoryOutOfBounds)?;
    // SAFETY: both ranges were checked; the module's bytes are not the memory's.
    unsafe { ptr::copy_nonoverlapping(bytes[from].as_ptr(), memory.base.add(to.start), to.len()) };
    Ok(())
}

/// `data.drop`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn data_drop(instance: *mut VmInstance, segment: u32) {
    // SAFETY: the contract: no other reference to the object is in use.
    unsafe { (*(*instance).instance).segments.drop_data(segment) };
}
