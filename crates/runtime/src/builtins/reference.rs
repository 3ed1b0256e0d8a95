//! `ref.func`.

use super::object;
use crate::vm::VmInstance;

/// `ref.func`: returns the function as a reference in slot form.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn ref_func(instance: *mut VmInstance, func_index: u32) -> u64 {
    // SAFETY: the caller promises a live instance of a store that no Rust reference is using.
    unsafe { object(instance) }.func_slot(func_index)
}
