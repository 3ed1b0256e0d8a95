//! Libcalls: the functions of the runtime that compiled code calls, in one table at [`VmStore::native_libcalls`]. Compiled code
//! thus contains no addresses of the host program.
//!
//! One row declares a libcall: its position in the table, its signature for Cranelift, and its Rust function, whose type is
//! checked against the row. The Rust functions are in `imp`. They call the [`builtins`](wasmr_runtime::builtins), which all
//! tiers share.
//!
//! # Invariants
//! - All libcalls use the C convention. Their first argument is the `VmInstance` whose code calls. In rows for trampolines,
//!   which belong to no instance, it is the `VmStore`.
//! - Between compiled code and the Rust function is a *shim*. It makes a frame and stores the frame pointer as
//!   [`VmStore::native_exit_fp`], from which stack walks start.
//! - A libcall that fails does not return: it ends the activation, or continues at a landing pad. Compiled code therefore never
//!   checks for failure. A Rust function that may fail holds nothing to drop at that point.

use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use wasmr_runtime::vm::{VmInstance, VmStore};

/// A shim, by a type without arguments. Compiled code calls it with the arguments of its row.
type Shim = unsafe extern "C" fn();

/// A Rust type of arguments and results, with its Cranelift type.
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

/// The Cranelift types of a libcall's results, of which there is at most one.
macro_rules! results {
    () => {
        &[]
    };
    ($ty:ty) => {
        &[<$ty as Word>::TYPE]
    };
}

/// Defines the shim of a libcall, by the type of its first argument.
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
                "call {imp}",
                "pop rbp",
                "ret",
                $($operand)*
                native_exit_fp = const offset_of!(VmStore, native_exit_fp),
                imp = sym super::imp::$name,
            )
        }
    };
}

/// Defines a stand-in on hosts without machine code, where nothing calls it.
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
        /// A libcall.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum LibCall { $($(#[$doc])* $variant,)* }

        /// The table of shims that compiled code reads.
        #[derive(Debug)]
        #[repr(C)]
        pub(crate) struct LibCalls { $($name: Shim,)* }

        pub(crate) static LIBCALLS: LibCalls = LibCalls { $($name: shims::$name,)* };

        impl LibCall {
            /// Returns the offset of the shim's address in the table, in bytes.
            pub(crate) const fn offset(self) -> i32 {
                match self { $(LibCall::$variant => std::mem::offset_of!(LibCalls, $name) as i32,)* }
            }

            /// Returns the types of the arguments, the instance or store first.
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

        $(const _: unsafe extern "C" fn(*mut $context $(, $ty)*) $(-> $result)? = imp::$name;)*
    };
}

libcalls! {
    /// Executes an operator of the table of [`Builtin`](wasmr_module::Builtin). The arguments are its row, its immediates, and
    /// the address of its operands in slot form, where its results go as well.
    Builtin builtin(VmInstance, row: u32, immediates: u64, slots: *mut u64);
    /// Allocates an object of a number of bytes. Returns its reference. Header and fields are for the caller to write.
    Allocate allocate(VmInstance, bytes: u32) -> u64;
    /// Makes an array of `len` zeros or nulls of `size` bytes each. Returns its reference.
    NewArray new_array(VmInstance, descriptor: u32, len: u32, size: u32) -> u64;
    /// Returns 1 if a function of one canonical type may be called as one of another, else 0.
    IsSubtype is_subtype(VmInstance, actual: u32, expected: u32) -> u32;
    /// Makes an exception with the payload in slots at an address. Returns its reference.
    ExceptionNew exception_new(VmInstance, tag: u32, payload: *const u64) -> u64;
    /// Continues after the callee of an exit trampoline ended with a status other than OK. Returns only after a tail call that
    /// ended with OK, with the results in `slots`.
    LeaveStopped leave_stopped(VmStore, status: usize, slots: *mut u64, fp: *const usize);
}

impl LibCall {
    /// Returns the signature by which compiled code calls the shim.
    pub(crate) fn signature(self) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend(self.params().iter().map(|&ty| AbiParam::new(ty)));
        signature.returns.extend(self.results().iter().map(|&ty| AbiParam::new(ty)));
        signature
    }
}

