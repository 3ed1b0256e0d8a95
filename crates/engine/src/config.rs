//! Knobs that change behaviour. Set before an [`Engine`](crate::Engine) is made, fixed afterwards.

use std::sync::Arc;

use wasmr_core::limits::DEFAULT_MAX_MODULE_SIZE;
use wasmr_module::{Feature, Features};
use wasmr_runtime::limits::{MemoryStrategy, StoreLimits};

use crate::modes::Mode;
use crate::report::{Observer, TierEvent};
use crate::tuning::Tuning;

/// The knobs. Methods chain: `config.mode(…).max_memory(…)`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) features: Features,
    pub(crate) mode: Mode,
    pub(crate) memory: MemoryStrategy,
    pub(crate) limits: StoreLimits,
    pub(crate) max_module_size: u64,
    pub(crate) metered: bool,
    pub(crate) spectre_guards: bool,
    pub(crate) tuning: Tuning,
    pub(crate) observer: Option<Observer>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Features::default(),
            mode: Mode::default(),
            memory: MemoryStrategy::default(),
            limits: StoreLimits::default(),
            max_module_size: DEFAULT_MAX_MODULE_SIZE,
            metered: false,
            spectre_guards: true,
            tuning: Tuning::default(),
            observer: None,
        }
    }
}

impl Config {
    /// The defaults: all of Wasm 3.0, the default mode, the default limits.
    pub fn new() -> Config {
        Config::default()
    }

    /// Which modules are valid.
    pub fn features(&mut self, features: Features) -> &mut Config {
        self.features = features;
        self
    }

    /// Switches one feature, and those that go with it.
    pub fn feature(&mut self, feature: Feature, on: bool) -> &mut Config {
        self.features.set(feature, on);
        self
    }

    /// How to execute.
    pub fn mode(&mut self, mode: Mode) -> &mut Config {
        self.mode = mode;
        self
    }

    /// Which memories get a reservation in which faults stand in for checks.
    pub fn memory_strategy(&mut self, strategy: MemoryStrategy) -> &mut Config {
        self.memory = strategy;
        self
    }

    /// What a new store lets its guests take.
    pub fn limits(&mut self, limits: StoreLimits) -> &mut Config {
        self.limits = limits;
        self
    }

    /// Bytes that all linear memories of a store may have together.
    pub fn max_memory(&mut self, bytes: u64) -> &mut Config {
        self.limits.max_memory_bytes = bytes;
        self
    }

    /// Bytes of the stack for the guest's calls, which trap with "call stack exhausted" beyond it.
    ///
    /// This counts frames of the interpreter: 32 bytes for each call, 8 for each argument, local and waiting operand, 16 if that
    /// is a vector. Machine code has a second stack of half as many bytes again and frames to match, so that calls get about as
    /// deep: by a factor of 3 at most, in all modes, for frames of up to some 80 KiB. A large function with many locals of which
    /// it needs few after a call may get some 7 times as deep in machine code. The exact depth depends on the mode, and in mode
    /// `tiered` on when functions are compiled. Memory is taken as far as a stack is used; both together never take more than
    /// two and a half times `bytes`, and 1 MiB for host functions.
    pub fn max_stack(&mut self, bytes: usize) -> &mut Config {
        self.limits.max_stack_bytes = bytes;
        self
    }

    /// Elements that all tables of a store may have together.
    pub fn max_table_elements(&mut self, count: u64) -> &mut Config {
        self.limits.max_table_elements = count;
        self
    }

    /// Instances that a store may make.
    pub fn max_instances(&mut self, count: usize) -> &mut Config {
        self.limits.max_instances = count;
        self
    }

    /// Bytes that a module may have; more are refused before anything looks at them.
    pub fn max_module_size(&mut self, bytes: u64) -> &mut Config {
        self.max_module_size = bytes;
        self
    }

    /// Whether guests use up fuel, which a store is given by `set_fuel`: as deterministic a limit on execution as there is.
    pub fn consume_fuel(&mut self, on: bool) -> &mut Config {
        self.metered = on;
        self
    }

    /// Whether compiled code keeps a processor that guesses wrong about a bounds check from using what is out of bounds. On by
    /// default.
    pub fn spectre_guards(&mut self, on: bool) -> &mut Config {
        self.spectre_guards = on;
        self
    }

    /// Who is told what is compiled and what is not, as it happens. Called by the threads that compile and by those that run guests,
    /// which wait for it.
    pub fn observe(&mut self, observer: impl Fn(&TierEvent<'_>) + Send + Sync + 'static) -> &mut Config {
        self.observer = Some(Observer(Arc::new(observer)));
        self
    }

    /// Knobs that change only speed.
    pub fn tuning(&mut self, tuning: Tuning) -> &mut Config {
        self.tuning = tuning;
        self
    }
}
