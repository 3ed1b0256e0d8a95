//! Slow paths that every tier calls, one function per operator, in files named for the operator's category.
//!
//! The operators of [`for_each_builtin`](wasmr_module::for_each_builtin) have an *entry* each, a [`BuiltinFn`], by which tiers call
//! them without knowing which they are; [`entry`] unpacks immediates and operands as the row says. What else is here serves the tiers
//! in other ways.
//!
//! Rules: such a function takes the instance (or store) and plain words; it checks what execution must check, and
//! returns a [`TrapCode`] rather than trapping, so that the tier leaves its own code in its
//! own way; it does all or nothing; it never unwinds; and it keeps no reference into the store, as it may be called
//! while other frames know the same objects.
//!
//! # Safety of all of them
//! The instance is alive and belongs to a live store that no Rust reference is using; indices (of memories, tables,
//! segments, functions, tags) were validated for the instance's module; references are null or of this store.

use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, TypeId};
use wasmr_module::Builtin;

use crate::host_error::HostError;
use crate::instance::InstanceObject;
use crate::limits::ResourceError;
use crate::trap::Stop;
use crate::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

pub mod exception;
pub mod memory;
pub mod reference;
pub mod table;
pub mod wide;

/// Executes an operator of the table. The operands are in slot form from `slots` on, the lowest first; the results are left from
/// there on as well. On [`Status::TRAP`] and [`Status::THROW`] the store knows what for.
///
/// # Safety
/// See the [module](self). The immediates are those of a valid operator of the instance's module; from `slots` on there are as many
/// slots as its operands or its results take, whichever are more.
pub type BuiltinFn = unsafe extern "C" fn(instance: *mut VmInstance, immediates: u64, slots: *mut u64) -> Status;

/// Returns the entry of an operator.
pub fn entry(builtin: Builtin) -> BuiltinFn {
    ENTRIES[builtin as usize]
}

macro_rules! entries {
    ($(
        $op:ident { $($immediate:ident),* } $file:ident::$name:ident($($operand:ident: $ty:ty),*)
        -> $result:ident;
    )*) => {
        mod entries {
            use super::*;

            $(pub(super) unsafe extern "C" fn $name(
                instance: *mut VmInstance,
                immediates: u64,
                slots: *mut u64,
            ) -> Status {
                let _halves = [immediates as u32, (immediates >> 32) as u32];
                let _words = slots;
                // SAFETY: the contract; each operand is in its slot.
                unsafe {
                    entries!(@immediates _halves $($immediate)*);
                    $(
                        let $operand = <$ty>::from_slots(_words);
                        let _words = _words.add(1);
                    )*
                    $file::$name(instance $(, $immediate)* $(, $operand)*).finish(instance, slots)
                }
            })*
        }

        static ENTRIES: [BuiltinFn; Builtin::ALL.len()] = [$(entries::$name),*];
    };
    (@immediates $halves:ident) => {};
    (@immediates $halves:ident $first:ident) => {
        let [$first, _] = $halves;
    };
    (@immediates $halves:ident $first:ident $second:ident) => {
        let [$first, $second] = $halves;
    };
}
wasmr_module::for_each_builtin!(entries);

/// The operands of a `throw`: the address of their slots.
type Payload = *const u64;

/// An operand.
trait Operand {
    /// Takes the operand from its slot.
    ///
    /// # Safety
    /// The slot can be read.
    unsafe fn from_slots(slot: *const u64) -> Self;
}

macro_rules! words {
    ($($ty:ty)*) => {$(
        impl Operand for $ty {
            unsafe fn from_slots(slot: *const u64) -> $ty {
                // SAFETY: the contract.
                unsafe { *slot as $ty }
            }
        }
    )*};
}
words!(u8 u32 u64);

impl Operand for Payload {
    unsafe fn from_slots(slot: *const u64) -> Payload {
        slot
    }
}

/// The end of an operator.
trait Outcome {
    /// Leaves the result in `slot`, or the reason of a trap in the store.
    ///
    /// # Safety
    /// The instance is alive and the slot can be written.
    unsafe fn finish(self, instance: *mut VmInstance, slot: *mut u64) -> Status;
}

impl Outcome for () {
    unsafe fn finish(self, _: *mut VmInstance, _: *mut u64) -> Status {
        Status::OK
    }
}

impl Outcome for u64 {
    unsafe fn finish(self, _: *mut VmInstance, slot: *mut u64) -> Status {
        // SAFETY: the contract.
        unsafe { *slot = self };
        Status::OK
    }
}

/// A number of 128 bits: the low half in the first slot, the high one in the second.
impl Outcome for u128 {
    unsafe fn finish(self, _: *mut VmInstance, slot: *mut u64) -> Status {
        // SAFETY: the contract; the operands take two slots at least.
        unsafe {
            *slot = self as u64;
            *slot.add(1) = (self >> 64) as u64;
        }
        Status::OK
    }
}

/// The operator throws the exception; 0 stands for one that there was no room for.
struct Thrown(u64);

impl Outcome for Thrown {
    unsafe fn finish(self, instance: *mut VmInstance, _: *mut u64) -> Status {
        // SAFETY: the contract.
        unsafe { (*(*instance).store).pending_exception = self.0 };
        Status::THROW
    }
}

impl<T: Outcome> Outcome for Result<T, TrapCode> {
    unsafe fn finish(self, instance: *mut VmInstance, slot: *mut u64) -> Status {
        match self {
            // SAFETY: the contract.
            Ok(value) => unsafe { value.finish(instance, slot) },
            Err(code) => {
                // SAFETY: the contract.
                unsafe { (*(*instance).store).trap_code = code };
                Status::TRAP
            }
        }
    }
}

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

/// Makes the store ready to run machine code whose libcalls are at `libcalls`: gives it a stack for that.
///
/// # Errors
/// If the system gives no memory for the stack; the store is then as it was.
///
/// # Safety
/// As for [`host_error`].
pub unsafe fn prepare_native(store: *mut VmStore, libcalls: *const c_void) -> Result<(), ResourceError> {
    // SAFETY: the contract; a live store knows its Rust side.
    unsafe {
        let inner = &mut *(*store).store;
        inner.ensure_native_stack()?;
        (*store).native_libcalls = libcalls;
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

/// The largest address or index of that width, in slot form: -1 to the guest.
fn index_max(is64: bool) -> u64 {
    if is64 { u64::MAX } else { u32::MAX.into() }
}
