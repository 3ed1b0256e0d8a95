//! What compiled code calls: one table of functions, reached through [`VmStore::native_libcalls`], so that code holds no
//! address of the host's.
//!
//! One row a libcall says everything: its place in the table, its signature for the compiler, and the Rust function behind it,
//! whose type is checked against the row. Those are in [`sides`](self); they go to
//! [`builtins`](wasmr_runtime::builtins), which every tier shares.
//!
//! # Invariants
//! - All use the C convention. The first argument is the `VmInstance` whose code calls, or the `VmStore` where the row says so,
//!   for trampolines, which know no instance.
//! - Between compiled code and the Rust function there is a *shim*, which makes a frame and notes it as
//!   [`VmStore::native_exit_fp`]: from there on the frames of compiled code are found.
//! - A libcall that fails does not return: it ends the activation, or goes on at a handler. Compiled code never asks whether it
//!   failed. Rust functions that may do so have nothing to drop at that point.

use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use wasmr_runtime::vm::{VmInstance, VmStore};

/// A shim: called with the arguments of its row.
type Shim = unsafe extern "C" fn();

/// A type of arguments and results, as the compiler has it.
trait Word {
    const TYPE: Type;
}

impl Word for u32 {
    const TYPE: Type = types::I32;
}

impl Word for u64 {
    const TYPE: Type = types::I64;
}

impl Word for usize {
    const TYPE: Type = types::I64;
}

impl<T> Word for *const T {
    const TYPE: Type = types::I64;
}

impl<T> Word for *mut T {
    const TYPE: Type = types::I64;
}

/// The results of a libcall: at most one.
macro_rules! results {
    () => {
        &[]
    };
    ($ty:ty) => {
        &[<$ty as Word>::TYPE]
    };
}

/// A shim: `store` is where the store is found.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
macro_rules! shim {
    ($name:ident VmInstance) => {
        shim!($name, concat!("mov r11, [rdi + {store}]"), store = const offset_of!(VmInstance, store),);
    };
    ($name:ident VmStore) => {
        shim!($name, "mov r11, rdi",);
    };
    ($name:ident, $find_store:expr, $($operand:tt)*) => {
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name() {
            naked_asm!(
                "push rbp",
                "mov rbp, rsp",
                $find_store,
                "mov [r11 + {native_exit_fp}], rbp",
                "call {side}",
                "pop rbp",
                "ret",
                $($operand)*
                native_exit_fp = const offset_of!(VmStore, native_exit_fp),
                side = sym super::sides::$name,
            )
        }
    };
}

/// No code is made that could call it.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
macro_rules! shim {
    ($name:ident $context:ident) => {
        pub(crate) unsafe extern "C" fn $name() {
            std::process::abort()
        }
    };
}

/// Declares [`LibCall`] and the table: one row per libcall, `Name function(context, parameters) -> result`.
macro_rules! libcalls {
    ($($(#[$doc:meta])* $variant:ident $name:ident($context:ident $(, $param:ident: $ty:ty)*) $(-> $result:ty)?;)*) => {
        /// A function that compiled code calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum LibCall { $($(#[$doc])* $variant,)* }

        /// The libcalls, as compiled code finds them.
        #[derive(Debug)]
        #[repr(C)]
        pub(crate) struct LibCalls { $($name: Shim,)* }

        pub(crate) static LIBCALLS: LibCalls = LibCalls { $($name: shims::$name,)* };

        impl LibCall {
            /// Where it is in the table, in bytes.
            pub(crate) const fn offset(self) -> i32 {
                match self { $(LibCall::$variant => std::mem::offset_of!(LibCalls, $name) as i32,)* }
            }

            /// The types of its arguments, the context first.
            pub(crate) const fn params(self) -> &'static [Type] {
                match self { $(LibCall::$variant => &[types::I64, $(<$ty as Word>::TYPE),*],)* }
            }

            pub(crate) const fn results(self) -> &'static [Type] {
                match self { $(LibCall::$variant => results!($($result)?),)* }
            }
        }

        mod shims {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            use {
                std::arch::naked_asm,
                std::mem::offset_of,
                wasmr_runtime::vm::{VmInstance, VmStore},
            };

            $(shim!($name $context);)*
        }

        $(const _: unsafe extern "C" fn(*mut $context $(, $ty)*) $(-> $result)? = sides::$name;)*
    };
}

