//! `throw`, `throw_ref`, and the libcalls of the catch clauses of `try_table`: creating an exception and reading one
//! ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#control-instructions)).

use std::ptr::{self, NonNull};

use wasmr_core::trap::TrapCode;

use super::{Thrown, object};
use crate::vm::{VmInstance, VmStore, VmTag};

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
        let object = object(instance);
        let tag = object.tag(tag_index);
        let ty = object.module().registry().func_type((*tag).type_id);
        let count = ty.map_or(0, |ty| ty.param_slots());
        let payload: &[u64] = match count {
            0 => &[],
            _ => std::slice::from_raw_parts(payload, count),
        };
        let Some(tag) = NonNull::new(tag.cast_mut()) else { return 0 };
        let store = &mut *(*(*instance).store).store;
        store.new_exception(tag, payload).unwrap_or(0)
    }
}

/// `throw`: returns the new exception.
///
/// # Safety
/// As for [`exception_new`].
pub(super) unsafe fn throw(instance: *mut VmInstance, tag_index: u32, payload: *const u64) -> Thrown {
    // SAFETY: this function requires just what `exception_new` does.
    Thrown(unsafe { exception_new(instance, tag_index, payload) })
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
pub unsafe fn exception_tag(store: *mut VmStore, exn: u64) -> *const VmTag {
    // SAFETY: the caller promises a live store that no Rust reference is using.
    let store = unsafe { &*(*store).store };
    store.heap.exception(exn).map_or(ptr::null(), |(tag, _)| tag.as_ptr())
}

/// Writes an exception's payload to `out`. Writes nothing if the word names no exception.
///
/// # Safety
/// As for [`exception_tag`], and `out` has room for the slots of the parameters of the tag's type.
pub unsafe fn exception_payload(store: *mut VmStore, exn: u64, out: *mut u64) {
    // SAFETY: the caller promises a live store and room at `out`. A payload has exactly the slots of the tag's
    // parameters. `out` is no part of the heap, so that the ranges do not overlap.
    unsafe {
        let store = &*(*store).store;
        if let Some((_, payload)) = store.heap.exception(exn) {
            ptr::copy_nonoverlapping(payload.as_ptr(), out, payload.len());
        }
    }
}

/// Records that an exception leaves the innermost activation, whose frames are about to go: keeps the part of them that
/// a backtrace needs.
///
/// # Safety
/// The store is alive, `native_exit_fp` and `exit_fp` say where its code was left, and no Rust reference to it is in
/// use.
pub unsafe fn exception_leaves(store: *mut VmStore, exn: u64) {
    // SAFETY: the caller promises a live store that no Rust reference is using, with frames as `note_thrown` needs
    // them.
    unsafe { &mut *(*store).store }.note_thrown(exn);
}

/// Records that an exception was caught.
///
/// # Safety
/// As for [`exception_tag`].
pub unsafe fn exception_caught(store: *mut VmStore) {
    // SAFETY: the caller promises a live store that no Rust reference is using.
    unsafe { (*(*store).store).thrown = None };
}
