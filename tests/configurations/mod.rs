//! Configurations for tests of tier transitions: every mode, and tunings by which functions change tier at their first
//! execution, soon after it, or never.
//!
//! A test chooses the tier of each function with [`Body`]: in all configurations that compile, a body of more than
//! [`MAX_COMPILED_SIZE`] bytes stays interpreted, whatever calls it and whatever it calls. The first of [`configurations`]
//! only interprets, and tests compare the others with it.

use wasmr::{Config, Engine, Feature, Features, Mode, Tuning};

/// Size in bytes of the largest body that is compiled.
pub const MAX_COMPILED_SIZE: usize = 1024;

/// Size in bytes of a body that is just too large to be inlined for being small.
const TOO_LARGE_TO_INLINE: usize = 130;

/// A mode with its tuning.
#[derive(Clone)]
pub struct Configuration {
    pub name: String,
    /// True if every function that is not too large is compiled before its first execution, so that one call shows a fault.
    pub compiles_at_once: bool,
    pub config: Config,
    /// Tuning of the engine, in place of that of `config`.
    pub tuning: Tuning,
}

impl Configuration {
    pub fn engine(&self) -> Engine {
        let mut config = self.config.clone();
        Engine::new(config.tuning(self.tuning.clone()))
    }
}

/// Treatment of a function, chosen by the padding at the start of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Compiled, and inlined if its body is small.
    Small,
    /// Compiled, and never inlined.
    Compiled,
    /// Interpreted.
    Interpreted,
}

impl Body {
    pub const ALL: [Body; 3] = [Body::Small, Body::Compiled, Body::Interpreted];

    /// Returns operators without effect that make a body long enough for this treatment.
    pub fn padding(self) -> String {
        "nop ".repeat(match self {
            Body::Small => 0,
            Body::Compiled => TOO_LARGE_TO_INLINE,
            Body::Interpreted => MAX_COMPILED_SIZE,
        })
    }
}

/// Returns all configurations, the interpreter first. They compile bodies of at most `max_compiled_size` bytes. Nearly all
/// tests pass [`MAX_COMPILED_SIZE`].
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
        let tuning = Tuning { max_compiled_size, ..tuning };
        config.mode(mode).tuning(tuning.clone());
        config.features(Features::default().with(Feature::LegacyExceptions, true));
        Configuration { name: name.to_string(), compiles_at_once, config, tuning }
    };
    #[cfg_attr(not(feature = "jit"), expect(unused_mut, reason = "nothing is compiled"))]
    let mut configurations = vec![
        configuration("interp", Mode::Interp, Tuning { baseline: false, ..Tuning::default() }),
        configuration("interp, baseline", Mode::Interp, Tuning { baseline_after: 0, ..Tuning::default() }),
    ];
    #[cfg(feature = "jit")]
    {
        let at_once = Tuning { tier_up_after: 0, ..Tuning::default() };
        // Compiles in the background, so that machine code takes over at another point of the program in each run.
        let soon = Tuning {
            sample_every: 16,
            tier_up_after: 1,
            bytes_per_sample: u32::MAX,
            tier_up_delay: std::time::Duration::ZERO,
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
