//! What may be done with functions in the hands of the thread that runs them: giving them their code, and finding a way to call
//! them. Safe, because a [`RunningFunc`] is only had by that thread.

use std::ffi::c_void;

use wasmr_runtime::builtins;
use wasmr_runtime::frame::Fp;
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier;
use wasmr_runtime::vm::{Status, VmFunc, VmHostFunc, VmStore};
use wasmr_runtime::{HostError, Stop};

use crate::enter;
use crate::module::{self, Callers, JitModule, LoopCode};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

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
        unsafe { self.publish(func.as_ptr(), func.defined_index(), func.external_code(), callers) }
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
/// makes do with the trampoline out if there is none.
pub fn unresolved() -> *const c_void {
    machine::resolve as *const c_void
}

/// The Rust side of [`unresolved`].
///
/// # Safety
/// `func` is a live function of a store that this thread runs; called by compiled code, through the stub.
pub(crate) unsafe extern "C" fn resolved(func: *mut VmFunc) {
    // SAFETY: the contract. A host function's slot starts a `VmHostFunc`; all others have an instance. Nothing is left to drop.
    unsafe {
        if let Err(error) = resolve(func) {
            let instance = (*func).instance;
            let store = if instance.is_null() { (*func.cast::<VmHostFunc>()).store } else { (*instance).store };
            enter::stop(store, Stop::host(error))
        }
    }
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
unsafe fn resolve(func: *mut VmFunc) -> Result<(), HostError> {
    // SAFETY: the caller's promise; a function without instance is a host function.
    unsafe {
        if !(*func).instance.is_null() {
            RunningFunc::new(func).before_native_call();
        }
        if (*func).native == unresolved() {
            let ty = builtins::func_type(func);
            module::install_exit_trampoline(func, &ty)?;
        }
    }
    Ok(())
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86_64 {
    use std::arch::naked_asm;
    use std::mem::offset_of;

    use wasmr_runtime::vm::VmFunc;

    /// Keeps all registers that carry arguments: six for words, of which the first is the `VmFunc`, and eight for floats and
    /// vectors.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn resolve() {
        naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "sub rsp, 176",
            "movaps [rsp], xmm0",
            "movaps [rsp + 16], xmm1",
            "movaps [rsp + 32], xmm2",
            "movaps [rsp + 48], xmm3",
            "movaps [rsp + 64], xmm4",
            "movaps [rsp + 80], xmm5",
            "movaps [rsp + 96], xmm6",
            "movaps [rsp + 112], xmm7",
            "mov [rsp + 128], rdi",
            "mov [rsp + 136], rsi",
            "mov [rsp + 144], rdx",
            "mov [rsp + 152], rcx",
            "mov [rsp + 160], r8",
            "mov [rsp + 168], r9",
            "call {resolved}",
            "movaps xmm0, [rsp]",
            "movaps xmm1, [rsp + 16]",
            "movaps xmm2, [rsp + 32]",
            "movaps xmm3, [rsp + 48]",
            "movaps xmm4, [rsp + 64]",
            "movaps xmm5, [rsp + 80]",
            "movaps xmm6, [rsp + 96]",
            "movaps xmm7, [rsp + 112]",
            "mov rdi, [rsp + 128]",
            "mov rsi, [rsp + 136]",
            "mov rdx, [rsp + 144]",
            "mov rcx, [rsp + 152]",
            "mov r8, [rsp + 160]",
            "mov r9, [rsp + 168]",
            "mov rsp, rbp",
            "pop rbp",
            "mov rax, [rdi + {native}]",
            "mov rdi, [rdi + {native_context}]",
            "jmp rax",
            resolved = sym super::resolved,
            native = const offset_of!(VmFunc, native),
            native_context = const offset_of!(VmFunc, native_context),
        )
    }
}

/// Hosts for which no machine code is made: nothing here is ever called.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use std::process::abort;

    pub(crate) unsafe extern "C" fn resolve() {
        abort()
    }
}
