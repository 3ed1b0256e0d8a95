//! The library as an embedder uses it: by behaviour, through the facade alone, once per configuration.
//!
//! [`support`] makes engines and multiplies tests by configurations; the other modules are tests, by subject; [`examples`]
//! runs the programs of `examples/`. What many instances leave behind is measured in `tests/leaks.rs`, which has a process to
//! itself.

mod examples;
mod host;
mod host_errors;
mod interrupt;
mod limits;
mod link;
mod succession;
mod support;
mod wasi;
mod wasi_memory;
