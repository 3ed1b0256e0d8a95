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
