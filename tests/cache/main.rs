//! The cache of the binary under conditions that nobody wants: many processes at once, processes that are killed, full disks, damaged
//! and foreign files, other builds, modules that change.
//!
//! A run has the right result in all of them: what it prints, its exit code and its backtrace are those of a run without a
//! cache. [`support`] has guests with known results, and waits for the processes that store entries after a run has ended.
//! `WASMR_TORTURE=ROUNDS` repeats the tests with random choices so many times.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

mod afterlife;
mod builds;
mod components;
mod crowd;
mod damage;
#[path = "../default_signals/mod.rs"]
mod default_signals;
mod disk;
mod modules;
mod settings;
mod support;
