//! What `throw`, `throw_ref` and the catch clauses of `try_table` need: making an exception and looking into one.

use std::ptr::{self, NonNull};

use wasmr_core::trap::TrapCode;

use super::{Thrown, object};
use crate::exception::exception;
use crate::ref_heap::Object;
use crate::vm::{VmInstance, VmStore, VmTag};

/// Makes an exception with the payload at `payload`: the slots of the parameters of the tag's type. Its reference in
/// slot form, or 0 if the store's limit is reached. A call that ends with [`Status::THROW`](crate::vm::Status::THROW)
/// and 0 is reported as that.
///
/// It may collect; the payload need not be reachable otherwise.
///
/// # Safety
/// See [`builtins`](super). As many slots as the tag's type says are readable at `payload`.
pub unsafe fn exception_new(instance: *mut VmInstance, tag_index: u32, payload: *const u64) -> u64 {
    // SAFETY: the contract; tags live as long as the store, and no reference into it is kept.
    unsafe {
        let object = object(instance);
        let tag = object.tag(tag_index);
        let ty = object.module().registry().func_type((*tag).type_id);
        let count = ty.map_or(0, |ty| ty.param_slots());
        let payload: Box<[u64]> = match count {
            0 => Box::default(),
            _ => std::slice::from_raw_parts(payload, count).into(),
        };
        let Some(tag) = NonNull::new(tag.cast_mut()) else { return 0 };
        let store = &mut *(*(*instance).store).store;
        store.insert_reference(Object::Exception { tag, payload }).unwrap_or(0)
    }
}

/// `throw`: the exception, thrown.
///
/// # Safety
/// As for [`exception_new`].
pub(super) unsafe fn throw(instance: *mut VmInstance, tag_index: u32, payload: *const u64) -> Thrown {
    // SAFETY: the contract.
    Thrown(unsafe { exception_new(instance, tag_index, payload) })
}

/// `throw_ref`.
///
/// # Safety
/// See [`builtins`](super).
pub(super) unsafe fn throw_ref(_: *mut VmInstance, exception: u64) -> Result<Thrown, TrapCode> {
    if exception == 0 { Err(TrapCode::NullExceptionReference) } else { Ok(Thrown(exception)) }
}

/// The tag of an exception; null if the word names none, as 0 does.
///
/// # Safety
/// The store is alive and no Rust reference to it is in use.
pub unsafe fn exception_tag(store: *mut VmStore, exn: u64) -> *const VmTag {
    // SAFETY: the contract.
    let store = unsafe { &*(*store).store };
    exception(store.ref_heap.get(exn)).map_or(ptr::null(), |(tag, _)| tag.as_ptr())
}

/// Writes an exception's payload to `out`; nothing if the word names none.
///
/// # Safety
/// As for [`exception_tag`], and `out` has room for the slots of the parameters of the tag's type.
pub unsafe fn exception_payload(store: *mut VmStore, exn: u64, out: *mut u64) {
    // SAFETY: the contract; a payload was made with exactly those slots, and nobody outside of the reference heap has its
    // address.
    unsafe {
        let store = &*(*store).store;
        if let Some((_, payload)) = exception(store.ref_heap.get(exn)) {
            ptr::copy_nonoverlapping(payload.as_ptr(), out, payload.len());
        }
    }
}

/// Says that an exception leaves the innermost trampoline into machine code, of which nothing is left to see then: keeps what a
/// backtrace needs of it.
///
/// # Safety
/// The store is alive, machine code was left where it says, and no Rust reference to it is in use.
pub unsafe fn exception_leaves(store: *mut VmStore, exn: u64) {
    // SAFETY: the contract.
    unsafe { &mut *(*store).store }.note_thrown(exn);
}

/// Says that an exception was caught.
///
/// # Safety
/// As for [`exception_tag`].
pub unsafe fn exception_caught(store: *mut VmStore) {
    // SAFETY: the contract.
    unsafe { (*(*store).store).thrown = None };
}
