//! Stage 4: takes a [`Config`], gives an [`Engine`]. The engine makes [`Module`]s and stores, and chooses the tier that runs
//! each function. Every function starts in the interpreter; hot ones get machine code.
//!
//! - [`Config`] changes behaviour, [`Tuning`] only speed. [`Features`](wasmr_module::Features) decides which modules are valid.
//! - `modes` is the table of modes.
//! - [`Engine`] is shared by everything of one embedding; [`Module`] is a module made ready to run.
//! - `tier` presents all tiers to stores as one. `module_tiers` owns the code of a module and decides what is compiled when;
//!   `loops` has the profiles of its loops, `crossings` keeps calls between tiers rare, with the functions of `small_leaf`, and
//!   `func_states` has a byte for each function. `compile_task` is one compilation.
//! - `compiler` is shared by all modules; `compile_queue` is its order, `workers` its threads, `work` a unit of compilation,
//!   `pause` the time until the next try after a refusal by the host. `report` has counts and events of compilations.
//! - `knowledge` is the part of a module that outlives the process: `module_cache` finds and stores it, by the `cache_key`.
//!   `saved_profile` is a part of it, `earlier_runs` is what was found, and `warm_start` begins with it.
//! - [`Component`] is a component made ready to run, with a [`Module`] for each core module.
//! - `precompile` and `precompiled` make and load modules that were compiled ahead of time.
//! - [`explore`] shows a function in all its forms.
//!
//! No other crate names the tiers. Without the feature `jit` there is only the interpreter, without `component` there are only core
//! modules.
#![deny(unsafe_code)]
#![warn(unreachable_pub)]

mod cache_key;
#[cfg(feature = "jit")]
mod compile_queue;
#[cfg(feature = "jit")]
mod compile_task;
#[cfg(feature = "jit")]
mod compiler;
#[cfg(feature = "component")]
mod component;
mod config;
#[cfg(feature = "jit")]
mod crossings;
#[cfg(feature = "jit")]
mod earlier_runs;
mod engine;
pub mod explore;
#[cfg(feature = "jit")]
mod func_states;
mod knowledge;
#[cfg(feature = "jit")]
mod loops;
mod modes;
mod module;
mod module_cache;
#[cfg(feature = "jit")]
mod module_tiers;
#[cfg(feature = "jit")]
mod pause;
mod precompile;
mod precompiled;
mod report;
#[cfg(feature = "jit")]
mod saved_profile;
#[cfg(feature = "jit")]
mod small_leaf;
#[cfg(feature = "jit")]
mod tier;
mod tuning;
#[cfg(feature = "jit")]
mod warm_start;
#[cfg(feature = "jit")]
mod work;
#[cfg(feature = "jit")]
mod workers;

pub use cache_key::Mismatch;
#[cfg(feature = "component")]
pub use component::{Component, ComponentSource};
pub use config::Config;
pub use engine::Engine;
pub use modes::Mode;
pub use module::{ExportType, ImportType, LoadError, Module, read_capped};
pub use precompile::{FunctionsToCompile, Precompile, PrecompileError, PrecompiledFunctions};
pub use precompiled::{DeserializeError, PrecompiledModule};
pub use report::{FunctionCount, TierEvent, TierReport};
pub use tuning::Tuning;

/// Name of the compiler threads. A panic on one of them costs only the function that it was compiling.
pub const COMPILE_THREAD: &str = "wasmr-compile";
