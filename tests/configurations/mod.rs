//! Configurations, for tests of what happens where they meet: every mode, and tunings that make functions change tier at once,
//! soon, or never.
//!
//! A test decides function by function with [`Body`]: in all configurations that compile, a body of more than
//! [`MAX_COMPILED_SIZE`] bytes stays interpreted, whatever calls it and whatever it calls. The first of [`configurations`] only
//! interprets; it is what the others are compared with.

use wasmr::{Config, Engine, Mode, Tuning};

/// Bytes of the largest body that is compiled.
pub const MAX_COMPILED_SIZE: usize = 1024;

/// Bytes of the largest body that is inlined for being small, and a few more.
const TOO_LARGE_TO_INLINE: usize = 130;

/// A configuration.
#[derive(Clone)]
pub struct Configuration {
    pub name: String,
    /// True if every called function is compiled unless it is too large. Then one call shows a fault.
    pub compiles_at_once: bool,
    pub config: Config,
}

impl Configuration {
    pub fn engine(&self) -> Engine {
        Engine::new(&self.config)
    }
}

/// Code at the start of a function's body that decides whether it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Compiled, and inlined where it is small.
    Small,
    /// Compiled by itself.
    Compiled,
    /// Interpreted.
    Interpreted,
}

impl Body {
    pub const ALL: [Body; 3] = [Body::Small, Body::Compiled, Body::Interpreted];

    /// Returns operators without effect that make a body this long.
    pub fn padding(self) -> String {
        "nop ".repeat(match self {
            Body::Small => 0,
            Body::Compiled => TOO_LARGE_TO_INLINE,
            Body::Interpreted => MAX_COMPILED_SIZE,
        })
    }
}

/// Returns all configurations, the interpreter first. They compile bodies of at most `max_compiled_size` bytes, which is nearly
/// always [`MAX_COMPILED_SIZE`].
pub fn configurations(max_compiled_size: usize) -> Vec<Configuration> {
    let configuration = |name: &str, mode: Mode, tuning: Tuning| {
        let mut config = Config::new();
        let compiles_at_once = match mode {
            Mode::Interp => false,
            #[cfg(feature = "jit")]
            Mode::Jit => true,
            #[cfg(feature = "jit")]
            Mode::Tiered => tuning.is_synchronous(),
        };
        config.mode(mode).tuning(Tuning { max_compiled_size, ..tuning });
        Configuration { name: name.to_string(), compiles_at_once, config }
    };
    #[cfg_attr(not(feature = "jit"), expect(unused_mut, reason = "nothing is compiled"))]
    let mut configurations = vec![
        configuration("interp", Mode::Interp, Tuning { copy_and_patch: false, ..Tuning::default() }),
        configuration("interp, copied", Mode::Interp, Tuning { copy_and_patch_after: 0, ..Tuning::default() }),
    ];
    #[cfg(feature = "jit")]
    {
        let at_once = Tuning { tier_up_after: 0, ..Tuning::default() };
        // In the background, at a place that is another one each time.
        let soon = Tuning {
            sample_every: 16,
            tier_up_after: 1,
            bytes_per_sample: u32::MAX,
            tier_up_delay: std::time::Duration::ZERO,
            loop_patience: 20,
            dual_entry_from: 0,
            ..Tuning::default()
        };
        configurations.extend([
            configuration("jit", Mode::Jit, Tuning::default()),
            configuration("tiered", Mode::Tiered, Tuning::default()),
            configuration("tiered, at once", Mode::Tiered, at_once.clone()),
            configuration("tiered, at once, dual entry", Mode::Tiered, Tuning { dual_entry_from: 0, ..at_once }),
            configuration("tiered, soon", Mode::Tiered, soon),
        ]);
    }
    configurations
}
