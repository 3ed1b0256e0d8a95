//! Ways to execute, for tests of what happens where they meet: every mode, and tunings that make functions change tier at once,
//! soon, or never.
//!
//! A test decides function by function with [`Body`]: in all ways that compile, a body of more than [`MAX_COMPILED_SIZE`] bytes
//! stays interpreted, whatever calls it and whatever it calls. The first of [`ways`] only interprets; it is what the others are
//! compared with.

use wasmr::{Config, Engine, Mode, Tuning};

/// Bytes of the largest body that is compiled.
pub const MAX_COMPILED_SIZE: usize = 1024;

/// Bytes of the largest body that is inlined for being small, and a few more.
const TOO_LARGE_TO_INLINE: usize = 130;

/// A way to execute.
#[derive(Clone)]
pub struct Way {
    pub name: String,
    /// Whether a function that is called is compiled, unless it is too large: where one call shows something.
    pub compiles_at_once: bool,
    pub config: Config,
}

impl Way {
    pub fn engine(&self) -> Engine {
        Engine::new(&self.config)
    }
}

/// What a function's body becomes: put it at the start of one.
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

    /// The operators that make it so, and do nothing.
    pub fn padding(self) -> String {
        "nop ".repeat(match self {
            Body::Small => 0,
            Body::Compiled => TOO_LARGE_TO_INLINE,
            Body::Interpreted => MAX_COMPILED_SIZE,
        })
    }
}

/// All of them, the interpreter first, where bodies of so many bytes are compiled at most: nearly always [`MAX_COMPILED_SIZE`].
pub fn ways(max_compiled_size: usize) -> Vec<Way> {
    let way = |name: &str, mode: Mode, tuning: Tuning| {
        let mut config = Config::new();
        let compiles_at_once = match mode {
            Mode::Interp => false,
            #[cfg(feature = "jit")]
            Mode::Jit => true,
            #[cfg(feature = "jit")]
            Mode::Tiered => tuning.tiers_up_at_once(),
        };
        config.mode(mode).tuning(Tuning { max_compiled_size, ..tuning });
        Way { name: name.to_string(), compiles_at_once, config }
    };
    #[cfg_attr(not(feature = "jit"), expect(unused_mut, reason = "nothing is compiled"))]
    let mut ways = vec![
        way("interp", Mode::Interp, Tuning { copy_and_patch: false, ..Tuning::default() }),
        way("interp, copied", Mode::Interp, Tuning { copy_and_patch_after: 0, ..Tuning::default() }),
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
            one_code_from: 0,
            ..Tuning::default()
        };
        ways.extend([
            way("jit", Mode::Jit, Tuning::default()),
            way("tiered", Mode::Tiered, Tuning::default()),
            way("tiered, at once", Mode::Tiered, at_once.clone()),
            way("tiered, at once, one code", Mode::Tiered, Tuning { one_code_from: 0, ..at_once }),
            way("tiered, soon", Mode::Tiered, soon),
        ]);
    }
    ways
}
