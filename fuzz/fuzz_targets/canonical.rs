//! See [`wasmr_fuzz::canonical`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Bytes that make no types are of no interest.
    let _ = wasmr_fuzz::canonical::run(data);
});
