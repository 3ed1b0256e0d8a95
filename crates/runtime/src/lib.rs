//! Stage 2: takes a [`Module`](wasmr_module::Module) and what executes it, gives live objects: everything of the
//! specification's "runtime structure", host functions, and the ways a run can end. It knows no tier.
//!
//! # The tour
//! - `store` owns everything; `context` is how a store is lent; the other objects are handles into it: `func`,
//!   `memory`, `table`, `global`, `tag`, `instance`, `reference`, `exception`.
//! - `instantiate` goes from a module to an instance, `initialize` calls what a library wants called first; `linker`
//!   finds the imports by name; segments and constant expressions are internal to it.
//! - [`vm`] has every layout that code reads and writes, [`frame`] that of the value stack; [`tier`], [`running`] and [`walk`] are the seam to whatever
//!   executes; [`builtins`] are the slow paths that tiers share; [`sys`] is the operating system.
//! - `host` and `typed` are host functions; `value` has the embedder's typed values.
//! - `trap` says how a run ends, `backtrace` and [`symbol`] how that is shown, `host_error` what becomes of an error of the host; [`limits`] how much it may take; `interrupt` ends it from another thread.
//!
//! # Invariants
//! An object lives until its store is dropped. Handles are checked against the store they are used with. What a guest
//! can make the host allocate is bounded by [`StoreLimits`].
#![warn(unreachable_pub)]

mod backtrace;
pub mod builtins;
mod const_eval;
mod context;
mod exception;
mod externs;
pub mod frame;
mod func;
mod global;
mod handle;
mod host;
mod host_error;
mod initialize;
mod instance;
mod instantiate;
mod interrupt;
pub mod limits;
mod linker;
mod memory;
mod ref_heap;
mod reference;
pub mod running;
mod segment;
mod store;
pub mod symbol;
pub mod sys;
mod table;
mod tag;
pub mod tier;
mod trap;
mod typed;
mod value;
pub mod vm;
pub mod walk;

pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use exception::{ExceptionError, ExnRef};
pub use externs::Extern;
pub use func::{CallError, Func, end_run};
pub use global::{Global, GlobalError};
pub use host::Caller;
pub use host_error::{HostError, HostFailure};
pub use initialize::{InitializerError, initializer};
pub use instance::{ExportError, Instance};
pub use instantiate::{ImportFailure, InstantiateError, LinkError, LoadedModule};
pub use interrupt::InterruptHandle;
pub use limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use linker::{DuplicateDefinition, InstancePre, LibraryError, Linker, UnknownImportCalled};
pub use memory::{GUARDED_SPACE, Memory, MemoryAccessError};
pub use reference::{AnyRef, ExternRef};
pub use store::{FuelError, Store, StoreConfig};
pub use table::{Table, TableError};
pub use tag::Tag;
pub use trap::{Backtrace, FrameInfo, Stop, StopKind, Throw, Trap};
pub use typed::{HostResults, IntoFunc, TypedFunc, WasmTy, WasmTyList};
pub use value::{TypeMismatch, Val};
pub use wasmr_core::type_text::{extern_type_text, func_type_text, type_text, val_type_text};
