//! Stage 4: takes a [`Config`], gives an [`Engine`] that makes [`Module`]s and stores and decides which tier runs what, when.
//! Tiers are the interpreter, in which every function starts, and machine code, which hot ones get.
//!
//! - [`Config`] changes behaviour, [`Tuning`] only speed; which modules are valid is a matter of
//!   [`Features`](wasmr_module::Features).
//! - `modes` is the table of ways to execute.
//! - [`Engine`] is what everything of one embedding shares; [`Module`] is a module made ready to run.
//! - `tier` is the tiers as stores see them; `tier_up` decides for a module what is compiled when, with `loops` for those that a
//!   function does not come out of; `compiler` is what modules share for that, `compile_queue` its order, `work` what they agree on, `workers` the
//!   threads, `pause` when to try again what the host refused; `report` says what was done.
//! - [`explore`]: what becomes of a function, for people.
//!
//! This is the only crate that names the tiers. Without the feature `jit` there is only the interpreter.
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

/// What the threads that compile are called. A panic on one of them costs no more than what it was compiling.
pub const COMPILE_THREAD: &str = "wasmr-compile";
