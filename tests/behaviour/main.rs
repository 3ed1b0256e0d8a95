//! Behaviour of the built `wasmr` binary, as users see it: small programs, in every configuration.
//!
//! All tests are in one test binary, so that they link once. [`harness`] runs processes, some of them on a [`terminal`].
//! [`tiers`] makes a test for each configuration. [`golden`] compares whole outputs with the files of `tests/golden/`. The
//! other modules are tests, one for each subject.

mod cache;
mod cli;
#[cfg(feature = "jit")]
mod compile;
mod completions;
#[cfg(feature = "component")]
mod component_calls;
#[cfg(feature = "component")]
mod component_echo;
#[cfg(feature = "component")]
mod component_plugs;
#[cfg(feature = "component")]
mod component_sockets;
#[cfg(feature = "component")]
mod component_streams;
#[cfg(feature = "component")]
mod component_timeouts;
#[cfg(feature = "component")]
mod components;
#[path = "../default_signals/mod.rs"]
mod default_signals;
mod exit;
mod explore;
mod files;
mod foreign_text;
mod golden;
mod harness;
mod inspect;
mod invoke;
mod limits;
mod messages;
mod preload;
mod programs;
mod raw_tty;
mod signals;
mod stats;
mod stdio;
mod terminal;
mod threads;
mod tiers;
mod wasi;
#[cfg(feature = "component")]
mod wasi_guest;
