//! [`Engine`]: what all modules and stores of one embedding share: types, configuration, the tier.

use std::sync::Arc;

use wasmr_core::registry::TypeRegistry;
use wasmr_interp::{CodeOptions, InterpTier, ModuleCode};
use wasmr_runtime::LoadedModule;
use wasmr_runtime::limits::MemoryStrategy;
use wasmr_runtime::store::StoreConfig;
use wasmr_runtime::tier::Tier;

use crate::config::Config;
use crate::modes::Mode;

/// Makes modules and stores. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    config: Config,
    types: Arc<TypeRegistry>,
    tier: Arc<dyn Tier>,
}

impl Engine {
    /// An engine with this configuration.
    pub fn new(config: &Config) -> Engine {
        let tier: Arc<dyn Tier> = match config.mode {
            Mode::Interp => Arc::new(InterpTier::new()),
        };
        Engine(Arc::new(Shared { config: config.clone(), types: Arc::new(TypeRegistry::new()), tier }))
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Bytes that a module may have.
    pub fn max_module_size(&self) -> u64 {
        self.0.config.max_module_size
    }

    /// How it executes.
    pub fn mode(&self) -> Mode {
        self.0.config.mode
    }

    /// Where the types of its modules are interned.
    pub fn types(&self) -> &Arc<TypeRegistry> {
        &self.0.types
    }

    fn code_options(&self) -> CodeOptions {
        let Config { metered, tuning, .. } = &self.0.config;
        CodeOptions {
            metered: *metered,
            stitch_after: tuning.stitch.then_some(tuning.stitch_after),
            ..CodeOptions::default()
        }
    }

    /// Gives a module the code that its functions are born with.
    pub(crate) fn load(&self, module: Arc<wasmr_module::Module>) -> LoadedModule {
        let code = match self.mode() {
            Mode::Interp => ModuleCode::with_options(module.clone(), self.code_options()),
        };
        LoadedModule { module, code }
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(&Config::default())
    }
}

/// A store of this engine, with its default limits.
impl From<&Engine> for StoreConfig {
    fn from(engine: &Engine) -> StoreConfig {
        let Shared { config, types, tier } = &*engine.0;
        let memory = if wasmr_interp::MAY_FAULT { config.memory } else { MemoryStrategy::Checked };
        StoreConfig { registry: types.clone(), tier: tier.clone(), limits: config.limits, memory }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", self.config()).finish_non_exhaustive()
    }
}
