//! `ref.func`.

use super::object;
use crate::vm::VmInstance;

/// `ref.func`: the function as a reference in slot form.
///
/// # Safety
/// See [`builtins`](super).
pub unsafe fn ref_func(instance: *mut VmInstance, func_index: u32) -> u64 {
    // SAFETY: the contract.
    unsafe { object(instance) }.func_slot(func_index)
}
