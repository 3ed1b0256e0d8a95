//! Libcalls: slow paths that every tier calls, one function per operator, in files named for the operator's category.
//!
//! Each operator of [`for_each_builtin`](wasmr_module::for_each_builtin) has an *entry*, a [`BuiltinFn`]. Tiers call
//! entries without knowing the operators; [`entry`] unpacks immediates and operands as the operator's row says. The
//! other functions here serve the tiers in other ways.
//!
//! Rules for each function:
//! - It takes the instance (or store) and plain words.
//! - It checks what [execution](https://webassembly.github.io/spec/core/exec/instructions.html) must check, before it
//!   changes anything.
//! - It returns a [`TrapCode`] and does not trap, so that the tier leaves its own code in its own way. It never
//!   unwinds.
//! - It keeps no reference into the store, because other frames know the same objects.
//!
//! # Safety of all of them
//! The instance is alive and belongs to a live store that no Rust reference is using. Indices (of memories, tables,
//! segments, functions, tags) were validated for the instance's module. References are null or of this store.

use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::{FuncType, TypeId};
use wasmr_module::{AccessImmediate, Builtin};

use crate::host_error::HostError;
use crate::instance::InstanceObject;
use crate::limits::ResourceError;
use crate::trap::Stop;
use crate::vm::{Status, VmFunc, VmHostFunc, VmInstance, VmStore};

pub mod atomic;
pub mod exception;
mod heap;
pub mod memory;
pub mod reference;
pub mod table;
pub mod wide;

/// Executes an operator of the table. The operands are in slot form from `slots` on, the lowest first, and the results
/// replace them. After [`Status::TRAP`] or [`Status::THROW`] the store has the trap code or the exception.
///
/// # Safety
/// See the [module](self). The immediates are those of a valid operator of the instance's module. From `slots` on there
/// are as many slots as its operands or its results take, the larger of both.
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
                let _words = slots;
                // SAFETY: the caller promises what the function requires of the instance and the immediates, and slots
                // for all operands. Each operand is read from its slot as the row lists them, and the result fits the
                // same slots.
                unsafe {
                    entries!(@immediates immediates $($immediate)*);
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
    (@immediates $word:ident) => {
        let _ = $word;
    };
    (@immediates $word:ident $first:ident) => {
        let $first = Immediate::unpack($word);
    };
    (@immediates $word:ident $first:ident $second:ident) => {
        let [$first, $second] = [$word as u32, ($word >> 32) as u32];
    };
}
wasmr_module::for_each_builtin!(entries);

/// The only immediate of an operator.
trait Immediate {
    /// Converts from the word in which the operator's row packs it.
    fn unpack(word: u64) -> Self;
}

impl Immediate for u32 {
    fn unpack(word: u64) -> u32 {
        word as u32
    }
}

impl Immediate for AccessImmediate {
    fn unpack(word: u64) -> AccessImmediate {
        AccessImmediate::unpack(word)
    }
}

/// Address of operands whose types depend on the immediates.
type Typed = *const u64;

/// An operand in slot form.
trait Operand {
    /// Reads the operand from its slot.
    ///
    /// # Safety
    /// `slot` can be read.
    unsafe fn from_slots(slot: *const u64) -> Self;
}

macro_rules! words {
    ($($ty:ty)*) => {$(
        impl Operand for $ty {
            unsafe fn from_slots(slot: *const u64) -> $ty {
                // SAFETY: the caller promises that `slot` can be read.
                unsafe { *slot as $ty }
            }
        }
    )*};
}
words!(u8 u32 u64);

impl Operand for Typed {
    unsafe fn from_slots(slot: *const u64) -> Typed {
        slot
    }
}

/// The outcome of an operator.
trait Outcome {
    /// Writes the result to `slot`, or the trap code or exception to the store.
    ///
    /// # Safety
    /// The instance is alive, and `slot` and as many after it as the result takes can be written.
    unsafe fn finish(self, instance: *mut VmInstance, slot: *mut u64) -> Status;
}

impl Outcome for () {
    unsafe fn finish(self, _: *mut VmInstance, _: *mut u64) -> Status {
        Status::OK
    }
}

impl Outcome for u64 {
    unsafe fn finish(self, _: *mut VmInstance, slot: *mut u64) -> Status {
        // SAFETY: the caller promises that `slot` can be written.
        unsafe { *slot = self };
        Status::OK
    }
}

/// An integer of 128 bits: the low half in the first slot, the high half in the second.
impl Outcome for u128 {
    unsafe fn finish(self, _: *mut VmInstance, slot: *mut u64) -> Status {
        // SAFETY: the caller promises that both slots of the result can be written.
        unsafe {
            *slot = self as u64;
            *slot.add(1) = (self >> 64) as u64;
        }
        Status::OK
    }
}

/// The exception that the operator throws; 0 if the store's limit left no room for it.
struct Thrown(u64);

impl Outcome for Thrown {
    unsafe fn finish(self, instance: *mut VmInstance, _: *mut u64) -> Status {
        // SAFETY: the caller promises a live instance, whose store is alive as well.
        unsafe { (*(*instance).store).pending_exception = self.0 };
        Status::THROW
    }
}

