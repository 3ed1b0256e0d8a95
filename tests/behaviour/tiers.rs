//! Configurations, and the macro that makes a test for each of them. Test names end in the configuration's name, as in
//! `exit::a_trap_is_134::interp`.

/// A configuration: the options that choose it on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Tier(pub &'static [&'static str]);

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
                    on_tier($crate::tiers::Tier(&["--mode", "tiered"]));
                }
                #[test]
                #[cfg(feature = "jit")]
                fn tiered_at_once() {
                    on_tier($crate::tiers::Tier(&["--mode", "tiered", "-O", "tier-up-after=0"]));
                }
                #[test]
                #[cfg(feature = "jit")]
                fn jit() {
                    on_tier($crate::tiers::Tier(&["--mode", "jit"]));
                }
                #[test]
                fn interp() {
                    on_tier($crate::tiers::Tier(&["--mode", "interp"]));
                }
                #[test]
                fn interp_copied() {
                    on_tier($crate::tiers::Tier(&["--mode", "interp", "-O", "copy-and-patch-after=0"]));
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
