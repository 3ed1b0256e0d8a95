//! See [`wasmr_fuzz::wasi_paths`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wasmr_fuzz::wasi_paths::run(data));
