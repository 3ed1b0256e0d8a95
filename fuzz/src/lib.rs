//! What the fuzz targets do with the bytes that they are given. The targets in `fuzz_targets/` only call in here, so that
//! `show` and a debugger can do the same.
//!
//! | file | in: bytes; out: a panic if |
//! |---|---|
//! | [`decode`] | the decoder panics, or contradicts itself |
//! | [`wasi_paths`] | a guest's file calls reach anything that was not granted |
//! | [`differential`] | a generated module means something else here than elsewhere |
//!
//! [`modules`] generates modules, and [`shape`] changes them; [`value`] has values and host functions that every engine under test agrees on;
//! [`engines`] makes engines look alike; [`wasi_tree`] is the file tree around the guest's directories.

pub mod decode;
pub mod differential;
pub mod engines;
pub mod modules;
pub mod shape;
pub mod value;
pub mod wasi_paths;
pub mod wasi_tree;
