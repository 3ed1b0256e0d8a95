//! `memory.grow`, `memory.fill`, `memory.copy`, `memory.init`, `data.drop`
//! ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#memory-instructions)).
//!
//! Each checks its whole range before it changes a byte.

use std::ptr;

use wasmr_core::trap::TrapCode;

use super::{index_max, object, range_within};
use crate::memory;
use crate::shared_memory::SharedMemory;
use crate::vm::VmInstance;

/// `memory.grow`: returns the size before in pages, or -1, as wide as the memory's addresses. No instance needs to be
/// told: only the base of a guard-paged memory is cached in instances, and that never moves.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_grow(instance: *mut VmInstance, memory: u32, delta: u64) -> u64 {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using, and a valid memory index.
    // The memory is an allocation of its own, so the two references do not overlap.
    unsafe {
        let object = object(instance);
        let failed = index_max(object.module().memories()[memory as usize].is64);
        let memory = object.memory(memory);
        let before = if (*memory).shared {
            SharedMemory::from_vm(memory).grow(delta)
        } else {
            let store = &mut *(*(*instance).store).store;
            memory::grow(store, memory.cast(), delta)
        };
        before.unwrap_or(failed)
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
    // SAFETY: the caller promises a live instance and a valid memory index. `range_within` found the range inside the
    // memory.
    unsafe {
        let memory = &*object(instance).memory(memory);
        let range = range_within(dst, len, memory.size()).ok_or(TrapCode::MemoryOutOfBounds)?;
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
    // SAFETY: the caller promises a live instance and valid memory indices. `range_within` found both ranges inside
    // their memories.
    unsafe {
        let source = &*object(instance).memory(src_memory);
        let target = &*object(instance).memory(dst_memory);
        let from = range_within(src, len, source.size()).ok_or(TrapCode::MemoryOutOfBounds)?;
        let to = range_within(dst, len, target.size()).ok_or(TrapCode::MemoryOutOfBounds)?;
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
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using, and a valid memory index.
    let (object, memory) = unsafe { (object(instance), &*object(instance).memory(memory)) };
    let module = object.module();
    let bytes = match object.segments.is_data_dropped(segment) {
        true => &[],
        false => module.data_bytes(&module.data()[segment as usize]),
    };
    let from = range_within(src.into(), len.into(), bytes.len()).ok_or(TrapCode::MemoryOutOfBounds)?;
    let to = range_within(dst, len.into(), memory.size()).ok_or(TrapCode::MemoryOutOfBounds)?;
    // SAFETY: `range_within` found both ranges inside the segment and the memory, which never overlap: the module owns
    // the segment's bytes.
    unsafe { ptr::copy_nonoverlapping(bytes[from].as_ptr(), memory.base.add(to.start), to.len()) };
    Ok(())
}

/// `data.drop`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn data_drop(instance: *mut VmInstance, segment: u32) {
    // SAFETY: the caller promises a live instance, to whose Rust side no other reference is in use.
    unsafe { (*(*instance).instance).segments.drop_data(segment) };
}
