//! [`Config`]: settings that change behaviour. They are fixed once an [`Engine`](crate::Engine) is made of them.

use std::sync::Arc;

use wasmr_cache::Cache;
use wasmr_core::limits::DEFAULT_MAX_MODULE_SIZE;
use wasmr_core::types::MemoryType;
use wasmr_module::{Feature, Features};
use wasmr_runtime::limits::{MemoryStrategy, StoreLimits};

use crate::modes::Mode;
use crate::report::{Observer, TierEvent};
use crate::tuning::Tuning;

/// Settings of an engine. Methods chain: `config.mode(…).max_memory(…)`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) features: Features,
    pub(crate) mode: Mode,
    pub(crate) memory: MemoryStrategy,
    pub(crate) limits: StoreLimits,
    pub(crate) max_module_size: u64,
    pub(crate) metered: bool,
    pub(crate) canonical_nans: bool,
    pub(crate) spectre_guards: bool,
    pub(crate) tuning: Tuning,
    pub(crate) observer: Option<Observer>,
    pub(crate) cache: Option<Arc<Cache>>,
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
            canonical_nans: false,
            spectre_guards: true,
            tuning: Tuning::default(),
            observer: None,
            cache: None,
        }
    }
}

impl Config {
    /// Creates the default configuration: all of Wasm 3.0, the default mode, the default limits.
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets the features that modules may use.
    pub fn features(&mut self, features: Features) -> &mut Config {
        self.features = features;
        self
    }

    /// Switches one feature on, with those that it implies, or off, with those that imply it.
    pub fn feature(&mut self, feature: Feature, on: bool) -> &mut Config {
        self.features.set(feature, on);
        self
    }

    /// Sets the mode of execution.
    pub fn mode(&mut self, mode: Mode) -> &mut Config {
        self.mode = mode;
        self
    }

    /// Sets the choice of guard-paged memories, in which faults replace bounds checks.
    pub fn memory_strategy(&mut self, strategy: MemoryStrategy) -> &mut Config {
        self.memory = strategy;
        self
    }

    /// Sets the limits of new stores.
    pub fn limits(&mut self, limits: StoreLimits) -> &mut Config {
        self.limits = limits;
        self
    }

    /// Limits the total size of all linear memories of a store, in bytes.
    pub fn max_memory(&mut self, bytes: u64) -> &mut Config {
        self.limits.max_memory_bytes = bytes;
        self
    }

    /// Sets the size in bytes of the stack for the guest's calls. A call that does not fit traps with "call stack exhausted".
    ///
    /// `bytes` counts the interpreter's frames: 32 bytes for each call, and 8 for each argument, local and waiting operand, or
    /// 16 for a vector. Compiled code, some of whose frames are larger, has a second stack of one and a half times as many
    /// bytes. The possible depth of calls is therefore about the same in all modes: it differs by a factor of at most 3, for
    /// frames of up to some 80 KiB. Compiled code of a large function with many locals may nest some 7 times as deep, if it
    /// needs few of the locals after a call. The exact depth depends on the mode, and in mode `tiered` on the time at which
    /// functions are compiled. A stack takes memory only as far as it is used. Both stacks together never take more than two
    /// and a half times `bytes`, plus 1 MiB for host functions.
    pub fn max_stack(&mut self, bytes: usize) -> &mut Config {
        self.limits.max_stack_bytes = bytes;
        self
    }

    /// Limits the total number of elements of all tables of a store.
    pub fn max_table_elements(&mut self, count: u64) -> &mut Config {
        self.limits.max_table_elements = count;
        self
    }

    /// Limits the number of instances of a store.
    pub fn max_instances(&mut self, count: usize) -> &mut Config {
        self.limits.max_instances = count;
        self
    }

    /// Limits the heap of structs, arrays, exceptions and values of the host of a store, in bytes, at most 4 GiB. An allocation
    /// that does not fit after a collection traps with "garbage-collected heap is full".
    pub fn max_gc_heap(&mut self, bytes: usize) -> &mut Config {
        self.limits.max_gc_heap_bytes = bytes;
        self
    }

    /// Limits the size of a module, in bytes. A larger module is refused unread.
    pub fn max_module_size(&mut self, bytes: u64) -> &mut Config {
        self.max_module_size = bytes;
        self
    }

    /// Enables or disables fuel, which bounds execution deterministically. `set_fuel` gives fuel to a store.
    pub fn consume_fuel(&mut self, on: bool) -> &mut Config {
        self.metered = on;
        self
    }

    /// Enables or disables canonical NaNs: the result of a float operator is then never a NaN with other bits than
    /// `0x7fc00000` or `0x7ff8000000000000`. Results do not depend on the processor any more. Off by default.
    pub fn nan_canonicalization(&mut self, on: bool) -> &mut Config {
        self.canonical_nans = on;
        self
    }

    /// Enables or disables the mitigation of Spectre v1 in compiled code: a processor that mispredicts a bounds check then uses
    /// no out-of-bounds value. On by default.
    pub fn spectre_guards(&mut self, on: bool) -> &mut Config {
        self.spectre_guards = on;
        self
    }

    /// Sets the observer of compilations. Compiler threads and threads that run guests call it, and wait until it returns.
    pub fn observe(&mut self, observer: impl Fn(&TierEvent<'_>) + Send + Sync + 'static) -> &mut Config {
        self.observer = Some(Observer(Arc::new(observer)));
        self
    }

    /// Sets the cache in which the engine keeps what it learns of modules, for later processes. There is none by default.
    ///
    /// A module that is in the cache is not validated again, and its machine code runs from the first call on. What a process
    /// learns is stored when the last clone of the module is dropped. The cache is best effort: an entry that is missing or damaged,
    /// or belongs to another build of wasmr, costs only time.
    ///
    /// Machine code in the cache is executed, so whoever can write the directory can do what this process can. The cache uses a
    /// directory only if it belongs to the effective user and nobody else can write it.
    pub fn cache(&mut self, cache: Option<Arc<Cache>>) -> &mut Config {
        self.cache = cache;
        self
    }

    /// Sets the policy that changes only speed.
    pub fn tuning(&mut self, tuning: Tuning) -> &mut Config {
        self.tuning = tuning;
        self
    }

    /// Returns true if memory 0 of the module's instances is guard-paged, provided that the system has room for the reservation.
    pub(crate) fn may_guard_memory0(&self, module: &wasmr_module::Module) -> bool {
        let allowed = self.memory == MemoryStrategy::Guarded && wasmr_interp::MAY_FAULT;
        allowed && module.memories().first().is_some_and(MemoryType::may_be_guarded)
    }
}
