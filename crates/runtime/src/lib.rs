//! Stage 2: takes a [`Module`](wasmr_module::Module) with its code, and makes live objects: those of the
//! specification's [runtime structure](https://webassembly.github.io/spec/core/exec/runtime.html), host functions, and
//! the ends of a run. This crate names no tier.
//!
//! # The tour
//! - `store` owns everything, and `context` lends it. The other objects are handles into it: `func`, `memory`, `table`,
//!   `global`, `tag`, `instance`. `gc` owns the collected objects, which `rooted` names. Their kinds are in `reference`,
//!   `struct_ref`, `array_ref` and `exception`, their types in `object_type`.
//! - `instantiate` makes an instance of a module, and `initialize` calls the initialisation function of a library.
//!   `linker` finds the imports by name. Segments and constant expressions are internal to them.
//! - [`vm`] has every layout that code reads and writes, [`vm_gc`] those of the heap, and [`frame`] that of the value stack. [`tier`], [`running`]
//!   and [`walk`] are the interface to the tiers. [`builtins`] are the slow paths that tiers share. [`sys`] is the
//!   operating system.
//! - `host` and `typed` are host functions, `host_slab` many of one closure. `extension` is what the component layer needs of a
//!   store, `layer_state` what it keeps there. `value` has the embedder's typed values.
//! - `trap` describes the end of a run, `backtrace` and [`symbol`] show it, and `host_error` has the errors of the host.
//!   [`limits`] bounds the resources of a run, and `interrupt` ends it from another thread.
//!
//! # Invariants
//! An object lives until its store is dropped. Every use of a handle checks that the handle belongs to the store.
//! [`StoreLimits`] bounds the memory that a guest can make the host allocate.
#![warn(unreachable_pub)]

mod array_ref;
mod backtrace;
pub mod builtins;
mod collect;
mod const_eval;
mod context;
mod exception;
pub mod exit;
mod extension;
mod externs;
pub mod frame;
mod func;
mod gc;
mod global;
mod handle;
mod host;
mod host_error;
mod host_slab;
mod initialize;
mod instance;
mod instantiate;
mod interrupt;
mod layer_state;
pub mod limits;
mod linker;
mod memory;
mod object_type;
mod objects;
mod reference;
mod rooted;
pub mod running;
mod segment;
mod shared_memory;
mod slots;
mod store;
mod struct_ref;
pub mod symbol;
pub mod sys;
mod table;
mod tag;
pub mod tier;
mod trap;
mod typed;
mod usage;
mod value;
pub mod vm;
pub mod vm_gc;
mod waiting;
pub mod walk;

pub use array_ref::{ArrayRef, ArrayRefPre};
pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use exception::{ExceptionError, ExnRef};
pub use extension::{MemoryPair, Parts};
pub use externs::Extern;
pub use func::{CallError, Func, end_run};
pub use global::{Global, GlobalError};
pub use host::{Caller, CallerMemory};
pub use host_error::{HostError, HostFailure};
pub use host_slab::{HostSlab, SlabFuncType};
pub use initialize::{InitializerError, initializer};
pub use instance::{ExportError, Instance};
pub use instantiate::{ImportFailure, InstantiateError, LinkError, LoadedModule};
pub use interrupt::InterruptHandle;
pub use limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use linker::{DuplicateDefinition, InstancePre, LibraryError, Linker, UnknownImportCalled};
pub use memory::{GUARDED_SPACE, Memory, MemoryAccessError, check_room};
pub use object_type::{ArrayType, Finality, ObjectError, ObjectTypeError, StructType};
pub use reference::{AnyRef, EqRef, ExternRef, I31, InAny};
pub use rooted::{GcRef, OwnedRooted, RootScope, Rooted, Unrooted};
pub use shared_memory::SharedMemory;
pub use store::{FuelError, Store, StoreConfig};
pub use struct_ref::{StructRef, StructRefPre};
pub use table::{Table, TableError};
pub use tag::Tag;
pub use trap::{Backtrace, FrameInfo, Stop, StopKind, Throw, Trap};
pub use typed::{HostResults, IntoFunc, TypedFunc, WasmTy, WasmTyList};
pub use usage::{GcStats, SharedUsage};
pub use value::{TypeMismatch, Val};
pub use waiting::WaitResult;
pub use wasmr_core::type_text::{extern_type_text, func_type_text, type_text, val_type_text};
