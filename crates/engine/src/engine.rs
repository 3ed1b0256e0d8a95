//! [`Engine`]: the part that all modules and stores of one embedding share: types, configuration, tiers, compiler.

use std::sync::Arc;

use wasmr_cache::{Container, FileState};
use wasmr_core::registry::TypeRegistry;
use wasmr_interp::{CodeOptions, InterpTier, ModuleCode};
#[cfg(feature = "component")]
use wasmr_module::ModuleBytes;
use wasmr_runtime::StoreConfig;
use wasmr_runtime::limits::MemoryStrategy;
use wasmr_runtime::tier::{Executable, Tier};

use crate::cache_key::CacheKey;
#[cfg(feature = "jit")]
use crate::compiler::Compiler;
use crate::config::Config;
use crate::knowledge::Knowledge;
use crate::modes::Mode;
#[cfg(feature = "component")]
use crate::module_cache::ComponentCache;
use crate::module_cache::ModuleCache;
#[cfg(feature = "jit")]
use crate::module_tiers::{CompileTask, ModuleTiers};
use crate::report::TierReport;
#[cfg(feature = "jit")]
use crate::tier::Tiers;
use crate::tuning::SAMPLED_FRAMES;

/// The context that modules and stores share. Cloning is cheap: all clones are one engine.
///
/// # Examples
/// ```
/// use wasmr::{Config, Engine, Instance, Mode, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // One for the whole process, as a rule.
/// let engine = Engine::new(Config::new().mode(Mode::Interp).max_memory(64 << 20));
/// let module = Module::new(&engine, "(module (memory 2000))")?;
/// let refused = Instance::new(&mut Store::new(&engine, ()), &module, &[]).unwrap_err();
/// assert!(refused.to_string().contains("exceeds the limit"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    config: Config,
    types: Arc<TypeRegistry>,
    tier: Arc<dyn Tier>,
    #[cfg(feature = "jit")]
    compiler: Arc<Compiler<CompileTask>>,
}

impl Engine {
    /// Creates an engine with this configuration.
    pub fn new(config: &Config) -> Engine {
        let tier: Arc<dyn Tier> = match config.mode {
            Mode::Interp => Arc::new(InterpTier::new()),
            #[cfg(feature = "jit")]
            Mode::Tiered | Mode::Jit => Arc::new(Tiers::new()),
        };
        Engine(Arc::new(Shared {
            config: config.clone(),
            types: Arc::new(TypeRegistry::new()),
            tier,
            #[cfg(feature = "jit")]
            compiler: Arc::new(Compiler::new(config)),
        }))
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns true if the engine keeps what it learns in a cache.
    pub fn has_cache(&self) -> bool {
        self.0.config.cache.is_some()
    }

    /// Returns the largest permitted size of a module, in bytes.
    pub fn max_module_size(&self) -> u64 {
        self.0.config.max_module_size
    }

    /// Returns the mode of execution.
    pub fn mode(&self) -> Mode {
        self.0.config.mode
    }

    /// Returns the type registry of all modules of the engine.
    pub fn types(&self) -> &Arc<TypeRegistry> {
        &self.0.types
    }

    /// Returns a report of the compilations so far.
    #[cfg(feature = "jit")]
    pub fn report(&self) -> TierReport {
        self.0.compiler.report()
    }

    /// Returns an empty report: this build has no compiler.
    #[cfg(not(feature = "jit"))]
    pub fn report(&self) -> TierReport {
        TierReport { unavailable: Some("this build has no compiler".to_owned()), ..TierReport::default() }
    }

    /// Looks for a module in the cache; `None` if there is no cache, or no key for its entries.
    pub(crate) fn find_in_cache(&self, binary: &[u8], file: Option<&FileState>) -> Option<ModuleCache> {
        let config = self.config();
        let cache = config.cache.clone()?;
        let key = CacheKey::new(config)?.after_types(self.types().len());
        Some(ModuleCache::find(cache, key, binary, file))
    }

    /// Looks for a component in the cache; `None` if there is no cache, or no key for its entries.
    #[cfg(feature = "component")]
    pub(crate) fn find_component(&self, bytes: &ModuleBytes, file: Option<&FileState>) -> Option<ComponentCache> {
        let config = self.config();
        let cache = config.cache.clone()?;
        let key = CacheKey::new(config)?.after_types(self.types().len());
        Some(ComponentCache::new(cache, key, bytes, file))
    }

    /// Creates the code of a module. `entry` has what earlier processes learnt of it, and `cached` is its place in the cache.
    pub(crate) fn code(
        &self,
        module: Arc<wasmr_module::Module>,
        #[cfg_attr(not(feature = "jit"), expect(unused_variables, reason = "only compiled code is loaded"))]
        entry: Option<Arc<Container>>,
        cached: Option<ModuleCache>,
    ) -> Code {
        let Config { metered, canonical_nans, tuning, mode, .. } = &self.0.config;
        let options = CodeOptions {
            metered: *metered,
            canonical_nans: *canonical_nans,
            baseline: tuning.baseline_when(),
            budget: tuning.budget_in(*mode),
            initial_budget: tuning.initial_budget_in(*mode),
            sampled_frames: SAMPLED_FRAMES,
            sample_weight: tuning.sample_weight(),
        };
        let interp = ModuleCode::with_options(module, options);
        match mode {
            Mode::Interp => Code { executable: interp.clone(), knowledge: Knowledge::new(interp, cached) },
            #[cfg(feature = "jit")]
            Mode::Tiered | Mode::Jit => {
                let ahead_of_first_call = *mode == Mode::Jit;
                let tiers = ModuleTiers::new(interp.clone(), self.0.compiler.clone(), ahead_of_first_call, entry);
                Code { executable: tiers.clone(), knowledge: Knowledge::with_tiers(interp, cached, tiers) }
            }
        }
    }
}

/// The code of a module.
pub(crate) struct Code {
    /// The owner of all code.
    pub executable: Arc<dyn Executable>,
    pub knowledge: Arc<Knowledge>,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(&Config::default())
    }
}

/// Configures a store of this engine, with the engine's default limits.
impl From<&Engine> for StoreConfig {
    fn from(engine: &Engine) -> StoreConfig {
        let Shared { config, types, tier, .. } = &*engine.0;
        let memory = if wasmr_interp::MAY_FAULT { config.memory } else { MemoryStrategy::Checked };
        let metered = config.metered;
        let gc_stress = config.tuning.gc_stress;
        StoreConfig {
            registry: types.clone(),
            tier: tier.clone(),
            limits: config.limits,
            memory,
            metered,
            gc_stress,
            usage: None,
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", self.config()).finish_non_exhaustive()
    }
}
