//! wasmr: a standalone WebAssembly runtime that starts at once.
