//! See [`wasmr_fuzz::objects`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Bytes that make no program are of no interest.
    let _ = wasmr_fuzz::objects::run::run(data);
});
