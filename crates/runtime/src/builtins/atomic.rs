//! `memory.atomic.notify`, `memory.atomic.wait32`, `memory.atomic.wait64`: the [threads
//! proposal](https://github.com/WebAssembly/threads/blob/main/proposals/threads/Overview.md#wait-and-notify-operators).
//!
//! A [`SharedMemory`] has the queues of waiting threads. Nothing can wait on a memory that is not shared, because nothing could
//! wake it: a wait traps, and a notification wakes nobody.

use std::time::Duration;

use wasmr_core::trap::TrapCode;
use wasmr_module::AccessImmediate;

use super::{object, range_within};
use crate::interrupt::InterruptHandle;
use crate::shared_memory::SharedMemory;
use crate::vm::VmInstance;

/// Checks the address of an atomic access of `size` bytes: alignment first, then bounds. Returns the memory if it is shared, and
/// the address.
///
/// # Safety
/// See [`builtins`](super).
unsafe fn check(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    size: u64,
) -> Result<(Option<SharedMemory>, u64), TrapCode> {
    if !address.wrapping_add(access.offset).is_multiple_of(size) {
        return Err(TrapCode::UnalignedAtomic);
    }
    // SAFETY: the caller promises a live instance and a valid memory index.
    let memory = unsafe { &*object(instance).memory(access.memory) };
    let start = address.checked_add(access.offset).ok_or(TrapCode::MemoryOutOfBounds)?;
    range_within(start, size, memory.size()).ok_or(TrapCode::MemoryOutOfBounds)?;
    // SAFETY: the memory is alive, as the instance is, and shared.
    Ok((memory.shared.then(|| unsafe { SharedMemory::from_vm(memory) }), start))
}

/// Returns the timeout of a wait: nanoseconds, or no limit if negative.
fn limit(timeout: u64) -> Option<Duration> {
    i64::try_from(timeout).ok().map(|_| Duration::from_nanos(timeout))
}

/// Returns a handle by which a wait of the instance's thread ends.
///
/// # Safety
/// See [`builtins`](super).
unsafe fn interrupt(instance: *mut VmInstance) -> InterruptHandle {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    unsafe { (*(*(*instance).store).store).interrupt().clone() }
}

/// `memory.atomic.notify`: wakes at most `count` threads that wait at the address. Returns their number.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_notify(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    count: u32,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` requires.
    let (memory, address) = unsafe { check(instance, access, address, 4) }?;
    memory.map_or(Ok(0), |memory| memory.atomic_notify(address, count)).map(u64::from)
}

/// `memory.atomic.wait32`: waits until a notification if the memory has the expected `i32`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_wait32(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    expected: u32,
    timeout: u64,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` and `interrupt` require.
    let ((memory, address), interrupt) = unsafe { (check(instance, access, address, 4)?, interrupt(instance)) };
    let memory = memory.ok_or(TrapCode::ExpectedSharedMemory)?;
    memory.wait32(address, expected, limit(timeout), Some(&interrupt)).map(|result| result as u64)
}

/// `memory.atomic.wait64`: waits until a notification if the memory has the expected `i64`.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn memory_atomic_wait64(
    instance: *mut VmInstance,
    access: AccessImmediate,
    address: u64,
    expected: u64,
    timeout: u64,
) -> Result<u64, TrapCode> {
    // SAFETY: the caller promises what `check` and `interrupt` require.
    let ((memory, address), interrupt) = unsafe { (check(instance, access, address, 8)?, interrupt(instance)) };
    let memory = memory.ok_or(TrapCode::ExpectedSharedMemory)?;
    memory.wait64(address, expected, limit(timeout), Some(&interrupt)).map(|result| result as u64)
}
