//! Stage 2: takes a [`Module`](wasmr_module::Module) and what executes it, gives live objects: everything of the
//! specification's "runtime structure", host functions, and the ways a run can end. It knows no tier.
//!
//! # The tour
//! - [`store`] owns everything; [`context`] is how a store is lent; the other objects are handles into it: [`func`],
//!   [`memory`], [`table`], [`global`], [`tag`], [`instance`], [`mod@reference`], [`exception`].
//! - [`instantiate`] goes from a module to an instance, [`mod@initialize`] calls what a library wants called first; [`linker`]
//!   finds the imports by name; segments and constant expressions are internal to it.
//! - [`vm`] has every layout that code reads and writes, [`frame`] that of the value stack; [`tier`], [`running`] and [`walk`] are the seam to whatever
//!   executes; [`builtins`] are the slow paths that tiers share; [`sys`] is the operating system.
//! - [`host`] and [`typed`] are host functions; [`value`] and [`types`] values and types as the embedder sees them.
//! - [`trap`] says how a run ends, with names for people by [`symbol`], [`host_error`] what becomes of an error of the host; [`limits`] how much it may take; [`interrupt`] ends it from another thread.
//!
//! # Invariants
//! An object lives until its store is dropped. Handles are checked against the store they are used with. What a guest
//! can make the host allocate is bounded by [`StoreLimits`].

mod arena;
pub mod builtins;
mod const_eval;
pub mod context;
pub mod exception;
pub mod externs;
pub mod frame;
pub mod func;
pub mod global;
mod handle;
pub mod host;
pub mod host_error;
pub mod initialize;
pub mod instance;
pub mod instantiate;
pub mod interrupt;
pub mod limits;
pub mod linker;
pub mod memory;
pub mod reference;
pub mod running;
mod segment;
pub mod store;
pub mod symbol;
pub mod sys;
pub mod table;
pub mod tag;
pub mod tier;
pub mod trap;
pub mod typed;
pub mod types;
pub mod value;
pub mod vm;
pub mod walk;

pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use exception::ExnRef;
pub use externs::Extern;
pub use func::Func;
pub use global::Global;
pub use host::Caller;
pub use host_error::{HostError, HostFailure};
pub use instance::Instance;
pub use instantiate::{ImportFailure, InstantiateError, LinkError, LoadedModule};
pub use interrupt::InterruptHandle;
pub use limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use linker::Linker;
pub use memory::Memory;
pub use reference::{AnyRef, ExternRef};
pub use store::{Store, StoreConfig};
pub use table::Table;
pub use tag::Tag;
pub use trap::{Backtrace, FrameInfo, Stop, StopKind, Throw, Trap};
pub use typed::{IntoFunc, TypedFunc, WasmTy, WasmTyList};
pub use value::{TypeMismatch, Val};
