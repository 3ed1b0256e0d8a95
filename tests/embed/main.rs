//! The library as an embedder uses it: behaviour through the `wasmr` crate alone, in every mode.
//!
//! [`support`] makes a test for each mode. [`examples`] runs the programs of `examples/`. The other modules are tests, one for
//! each subject. `tests/leaks.rs`, which has a process to itself, measures leaks over many instances.

mod cache;
mod examples;
mod gc;
mod gc_edges;
mod host;
mod host_errors;
mod interrupt;
mod limits;
mod link;
mod succession;
mod support;
mod wasi;
mod wasi_memory;
