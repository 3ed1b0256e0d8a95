//! Shared by the benches of this crate: one small guest, and the same few steps for every runtime that is measured.
//!
//! [`Runtime`] is the list of steps: prepare a module and its imports once, make instances of it, call exports. Each
//! runtime implements it with its plainest API, so that the same bench, monomorphised, measures all of them.
#![forbid(unsafe_code)]

use std::path::PathBuf;

#[cfg(feature = "wasmi")]
mod wasmi;
mod wasmr;
#[cfg(feature = "wasmtime")]
mod wasmtime;

#[cfg(feature = "wasmi")]
pub use self::wasmi::Wasmi;
pub use self::wasmr::{Wasmr, WasmrInterp};
#[cfg(feature = "wasmtime")]
pub use self::wasmtime::Wasmtime;

/// Returns the programs for benches of real code, by name. Prints the names of those that were not fetched, and omits them.
pub fn programs() -> Vec<(&'static str, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fetched = std::env::var_os("WASMR_PROGRAMS").map_or(root.join("target/programs"), PathBuf::from);
    let places = [("quickjs", fetched.join("quickjs.wasm")), ("coremark", root.join("tests/guests/coremark.wasm"))];
    let there = places.into_iter().filter_map(|(name, path)| match std::fs::read(&path) {
        Ok(bytes) => Some((name, bytes)),
        Err(error) => {
            eprintln!("skipped {name}: {error} (scripts/fetch-programs.sh)");
            None
        }
    });
    there.collect()
}

/// The measured steps of one runtime. All called exports take and return one `i32`.
pub trait Runtime {
    /// Name in the results.
    const NAME: &'static str;
    /// An engine, a module and its imports, ready to make instances.
    type Prepared;
    /// Owner of instances.
    type Store;
    /// An export with its type compared.
    type Func;

    /// Prepares a binary module.
    fn prepare(binary: &[u8]) -> Self::Prepared;
    /// Makes a store for many instances.
    fn store(prepared: &Self::Prepared) -> Self::Store;
    /// Instantiates in `store` and looks up an export.
    fn export(prepared: &Self::Prepared, store: &mut Self::Store, name: &str) -> Self::Func;
    /// Calls an export.
    fn call(store: &mut Self::Store, func: &Self::Func, argument: i32) -> i32;
}

/// The guest: calls, a host function, and kernels of each kind.
pub fn guest() -> Vec<u8> {
    wat::parse_str(include_str!("guest.wat")).expect("the guest is well formed")
}

/// Returns a guest like a plug-in: two functions, a table, a global, and, if `memory`, a memory with some data.
pub fn plugin(memory: bool) -> Vec<u8> {
    let memory = if memory { r#"(memory (export "memory") 1) (data (i32.const 16) "a plug-in's data")"# } else { "" };
    wat::parse_str(format!(
        r#"(module
            (import "host" "add" (func $host (param i32 i32) (result i32)))
            {memory}
            (table 4 funcref) (elem (i32.const 0) $run $twice)
            (global $g (mut i32) (i32.const 7))
            (func $run (export "run") (param i32) (result i32)
                (global.set $g (i32.add (global.get $g) (local.get 0))) (global.get $g))
            (func $twice (export "twice") (param i32) (result i32)
                (call $host (local.get 0) (local.get 0))))"#
    ))
    .expect("the plug-in is well formed")
}
