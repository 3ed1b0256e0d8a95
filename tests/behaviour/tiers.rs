//! Configurations, and the macro that makes a test for each of them. Test names end in the configuration's name, as in
//! `exit::a_trap_is_134::interp`.

/// A configuration: the options that choose it on the command line, and the directory of the cache.
#[derive(Clone, Copy, Debug)]
pub struct Tier(pub &'static [&'static str], pub &'static str);

/// Directory of the cache for runs without one. There can be none: no run sees the user's cache or what another run left.
pub const NO_CACHE: &str = "/dev/null";

/// Directory of a cache that all runs share. The first run of a guest leaves its code there, and later ones execute that.
#[cfg(feature = "jit")]
pub const CODE_OF_GUESTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/code-of-guests");

/// Declares tests that run on every tier: `on_every_tier! { fn name(tier) { … } }`.
///
/// A new mode needs a function here and an entry in [`TIERS`]. [`every_mode_has_its_tests`] fails without the entry.
macro_rules! on_every_tier {
    ($($(#[$meta:meta])* fn $name:ident($tier:ident) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;
                fn on_tier($tier: $crate::tiers::Tier) $body
                #[test]
                #[cfg(feature = "jit")]
                fn tiered() {
                    on_tier($crate::tiers::Tier(&["--mode", "tiered"], $crate::tiers::NO_CACHE));
                }
                #[test]
                #[cfg(feature = "jit")]
                fn tiered_at_once() {
                    on_tier($crate::tiers::Tier(&["--mode", "tiered", "-O", "tier-up-after=0"], $crate::tiers::NO_CACHE));
                }
                #[test]
                #[cfg(feature = "jit")]
                fn jit() {
                    on_tier($crate::tiers::Tier(&["--mode", "jit"], $crate::tiers::NO_CACHE));
                }
                #[test]
                #[cfg(feature = "jit")]
                fn jit_cached() {
                    on_tier($crate::tiers::Tier(&["--mode", "jit"], $crate::tiers::CODE_OF_GUESTS));
                }
                #[test]
                fn interp() {
                    on_tier($crate::tiers::Tier(&["--mode", "interp"], $crate::tiers::NO_CACHE));
                }
                #[test]
                fn interp_baseline() {
                    on_tier($crate::tiers::Tier(&["--mode", "interp", "-O", "baseline-after=0"], $crate::tiers::NO_CACHE));
                }
            }
        )*
    };
}
pub(crate) use on_every_tier;

/// The modes in the macro above.
const TIERS: &[&str] = if cfg!(feature = "jit") { &["tiered", "jit", "interp"] } else { &["interp"] };

#[test]
fn every_mode_has_its_tests() {
    let modes: Vec<&str> = wasmr::Mode::ALL.iter().map(|mode| mode.name()).collect();
    assert_eq!(modes, TIERS, "a mode without a line in `on_every_tier!` is a mode without tests");
}
