//! See [`wasmr_fuzz::component`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wasmr_fuzz::component::run(data));
