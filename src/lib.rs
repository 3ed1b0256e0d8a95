//! wasmr is a standalone WebAssembly runtime. This is the library behind the `wasmr` command: it decodes and validates modules,
//! links them with functions of yours, and runs them.
//!
//! The names are those that users of other runtimes know. An [`Engine`] makes [`Module`]s, which can be shared; a [`Store`] owns
//! everything that lives; a [`Linker`] says what imports mean and makes [`Instance`]s.
//!
//! ```
//! use wasmr::{Caller, Engine, Linker, Module, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!         (import "host" "count" (func $count (param i32)))
//!         (func (export "twice") (param i32) (result i32)
//!             (call $count (local.get 0))
//!             (i32.mul (local.get 0) (i32.const 2))))"#)?;
//!
//! let mut linker = Linker::new();
//! linker.func_wrap("host", "count", |mut caller: Caller<'_, i32>, by: i32| *caller.data_mut() += by)?;
//!
//! let mut store = Store::new(&engine, 0);
//! let instance = linker.instantiate(&mut store, &module)?;
//! let twice = instance.get_typed_func::<i32, i32>(&mut store, "twice")?;
//! assert_eq!(twice.call(&mut store, 21)?, 42);
//! assert_eq!(*store.data(), 21);
//! # Ok(())
//! # }
//! ```
//!
//! A call that does not return gives a [`Stop`]: the guest trapped, threw, asked to end, or a host function failed.
//! Programs of WASI Preview 1 get their system interface from [`wasi`]. [`wast`] runs script tests.
//!
//! # Where does it all come from?
//! This crate has names only; each stage is a crate of its own, whose documentation is the tour: [`wasmr_core`],
//! [`wasmr_module`], [`wasmr_runtime`], [`wasmr_engine`], [`wasmr_wasi`].
#![forbid(unsafe_code)]

pub mod wast;

pub use wasmr_core::registry::TypeRegistry;
pub use wasmr_core::trap::TrapCode;
pub use wasmr_core::types::{
    ExternType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType, TableType, ValType,
};
pub use wasmr_core::value::V128;
pub use wasmr_engine::module::read_capped;
pub use wasmr_engine::{Config, Engine, LoadError, Mode, Module, Tuning};
pub use wasmr_module::{Export, ExternKind, Fault, Feature, Features, Import, ModuleBytes, ModuleError};
pub use wasmr_runtime::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use wasmr_runtime::exception::ExnRef;
pub use wasmr_runtime::externs::Extern;
pub use wasmr_runtime::func::{CallError, Func};
pub use wasmr_runtime::global::Global;
pub use wasmr_runtime::host::Caller;
pub use wasmr_runtime::instance::{ExportError, Instance};
pub use wasmr_runtime::instantiate::{ImportFailure, InstantiateError, LinkError, LoadedModule};
pub use wasmr_runtime::interrupt::InterruptHandle;
pub use wasmr_runtime::limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use wasmr_runtime::linker::{DuplicateDefinition, Linker, UnknownImportCalled};
pub use wasmr_runtime::memory::{Memory, MemoryAccessError};
pub use wasmr_runtime::reference::{AnyRef, ExternRef};
pub use wasmr_runtime::store::Store;
pub use wasmr_runtime::table::Table;
pub use wasmr_runtime::tag::Tag;
pub use wasmr_runtime::trap::{Backtrace, FrameInfo, Stop, StopKind, Throw, Trap};
pub use wasmr_runtime::typed::TypedFunc;
pub use wasmr_runtime::types::{extern_type_text, func_type_text, val_type_text};
pub use wasmr_runtime::value::{TypeMismatch, Val};

/// The system interface of WASI Preview 1. Nothing is granted unless a builder grants it.
pub mod wasi {
    pub use cap_std::fs::Dir;
    pub use wasmr_wasi::ctx::{BuildError, WasiCtx, WasiCtxBuilder};
    pub use wasmr_wasi::link::{add_imports_to_linker, add_to_linker};
    pub use wasmr_wasi::stdio::{OutputBuffer, Stdin, Stdout};
}
