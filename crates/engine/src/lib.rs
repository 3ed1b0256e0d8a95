//! Stage 4: takes a [`Config`], gives an [`Engine`] that makes [`Module`]s and stores and decides which tier runs what, when.
//!
//! - [`config`] changes behaviour, [`tuning`] only speed; which modules are valid is a matter of
//!   [`Features`](wasmr_module::Features).
//! - [`modes`] is the table of ways to execute.
//! - [`engine`](mod@engine) is what everything of one embedding shares; [`module`] is a module made ready to run.
//!
//! This is the only crate that names the tiers.
#![forbid(unsafe_code)]

pub mod config;
pub mod engine;
pub mod modes;
pub mod module;
pub mod tuning;

pub use config::Config;
pub use engine::Engine;
pub use modes::Mode;
pub use module::{LoadError, Module};
pub use tuning::Tuning;