libcalls! {
    /// Executes an operator of the table of [`Builtin`](wasmr_module::Builtin): the row, its immediates, and the address of its operands
    /// in slot form, where the result goes as well.
    Builtin builtin(VmInstance, row: u32, immediates: u64, slots: *mut u64);
    /// Whether a function of one canonical type may be called as one of another: 1 or 0.
    IsSubtype is_subtype(VmInstance, actual: u32, expected: u32) -> u32;
    /// Makes an exception with the payload in slots at an address: its reference.
    ExceptionNew exception_new(VmInstance, tag: u32, payload: *const u64) -> u64;
    /// The tag of an exception: its `VmTag`.
    ExceptionTag exception_tag(VmInstance, exception: u64) -> usize;
    /// Writes the payload of an exception to slots.
    ExceptionPayload exception_payload(VmInstance, exception: u64, out: *mut u64);
    /// What a trampoline out was left with, if not that it returned: returns if a tail call that was asked for now has, with the
    /// results in `slots`.
    LeaveStopped leave_stopped(VmStore, status: usize, slots: *mut u64, fp: *const usize);
}

impl LibCall {
    /// The signature by which compiled code calls it.
    pub(crate) fn signature(self) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend(self.params().iter().map(|&ty| AbiParam::new(ty)));
        signature.returns.extend(self.results().iter().map(|&ty| AbiParam::new(ty)));
        signature
    }
}

/// The Rust functions.
///
/// # Safety
/// Of all of them: called by the shim, for compiled code of a live instance (or for a trampoline, of a live store) that this thread
/// runs and to which no Rust reference is in use; with arguments that validation and the row vouch for.
mod sides {
    use wasmr_core::types::TypeId;
    use wasmr_module::Builtin;
    use wasmr_runtime::builtins::{self, exception};
    use wasmr_runtime::vm::{Status, VmInstance, VmStore};

    use crate::unwind;

    pub(super) unsafe extern "C" fn builtin(instance: *mut VmInstance, row: u32, immediates: u64, slots: *mut u64) {
        // SAFETY: the contract; nothing of a libcall is left to drop.
        unsafe {
            let status = builtins::entry(Builtin::ALL[row as usize])(instance, immediates, slots);
            if status != Status::OK {
                unwind::stopped((*instance).store, status)
            }
        }
    }

    pub(super) unsafe extern "C" fn is_subtype(instance: *mut VmInstance, actual: u32, expected: u32) -> u32 {
        // SAFETY: the contract.
        unsafe { builtins::is_subtype(instance, TypeId(actual), TypeId(expected)).into() }
    }

    pub(super) unsafe extern "C" fn exception_new(instance: *mut VmInstance, tag: u32, payload: *const u64) -> u64 {
        // SAFETY: the contract; nothing is left to drop. What there is no room for nobody catches.
        unsafe {
            let exception = exception::exception_new(instance, tag, payload);
            if exception == 0 {
                unwind::throw((*instance).store, exception)
            }
            exception
        }
    }

    pub(super) unsafe extern "C" fn exception_tag(instance: *mut VmInstance, exception: u64) -> usize {
        // SAFETY: the contract.
        unsafe { exception::exception_tag((*instance).store, exception).addr() }
    }

    pub(super) unsafe extern "C" fn exception_payload(instance: *mut VmInstance, exception: u64, out: *mut u64) {
        // SAFETY: the contract.
        unsafe { exception::exception_payload((*instance).store, exception, out) }
    }

    pub(super) unsafe extern "C" fn leave_stopped(
        store: *mut VmStore,
        status: usize,
        slots: *mut u64,
        fp: *const usize,
    ) {
        // SAFETY: the contract.
        unsafe { unwind::leave_stopped(store, Status(status), slots, fp) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_tell_places_and_signatures() {
        let word = size_of::<Shim>() as i32;
        assert_eq!(LibCall::Builtin.offset(), 0);
        assert_eq!(LibCall::IsSubtype.offset(), word);
        assert_eq!(LibCall::LeaveStopped.offset() + word, size_of::<LibCalls>() as i32);
        assert_eq!(LibCall::Builtin.params(), [types::I64, types::I32, types::I64, types::I64]);
        assert_eq!(LibCall::Builtin.results(), []);
        assert_eq!(LibCall::IsSubtype.results(), [types::I32]);
    }
}
