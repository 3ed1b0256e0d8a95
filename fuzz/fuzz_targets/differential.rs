//! See [`wasmr_fuzz::differential`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Bytes that make no module are of no interest.
    let _ = wasmr_fuzz::differential::run(data);
});
