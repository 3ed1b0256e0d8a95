//! Cranelift's description of the host processor, with our settings.

use std::sync::OnceLock;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};

use crate::error::Unavailable;

/// Returns the host as a Cranelift target. The first call detects the processor's features, which takes some 100 µs.
///
/// # Errors
/// Returns an error if no machine code can be made for this host.
pub(crate) fn host() -> Result<OwnedTargetIsa, Unavailable> {
    static HOST: OnceLock<Result<OwnedTargetIsa, Unavailable>> = OnceLock::new();
    HOST.get_or_init(build).clone()
}

/// Settings that differ from Cranelift's defaults
/// (<https://docs.rs/cranelift-codegen/latest/cranelift_codegen/settings/struct.Flags.html>).
const SETTINGS: &[(&str, &str)] = &[
    ("opt_level", "speed"),
    // `frames.rs` walks along them.
    ("preserve_frame_pointers", "true"),
    ("unwind_info", "false"),
    ("is_pic", "false"),
    ("use_colocated_libcalls", "false"),
    // The prologue of a frame larger than the guard region below the stack touches each page of the frame.
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("probestack_size_log2", "16"),
    ("enable_llvm_abi_extensions", "false"),
    // `dispatch.rs` reads the blocks of the machine code.
    ("machine_code_cfg_info", "true"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

fn build() -> Result<OwnedTargetIsa, Unavailable> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Unavailable::Host("the compiler needs Linux on x86-64"));
    }
    let mut flags = settings::builder();
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|error| Unavailable::Compiler(format!("{name}: {error}")))?;
    }
    let builder = cranelift_native::builder().map_err(Unavailable::Host)?;
    let isa = builder.finish(settings::Flags::new(flags)).map_err(|error| Unavailable::Compiler(error.to_string()))?;
    // Without SSE 4.1, Cranelift makes rounding a call of a function of the host program, which may be too far away.
    let has_rounding = isa.isa_flags().iter().any(|flag| flag.name == "has_sse41" && flag.as_bool() == Some(true));
    if has_rounding { Ok(isa) } else { Err(Unavailable::Host("the processor has no SSE 4.1")) }
}

/// Declares the features of the processor that Cranelift may use: Cranelift's flag, and the name of the standard library.
macro_rules! features {
    ($($flag:literal $name:tt;)*) => {
        #[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
        const FLAGS: &[(&str, &str)] = &[$(($flag, $name),)*];

        /// Returns the names of the features of this processor that compiled code may use. Takes some nanoseconds for each, unlike
        /// the description of the host.
        pub fn processor_features() -> impl Iterator<Item = &'static str> {
            #[cfg(target_arch = "x86_64")]
            let features = [$((std::arch::is_x86_feature_detected!($name), $name),)*];
            #[cfg(not(target_arch = "x86_64"))]
            let features: [(bool, &'static str); 0] = [];
            features.into_iter().filter_map(|(is_there, name)| is_there.then_some(name))
        }
    };
}

features! {
    "has_cmpxchg16b" "cmpxchg16b";
    "has_sse3" "sse3";
    "has_ssse3" "ssse3";
    "has_sse41" "sse4.1";
    "has_sse42" "sse4.2";
    "has_popcnt" "popcnt";
    "has_avx" "avx";
    "has_avx2" "avx2";
    "has_fma" "fma";
    "has_bmi1" "bmi1";
    "has_bmi2" "bmi2";
    "has_avx512bitalg" "avx512bitalg";
    "has_avx512dq" "avx512dq";
    "has_avx512f" "avx512f";
    "has_avx512vl" "avx512vl";
    "has_avx512vbmi" "avx512vbmi";
    "has_avx512vnni" "avx512vnni";
    "has_avx_vnni" "avxvnni";
    "has_lzcnt" "lzcnt";
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_processor_has_its_row() {
        let mut expected = Vec::new();
        for flag in host().unwrap().isa_flags() {
            if flag.name.starts_with("has_") && flag.as_bool() == Some(true) {
                let row = FLAGS.iter().find(|(other, _)| *other == flag.name);
                expected.push(row.unwrap_or_else(|| panic!("there is no row for {}", flag.name)).1);
            }
        }
        let mut features: Vec<_> = processor_features().collect();
        features.sort_unstable();
        expected.sort_unstable();
        assert_eq!(features, expected);
    }
}
