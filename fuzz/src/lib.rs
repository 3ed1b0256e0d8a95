//! The fuzz targets as functions of bytes. The binaries in `fuzz_targets/` only call them, so that `show` and a debugger can
//! do the same.
//!
//! | file | panics if |
//! |---|---|
//! | [`decode`] | the decoder panics or contradicts itself |
//! | [`component`] | the decoder of components does, or a component that it accepts makes the host panic |
//! | [`canonical`] | the canonical ABI passes a value otherwise than a second implementation |
//! | [`wasi_paths`] | a guest's file calls reach an object outside the granted directories |
//! | [`differential`] | two engines execute a generated module differently |
//! | [`objects`] | two variants of wasmr execute a generated program with objects and exceptions differently |
//!
//! [`modules`] generates modules, and [`shape`] changes them. [`value`] has the values and host functions for all engines under
//! test. [`engines`] gives the engines a common interface. [`wasi_tree`] is the file tree around the guest's directories.

pub mod canonical;
pub mod component;
pub mod decode;
pub mod differential;
pub mod engines;
pub mod modules;
pub mod objects;
pub mod shape;
pub mod value;
pub mod wasi_paths;
pub mod wasi_tree;
