//! `memory.atomic.notify`, `memory.atomic.wait32`, `memory.atomic.wait64`: the [threads
//! proposal](https://github.com/WebAssembly/threads/blob/main/proposals/threads/Overview.md#wait-and-notify-operators).
//!
//! Nothing can wait on a memory that is not shared, because nothing could wake it: a wait traps, and a notification wakes
//! nobody.

use wasmr_core::trap::TrapCode;
use wasmr_module::AccessImmediate;

use super::{object, range_within};
use crate::vm::VmInstance;

/// Checks the address of an atomic access of `size` bytes: alignment first, then bounds.
///
/// # Safety
/// See [`builtins`](super).
unsafe fn check(instance: *mut VmInstance, access: AccessImmediate, address: u64, size: u64) -> Result<(), TrapCode> {
    if !address.wrapping_add(access.offset).is_multiple_of(size) {
        return Err(TrapCode::UnalignedAtomic);
    }
    // SAFETY: the caller promises a live instance and a valid memory index.
    let len = unsafe { (*object(instance).memory(access.memory)).vm.len };
    let start = address.checked_add(access.offset).ok_or(TrapCode::MemoryOutOfBounds)?;
    range_within(start, size, len).map(drop).ok_or(TrapCode::MemoryOutOfBounds)
}

/// `memory.atomic.notify`: wakes at most `count` threads that wait at the address. Returns their number.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_notify(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    _count: u32,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` requires.
    unsafe { check(instance, access, address, 4) }?;
    Ok(0)
}

/// `memory.atomic.wait32`: waits until a notification if the memory has the expected `i32`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_wait32(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    _expected: u32,
    _timeout: u64,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` requires.
    unsafe { check(instance, access, address, 4) }?;
    Err(TrapCode::ExpectedSharedMemory)
}

/// `memory.atomic.wait64`: waits until a notification if the memory has the expected `i64`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_wait64(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    _expected: u64,
    _timeout: u64,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` requires.
    unsafe { check(instance, access, address, 8) }?;
    Err(TrapCode::ExpectedSharedMemory)
}
