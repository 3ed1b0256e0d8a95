//! The processor that code is made for: the one at hand.

use std::sync::OnceLock;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};

use crate::error::Unavailable;

/// The host as a target. Asked for the first time it looks at the processor, which takes some 100 µs.
///
/// # Errors
/// If this host is none that code can be made for.
pub(crate) fn host() -> Result<OwnedTargetIsa, Unavailable> {
    static HOST: OnceLock<Result<OwnedTargetIsa, Unavailable>> = OnceLock::new();
    HOST.get_or_init(build).clone()
}

/// Settings that differ from Cranelift's.
const SETTINGS: &[(&str, &str)] = &[
    ("opt_level", "speed"),
    // The frame walker follows them.
    ("preserve_frame_pointers", "true"),
    ("unwind_info", "false"),
    ("is_pic", "false"),
    ("use_colocated_libcalls", "false"),
    // Frames larger than the guard below the stack touch each page of it.
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("probestack_size_log2", "16"),
    ("enable_llvm_abi_extensions", "false"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

fn build() -> Result<OwnedTargetIsa, Unavailable> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Unavailable::Host("no machine code is made for this system yet"));
    }
    let mut flags = settings::builder();
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|error| Unavailable::Compiler(format!("{name}: {error}")))?;
    }
    let builder = cranelift_native::builder().map_err(Unavailable::Host)?;
    let isa = builder.finish(settings::Flags::new(flags)).map_err(|error| Unavailable::Compiler(error.to_string()))?;
    // Without these, rounding would be calls of functions that may be out of reach.
    let has_rounding = isa.isa_flags().iter().any(|flag| flag.name == "has_sse41" && flag.as_bool() == Some(true));
    if has_rounding { Ok(isa) } else { Err(Unavailable::Host("the processor has no SSE 4.1")) }
}
