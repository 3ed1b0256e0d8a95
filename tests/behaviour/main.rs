//! What users see: the built `wasmr` binary on small programs, once per configuration.
//!
//! One test binary, so that it links once. [`harness`] runs processes, if need be on a [`terminal`], [`tiers`] multiplies tests
//! by configurations, [`golden`] compares whole outputs with the files of `tests/golden/`; the other modules are tests, by
//! subject.

mod cli;
mod completions;
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
mod tiers;
mod wasi;
