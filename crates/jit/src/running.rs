//! Functions on the thread that runs their store: installation of compiled code, and the lazy-resolution stub.
//!
//! The interface is safe, because only that thread can hold a [`RunningFunc`].

use std::ffi::c_void;

use wasmr_runtime::builtins;
use wasmr_runtime::limits::ResourceError;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::vm::{VmFunc, VmHostFunc};
use wasmr_runtime::{HostError, Stop};

use crate::enter;
use crate::module::{self, Callers, JitModule};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use without as machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use x86_64 as machine;

impl JitModule {
    /// Installs the function's compiled code in its instance, for calls by `callers`. Returns false if it has none.
    ///
    /// # Errors
    /// Returns an error if the native stack of the store cannot be allocated.
    ///
    /// # Panics
    /// Panics if the function belongs to another module, or if its instance does not fit the [options](JitModule::options).
    pub fn install(&self, func: &RunningFunc<'_>, callers: Callers) -> Result<bool, ResourceError> {
        assert!(std::sync::Arc::ptr_eq(func.module(), self.module()), "the function is of another module");
        assert_eq!(func.memory0_guarded(), self.options().guarded, "the code relies on another kind of memory");
        // SAFETY: the assertions compare module and memory, and a `RunningFunc` exists only on the thread that runs its store.
        unsafe { self.install_at(func.as_ptr(), func.defined_index(), func.external_code(), callers) }
    }
}

impl JitModule {
    /// Prepares the store of a function to run machine code.
    ///
    /// # Errors
    /// Returns an error if the native stack cannot be allocated.
    pub fn make_ready(&self, func: &RunningFunc<'_>) -> Result<(), ResourceError> {
        // SAFETY: a `RunningFunc` points to a live function of an instance, whose store the calling thread runs.
        unsafe { module::prepare((*(*func.as_ptr()).instance).store) }
    }
}

/// Returns the lazy-resolution stub: the code that [`VmFunc::native`] of every function holds until compiled code calls it
/// first.
///
/// The stub asks the function's tier for machine code, installs the exit trampoline if there is none, and then continues the
/// call there. Lazy binding of procedure linkage tables (System V ABI) works the same way.
pub fn lazy_resolution_stub() -> *const c_void {
    machine::lazy_resolution_stub as *const c_void
}

/// Resolves `func` for the stub. Ends the activation if there is no way to call it.
///
/// # Safety
/// `func` is a live function of a store that this thread runs; called by compiled code, through the stub.
pub(crate) unsafe extern "C" fn resolve_or_stop(func: *mut VmFunc) {
    // SAFETY: the caller keeps the contract of `resolve`, as compiled code holds no Rust reference. The record of a function
    // without instance is the beginning of a `VmHostFunc`. `resolve` has returned, so that `enter::stop` leaves nothing to
    // drop.
    unsafe {
        if let Err(error) = resolve(func) {
            let instance = (*func).instance;
            let store = if instance.is_null() { (*func.cast::<VmHostFunc>()).store } else { (*instance).store };
            enter::stop(store, Stop::host(error))
        }
    }
}

/// Makes sure that [`VmFunc::native`] is code for the function: its own, or the exit trampoline. May compile, on a native stack
/// that has some hundred KiB left.
///
/// # Errors
/// Returns an error if there is no machine code and no exit trampoline can be made.
///
/// # Safety
/// Compiled code is about to call the function, which is alive, on the thread that runs its store; no Rust reference to the
/// store is in use.
unsafe fn resolve(func: *mut VmFunc) -> Result<(), HostError> {
    // SAFETY: `func` is live and on the thread of its store, as `RunningFunc::new` and `install_exit_trampoline` require. A
    // `RunningFunc` needs an instance, which every function but a host function has.
    unsafe {
        if !(*func).instance.is_null() {
            let running = RunningFunc::new(func);
            running.executable().first_call(&running);
        }
        if (*func).native == lazy_resolution_stub() {
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

    /// Saves all registers that carry arguments, resolves the `VmFunc` in `rdi`, restores them and jumps to its code.
    ///
    /// Cranelift's `Tail` convention passes arguments in the registers of the System V ABI, section 3.2.3: six for words, of
    /// which the first is the `VmFunc`, and eight for floats and vectors.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn lazy_resolution_stub() {
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
            "call {resolve_or_stop}",
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
            resolve_or_stop = sym super::resolve_or_stop,
            native = const offset_of!(VmFunc, native),
            native_context = const offset_of!(VmFunc, native_context),
        )
    }
}

/// Stand-ins on hosts without machine code, where nothing calls them.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use std::process::abort;

    use wasmr_runtime::vm::VmFunc;

    // The function that the stub of a supported host calls, so that every host checks it.
    const _: unsafe extern "C" fn(*mut VmFunc) = super::resolve_or_stop;

    pub(crate) unsafe extern "C" fn lazy_resolution_stub() {
        abort()
    }
}
