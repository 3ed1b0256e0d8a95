//! [`Features`]: extensions of the processor. Operators that need one which is not there are left to their handlers.

use std::sync::OnceLock;

/// Extensions of the processor that code uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    pub(crate) lzcnt: bool,
    pub(crate) bmi: bool,
    pub(crate) bmi2: bool,
    pub(crate) popcnt: bool,
    pub(crate) sse41: bool,
    /// SSE4.2, and those before it.
    pub(crate) sse42: bool,
}

/// Returns the extensions of this processor.
pub(crate) fn features() -> Features {
    static FEATURES: OnceLock<Features> = OnceLock::new();
    *FEATURES.get_or_init(|| Features {
        lzcnt: is_x86_feature_detected!("lzcnt"),
        bmi: is_x86_feature_detected!("bmi1"),
        bmi2: is_x86_feature_detected!("bmi2"),
        popcnt: is_x86_feature_detected!("popcnt"),
        sse41: is_x86_feature_detected!("sse4.1"),
        sse42: is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1")
            && is_x86_feature_detected!("sse4.2"),
    })
}
