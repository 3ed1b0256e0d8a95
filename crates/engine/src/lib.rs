//! Stage 4: takes a [`Config`], gives an [`Engine`]. The engine makes [`Module`]s and stores, and chooses the tier that runs
//! each function. Every function starts in the interpreter; hot ones get machine code.
//!
//! - [`Config`] changes behaviour, [`Tuning`] only speed. [`Features`](wasmr_module::Features) decides which modules are valid.
//! - `modes` is the table of modes.
//! - [`Engine`] is shared by everything of one embedding; [`Module`] is a module made ready to run.
//! - `tier` presents all tiers to stores as one. `module_tiers` owns the code of a module and decides what is compiled when;
//!   `loops` has the profiles of its loops, `small_leaf` the functions that stay interpreted. `compile_task` is one
//!   compilation.
//! - `compiler` is shared by all modules; `compile_queue` is its order, `workers` its threads, `work` a unit of compilation,
//!   `pause` the time until the next try after a refusal by the host. `report` has counts and events of compilations.
//! - [`explore`] shows a function in all its forms.
//!
//! No other crate names the tiers. Without the feature `jit` there is only the interpreter.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

#[cfg(feature = "jit")]
mod compile_queue;
#[cfg(feature = "jit")]
mod compile_task;
#[cfg(feature = "jit")]
mod compiler;
mod config;
mod engine;
pub mod explore;
#[cfg(feature = "jit")]
mod loops;
mod modes;
mod module;
#[cfg(feature = "jit")]
mod module_tiers;
#[cfg(feature = "jit")]
mod pause;
mod report;
#[cfg(feature = "jit")]
mod small_leaf;
#[cfg(feature = "jit")]
mod tier;
mod tuning;
#[cfg(feature = "jit")]
mod work;
#[cfg(feature = "jit")]
mod workers;

pub use config::Config;
pub use engine::Engine;
pub use modes::Mode;
pub use module::{ExportType, ImportType, LoadError, Module, read_capped};
pub use report::{FunctionCount, TierEvent, TierReport};
pub use tuning::Tuning;

/// Name of the compiler threads. A panic on one of them costs only the function that it was compiling.
pub const COMPILE_THREAD: &str = "wasmr-compile";
