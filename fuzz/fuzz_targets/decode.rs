//! See [`wasmr_fuzz::decode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wasmr_fuzz::decode::run(data));
