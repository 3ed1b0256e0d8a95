//! `throw`, `throw_ref`, and the libcalls of the catch clauses of `try_table`: creating an exception and reading one
//! ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#control-instructions)).
//!
//! A `throw` allocates nothing. Its exception has no object while it is in flight: the store has its tag and its payload, and
//! its word is [`UNALLOCATED`]. It gets an object only if somebody gets a reference to it: a clause that passes on the
//! reference ([`exception_object`]), or the host.

use std::ptr;

use wasmr_core::trap::TrapCode;

use super::{Thrown, object};
use crate::vm::{UNALLOCATED, VmInstance, VmStore, VmTag};

/// Creates an exception with the payload at `payload`: the slots of the parameters of the tag's type. Returns its
/// reference in slot form, or 0 if the store's limit is reached. A call that ends with
/// [`Status::THROW`](crate::vm::Status::THROW) and 0 is reported as that error.
///
/// May collect. The payload need not be reachable otherwise.
///
/// # Safety
/// See [`builtins`](super). At `payload`, as many slots are readable as the tag's type has for its parameters.
pub unsafe fn exception_new(instance: *mut VmInstance, tag_index: u32, payload: *const u64) -> u64 {
    // SAFETY: the caller promises a live instance, a valid tag index and a readable payload. Tags live as long as the
    // store. The reference to the store is the only one, and ends here.
    unsafe {
        let tag = object(instance).tag(tag_index);
        let store = &mut *(*(*instance).store).store;
        store.allocate_exception(tag, payload)
    }
}

/// `throw`: returns the new exception, which has no object.
///
/// # Safety
/// As for [`exception_new`].
pub(super) unsafe fn throw(instance: *mut VmInstance, tag_index: u32, payload: *const u64) -> Thrown {
    // SAFETY: the caller promises a live instance, a valid tag index and a payload of the tag's slots. The buffer has room for
    // the payload of every tag, and is no place of operands.
    unsafe {
        let store = (*instance).store;
        let tag = object(instance).tag(tag_index);
        (*store).unallocated_tag = tag;
        ptr::copy_nonoverlapping(payload, (*store).payload, (*tag).payload_slots as usize);
    }
    Thrown(UNALLOCATED)
}

/// `throw_ref`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn throw_ref(_: *mut VmInstance, exception: u64) -> Result<Thrown, TrapCode> {
    if exception == 0 { Err(TrapCode::NullExceptionReference) } else { Ok(Thrown(exception)) }
}

/// Returns the tag of an exception; null if the word names no exception, as 0 does.
///
/// # Safety
/// The store is alive and no Rust reference to it is in use.
#[inline]
pub unsafe fn exception_tag(store: *mut VmStore, exn: u64) -> *const VmTag {
    // SAFETY: the caller promises a live store that no Rust reference is using.
    unsafe {
        if exn == UNALLOCATED {
            return (*store).unallocated_tag;
        }
        let store = &*(*store).store;
        store.heap.exception(exn).map_or(ptr::null(), |(tag, _)| tag.as_ptr())
    }
}

/// Writes an exception's payload to `out`. Writes nothing if the word names no exception.
///
/// # Safety
/// As for [`exception_tag`], and `out` has room for the slots of the parameters of the tag's type.
#[inline]
pub unsafe fn exception_payload(store: *mut VmStore, exn: u64, out: *mut u64) {
    // SAFETY: the caller promises a live store and room at `out`. A payload has exactly the slots of the tag's parameters. The
    // places of payloads are known to this crate alone, except for the buffer, which `out` may be: hence `copy`.
    unsafe {
        if exn == UNALLOCATED {
            ptr::copy((*store).payload, out, (*(*store).unallocated_tag).payload_slots as usize);
        } else if let Some((_, payload)) = (&*(*store).store).heap.exception(exn) {
            ptr::copy_nonoverlapping(payload.as_ptr(), out, payload.len());
        }
    }
}

/// Puts the payload of an exception that is about to be caught in [`VmStore::payload`].
///
/// # Safety
/// As for [`exception_tag`].
#[inline]
pub unsafe fn load_payload(store: *mut VmStore, exn: u64) {
    if exn != UNALLOCATED {
        // SAFETY: the caller promises a live store. The buffer has room for the payload of every tag of the store.
        unsafe { exception_payload(store, exn, (*store).payload) }
    }
}

/// Returns the reference of an exception: makes an object for one that has none. Returns 0 if the store's limit is reached.
///
/// May collect.
///
/// # Safety
/// As for [`exception_tag`].
pub unsafe fn exception_object(store: *mut VmStore, exn: u64) -> u64 {
    // SAFETY: the caller promises a live store that no Rust reference is using, and the exception in flight.
    unsafe { (&mut *(*store).store).exception_object(exn) }
}

/// Notes the frames of the innermost activation, which the exception in flight leaves: its backtrace needs them if nobody
/// catches it.
///
/// # Safety
/// The store is alive, its exits say where its code was left, and no Rust reference to it is in use.
pub unsafe fn exception_leaves(store: *mut VmStore) {
    // SAFETY: the caller promises a live store that no Rust reference is using, with frames that a walk can visit.
    unsafe { &mut *(*store).store }.note_left();
}

/// Records that an exception was caught.
///
/// # Safety
/// As for [`exception_tag`].
pub unsafe fn exception_caught(store: *mut VmStore) {
    // SAFETY: the caller promises a live store that no Rust reference is using.
    unsafe { (*(*store).store).forget_left() };
}
