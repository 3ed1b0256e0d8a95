//! Slow paths that every tier calls, one function per opcode, in files named for the opcode's category.
//!
//! Rules: such a function takes the instance (or store) and plain words; it checks what execution must check, and
//! returns a [`TrapCode`](wasmr_core::trap::TrapCode) rather than trapping, so that the tier leaves its own code in its
//! own way; it does all or nothing; it never unwinds; and it keeps no reference into the store, as it may be called
//! while other frames know the same objects.
//!
//! # Safety of all of them
//! The instance is alive and belongs to a live store that no Rust reference is using; indices (of memories, tables,
//! segments, functions, tags) were validated for the instance's module; references are null or of this store.

use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

use wasmr_core::types::{FuncType, TypeId};

use crate::host_error::HostError;
use crate::instance::InstanceObject;
use crate::limits::ResourceError;
use crate::trap::Stop;
use crate::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

pub mod exception;
pub mod memory;
pub mod reference;
pub mod table;

/// Whether a reference of type `actual` may stand where `expected` is asked for: `call_indirect`'s answer when the two
/// differ.
///
/// # Safety
/// See the [module](self).
pub unsafe fn is_subtype(instance: *mut VmInstance, actual: TypeId, expected: TypeId) -> bool {
    // SAFETY: the contract.
    unsafe { object(instance) }.module().registry().is_subtype(actual, expected)
}

/// Ends the run with an error that is neither the guest's trap nor its exception: gives the status to leave with.
///
/// # Safety
/// The store is alive and no Rust reference is using it.
pub unsafe fn host_error(store: *mut VmStore, error: HostError) -> Status {
    // SAFETY: the contract; a live store knows its Rust side.
    unsafe { &mut *(*store).store }.end_run(Stop::host(error))
}

/// Makes the store ready to run machine code whose helpers are at `helpers`: gives it a stack for that.
///
/// # Errors
/// If the system gives no memory for the stack; the store is then as it was.
///
/// # Safety
/// As for [`host_error`].
pub unsafe fn prepare_native(store: *mut VmStore, helpers: *const c_void) -> Result<(), ResourceError> {
    // SAFETY: the contract; a live store knows its Rust side.
    unsafe {
        let inner = &mut *(*store).store;
        inner.ensure_native_stack()?;
        (*store).native_helpers = helpers;
    }
    Ok(())
}

/// Keeps something as long as the store of a function lives: code that the function leads to.
///
/// # Safety
/// As for [`func_type`].
pub unsafe fn keep_code(func: *const VmFunc, code: Arc<dyn Any + Send + Sync>) {
    // SAFETY: the contract.
    unsafe { (*(*store_of(func)).store).keep_code(code) }
}

/// The store of a function.
///
/// # Safety
/// As for [`func_type`].
unsafe fn store_of(func: *const VmFunc) -> *mut VmStore {
    // SAFETY: the contract.
    unsafe {
        let instance = (*func).instance;
        if instance.is_null() { (*func.cast::<VmHostFunc>()).store } else { (*instance).store }
    }
}

/// The type of a function.
///
/// # Panics
/// If that is no function type.
///
/// # Safety
/// `func` is a live function of a store that this thread runs; the first field of a `VmHostFunc` if it has no instance.
pub unsafe fn func_type(func: *const VmFunc) -> Arc<FuncType> {
    // SAFETY: the contract; a live store knows its Rust side.
    unsafe {
        let store = store_of(func);
        let ty = (*(*store).store).registry().func_type((*func).type_id);
        ty.expect("a function's type is a function type")
    }
}

/// The Rust side of an instance, for as long as the call takes.
///
/// # Safety
/// See the [module](self).
unsafe fn object<'a>(instance: *mut VmInstance) -> &'a InstanceObject {
    // SAFETY: the contract; a live instance knows its Rust side.
    unsafe { &*(*instance).instance }
}

/// `start..start + len`, if that lies within `size`.
fn range_within(start: u64, len: u64, size: usize) -> Option<std::ops::Range<usize>> {
    let end = start.checked_add(len).filter(|&end| end <= size as u64)?;
    Some(start as usize..end as usize)
}