/// The Rust functions of the libcalls.
///
/// # Safety
/// All of them have one contract. A shim calls them for compiled code of a live instance, or for a trampoline of a live store.
/// This thread runs the store, and no Rust reference to it is in use. The arguments have the meaning that the row gives them:
/// validated indices, references of this store, and addresses of enough slots.
mod imp {
    use wasmr_core::types::TypeId;
    use wasmr_module::Builtin;
    use wasmr_runtime::builtins::{self, exception};
    use wasmr_runtime::vm::{Status, VmInstance, VmStore};

    use crate::unwind;

    pub(super) unsafe extern "C" fn builtin(instance: *mut VmInstance, row: u32, immediates: u64, slots: *mut u64) {
        // SAFETY: row, immediates and slots come from the translation of a validated operator of this live instance, as the
        // entry requires. The shim has set `native_exit_fp`, and this function holds nothing to drop, as `stopped` requires.
        unsafe {
            let status = builtins::entry(Builtin::ALL[row as usize])(instance, immediates, slots);
            if status != Status::OK {
                unwind::stopped((*instance).store, status)
            }
        }
    }

    pub(super) unsafe extern "C" fn allocate(instance: *mut VmInstance, bytes: u32) -> u64 {
        // SAFETY: the instance is alive, and compiled code writes the whole object before it does anything else. The shim has set
        // `native_exit_fp`, and this function holds nothing to drop, as `stopped` requires.
        unsafe {
            match builtins::allocate(instance, bytes) {
                Some(object) => object.into(),
                None => unwind::stopped((*instance).store, Status::TRAP),
            }
        }
    }

    pub(super) unsafe extern "C" fn new_array(instance: *mut VmInstance, descriptor: u32, len: u32, size: u32) -> u64 {
        // SAFETY: the instance is alive, and the descriptor is that of an array type with elements of this size. The shim has
        // set `native_exit_fp`, and this function holds nothing to drop, as `stopped` requires.
        unsafe {
            match builtins::new_array(instance, descriptor, len, size) {
                Some(object) => object.into(),
                None => unwind::stopped((*instance).store, Status::TRAP),
            }
        }
    }

    pub(super) unsafe extern "C" fn is_subtype(instance: *mut VmInstance, actual: u32, expected: u32) -> u32 {
        // SAFETY: the instance is alive, and both types are canonical types of its engine: one of its module, one of a function
        // of the store.
        unsafe { builtins::is_subtype(instance, TypeId(actual), TypeId(expected)).into() }
    }

    pub(super) unsafe extern "C" fn exception_new(instance: *mut VmInstance, tag: u32, payload: *const u64) -> u64 {
        // SAFETY: the tag's index is validated, and compiled code has stored the whole payload. The shim has set
        // `native_exit_fp`, and this function holds nothing to drop, as `throw` requires. 0 means that no exception could be
        // allocated.
        unsafe {
            let exception = exception::exception_new(instance, tag, payload);
            if exception == 0 {
                unwind::throw((*instance).store, exception)
            }
            exception
        }
    }

    pub(super) unsafe extern "C" fn leave_stopped(
        store: *mut VmStore,
        status: usize,
        slots: *mut u64,
        fp: *const usize,
    ) {
        // SAFETY: only exit trampolines make this libcall, after they have reset `stack_top` to `slots`; `fp` is their frame.
        unsafe { unwind::leave_stopped(store, Status(status), slots, fp.cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_determine_offsets_and_signatures() {
        let word = size_of::<Shim>() as i32;
        assert_eq!(LibCall::Builtin.offset(), 0);
        assert_eq!(LibCall::Allocate.offset(), word);
        assert_eq!(LibCall::LeaveStopped.offset() + word, size_of::<LibCalls>() as i32);
        assert_eq!(LibCall::Builtin.params(), [types::I64, types::I32, types::I64, types::I64]);
        assert_eq!(LibCall::Builtin.results(), []);
        assert_eq!(LibCall::IsSubtype.results(), [types::I32]);
    }
}