impl<T: Outcome> Outcome for Result<T, TrapCode> {
    unsafe fn finish(self, instance: *mut VmInstance, slot: *mut u64) -> Status {
        match self {
            // SAFETY: instance and slot are those that the caller promises.
            Ok(value) => unsafe { value.finish(instance, slot) },
            Err(code) => {
                // SAFETY: the caller promises a live instance, whose store is alive as well.
                unsafe { (*(*instance).store).trap_code = code };
                Status::TRAP
            }
        }
    }
}

/// Allocates an object for compiled code, which writes header and fields before it does anything else. Returns `None` with the
/// store's trap code set if the heap is full. May collect.
///
/// # Safety
/// See the [module](self). The instance's module has struct or array types.
pub unsafe fn allocate(instance: *mut VmInstance, bytes: u32) -> Option<u32> {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    unsafe {
        let store = (*instance).store;
        let object = (*(*store).store).allocate(bytes.into(), 0, 0, &[]);
        if object.is_none() {
            (*store).trap_code = TrapCode::HeapFull;
        }
        object
    }
}

/// Makes an array of `len` zeros or nulls of `size` bytes each, for compiled code. Returns `None` with the store's trap code set
/// if the heap is full. May collect.
///
/// # Safety
/// See the [module](self). `descriptor` is that of an array type of the instance's module, with elements of this size.
pub unsafe fn new_array(instance: *mut VmInstance, descriptor: u32, len: u32, size: u32) -> Option<u32> {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    unsafe {
        let store = (*instance).store;
        let object = (*(*store).store).new_zeroed_array(descriptor, len, size);
        if object.is_none() {
            (*store).trap_code = TrapCode::HeapFull;
        }
        object
    }
}

/// Returns true if `actual` is a subtype of `expected`: the check of `call_indirect` when the two types differ
/// ([spec](https://webassembly.github.io/spec/core/exec/instructions.html#control-instructions)).
///
/// # Safety
/// See the [module](self).
pub unsafe fn is_subtype(instance: *mut VmInstance, actual: TypeId, expected: TypeId) -> bool {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    unsafe { object(instance) }.module().registry().is_subtype(actual, expected)
}

/// Records the end of the run by an error that is neither a trap nor an exception. Returns the status to leave with.
///
/// # Safety
/// The store is alive and no Rust reference is using it.
pub unsafe fn host_error(store: *mut VmStore, error: HostError) -> Status {
    // SAFETY: the caller promises a live store, whose `store` field then points to its Rust side, and that no reference
    // to it is in use.
    unsafe { &mut *(*store).store }.end_run(Stop::host(error))
}

/// Prepares the store to run compiled code whose libcalls are at `libcalls`: maps its native stack.
///
/// # Errors
/// If the system refuses memory for the stack. The store is then unchanged.
///
/// # Safety
/// As for [`host_error`].
pub unsafe fn prepare_native(store: *mut VmStore, libcalls: *const c_void) -> Result<(), ResourceError> {
    // SAFETY: the caller promises a live store that no Rust reference is using; its `store` field points to its Rust
    // side.
    unsafe {
        let inner = &mut *(*store).store;
        inner.ensure_native_stack()?;
        (*store).native_libcalls = libcalls;
    }
    Ok(())
}

/// Keeps `code`, to which the function's entry pointers lead, as long as the store of the function lives.
///
/// # Safety
/// As for [`func_type`].
pub unsafe fn keep_code(func: *const VmFunc, code: Arc<dyn Any + Send + Sync>) {
    // SAFETY: the caller promises a live function, whose store is alive and run by this thread, so that no reference to
    // it is in use.
    unsafe { (*(*store_of(func)).store).keep_code(code) }
}

/// Returns the store of a function.
///
/// # Safety
/// As for [`func_type`].
unsafe fn store_of(func: *const VmFunc) -> *mut VmStore {
    // SAFETY: the caller promises a live function. One without an instance is the first field of a `VmHostFunc`.
    unsafe {
        let instance = (*func).instance;
        if instance.is_null() { (*func.cast::<VmHostFunc>()).store } else { (*instance).store }
    }
}

/// Returns the type of a function.
///
/// # Panics
/// If the function's type id is no function type, which a live function excludes.
///
/// # Safety
/// `func` is a live function of a store that this thread runs. If it has no instance, it is the first field of a
/// `VmHostFunc`.
pub unsafe fn func_type(func: *const VmFunc) -> Arc<FuncType> {
    // SAFETY: the caller promises a live function, so that its store is alive and its `store` field points to its Rust
    // side.
    unsafe {
        let store = store_of(func);
        let ty = (*(*store).store).registry().func_type((*func).type_id);
        ty.expect("a function's type is a function type")
    }
}

/// Returns the Rust side of an instance, for the duration of the call.
///
/// # Safety
/// See the [module](self).
unsafe fn object<'a>(instance: *mut VmInstance) -> &'a InstanceObject {
    // SAFETY: the caller promises a live instance; `InstanceObject::adopt` set its `instance` field before any code
    // could run.
    unsafe { &*(*instance).instance }
}

/// Returns `start..start + len` if that range is within `size`.
fn range_within(start: u64, len: u64, size: usize) -> Option<std::ops::Range<usize>> {
    let end = start.checked_add(len).filter(|&end| end <= size as u64)?;
    Some(start as usize..end as usize)
}

/// Returns the largest address or index of the given width, in slot form, which the guest reads as -1.
fn index_max(is64: bool) -> u64 {
    if is64 { u64::MAX } else { u32::MAX.into() }
}
