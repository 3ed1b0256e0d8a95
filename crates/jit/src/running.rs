//! What may be done with functions in the hands of the thread that runs them: giving them their code, and finding a way to call
//! them. Safe, because a [`RunningFunc`] is only had by that thread.

use std::ffi::c_void;

use wasmr_runtime::builtins;
use wasmr_runtime::frame::Fp;
use wasmr_runtime::host_error::HostError;
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier;
use wasmr_runtime::vm::{Status, VmFunc, VmStore};

use crate::enter;
use crate::module::{self, Callers, JitModule, LoopCode};

impl JitModule {
    /// Makes a function its compiled code, if there is any, for calls by `callers`: whether there is.
    ///
    /// # Errors
    /// If its store cannot have a stack for machine code.
    ///
    /// # Panics
    /// If the function is of another module, or its instance does not fit the [options](JitModule::options).
    pub fn give(&self, func: &RunningFunc<'_>, callers: Callers) -> Result<bool, ResourceError> {
        assert!(std::sync::Arc::ptr_eq(func.module(), self.module()), "the function is of another module");
        assert_eq!(func.memory0_guarded(), self.options().guarded, "the code relies on another kind of memory");
        // SAFETY: just checked, but for who runs the store: that is what a `RunningFunc` stands for.
        unsafe { self.publish(func.as_ptr(), func.defined_index(), func.foreign_code(), callers) }
    }
}

impl JitModule {
    /// Makes the store of a function ready to run machine code.
    ///
    /// # Errors
    /// If it cannot have a stack for that.
    pub fn make_ready(&self, func: &RunningFunc<'_>) -> Result<(), ResourceError> {
        // SAFETY: a running function is alive, and so is its instance's store, which the calling thread runs.
        unsafe { module::prepare((*(*func.as_ptr()).instance).store) }
    }
}

impl tier::LoopCode for LoopCode {
    unsafe fn enter(&self, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status {
        // SAFETY: the caller's promise, which is the same.
        unsafe { LoopCode::enter(self, store, func, frame) }
    }
}

/// [`VmFunc::native`] of functions that compiled code has not called yet: asks whoever executes the function for machine code, and
/// makes do with the passage out if there is none.
pub fn unresolved() -> *const c_void {
    enter::resolve_stub()
}

/// What the code that [`unresolved`] gives does first: gives the function machine code of some kind. It may compile, on a stack
/// with some hundred KiB left.
///
/// # Errors
/// If there is no way to call the function.
///
/// # Safety
/// Compiled code is about to call the function, which is alive, on the thread that runs its store; no Rust reference to the store
/// is in use.
pub(crate) unsafe fn resolve(func: *mut VmFunc) -> Result<(), HostError> {
    // SAFETY: the caller's promise; a function without instance is a host function.
    unsafe {
        if !(*func).instance.is_null() {
            RunningFunc::new(func).before_native_call();
        }
        if (*func).native == unresolved() {
            let ty = builtins::func_type(func);
            module::lead_out(func, &ty)?;
        }
    }
    Ok(())
}
