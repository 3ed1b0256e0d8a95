//! [`Knowledge`]: the part of a module that outlives the process. It decides when that is worth an entry in the cache, and makes the
//! entry.
//!
//! # When is an entry written?
//! The first time, if the module takes noticeable time to validate, has machine code, or has a function with a second sample. Later, if
//! there is new code, or if this run has an eighth of the samples in the entry: functions without code may then have become worth
//! compiling. The entry of a program that runs a thousand times without new code is therefore written some fifty times.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;

use wasmr_cache::Builder;
use wasmr_interp::ModuleCode;

use crate::config::Config;
use crate::module_cache::{ModuleCache, OUTLINE};
#[cfg(feature = "jit")]
use crate::module_tiers::ModuleTiers;
use crate::precompile::{Precompile, PrecompileError, PrecompiledFunctions};

/// Bytes of a module from which on its validation alone is worth an entry: it takes 0.2 ms or more.
const WORTH_AN_OUTLINE: usize = 16 << 10;

/// The code of a module, and its place in the cache.
pub(crate) struct Knowledge {
    interp: Arc<ModuleCode>,
    cached: Option<ModuleCache>,
    /// `None` in a mode that only interprets.
    #[cfg(feature = "jit")]
    tiers: Option<Arc<ModuleTiers>>,
}

impl Knowledge {
    /// Returns the knowledge of a module that is only interpreted.
    pub(crate) fn new(interp: Arc<ModuleCode>, cached: Option<ModuleCache>) -> Arc<Knowledge> {
        Arc::new(Knowledge {
            interp,
            cached,
            #[cfg(feature = "jit")]
            tiers: None,
        })
    }

    /// Returns the knowledge of a module that is also compiled.
    #[cfg(feature = "jit")]
    pub(crate) fn with_tiers(
        interp: Arc<ModuleCode>,
        cached: Option<ModuleCache>,
        tiers: Arc<ModuleTiers>,
    ) -> Arc<Knowledge> {
        Arc::new(Knowledge { interp, cached, tiers: Some(tiers) })
    }

    pub(crate) fn interp(&self) -> &ModuleCode {
        &self.interp
    }

    /// Returns true if the cache had an entry; `None` if there is no cache.
    pub(crate) fn was_cached(&self) -> Option<bool> {
        self.cached.as_ref().map(|cached| cached.container().is_some())
    }

    /// Returns the file that the bytes of the module may be a mapping of.
    pub(crate) fn file(&self) -> Option<&File> {
        self.cached.as_ref()?.file()
    }

    /// Returns an entry with the outline alone.
    fn new_entry(&self) -> Builder<'_> {
        let mut builder = Builder::new();
        builder.section(OUTLINE, Cow::Owned(self.interp.module().outline()), false);
        builder
    }

    /// Returns true if an entry should be written.
    pub(crate) fn has_news(&self) -> bool {
        let Some(cached) = &self.cached else { return false };
        if cached.container().is_none() && self.interp.module().bytes().len() >= WORTH_AN_OUTLINE {
            return true;
        }
        #[cfg(feature = "jit")]
        return self.tiers.as_ref().is_some_and(|tiers| tiers.has_news());
        #[cfg(not(feature = "jit"))]
        return false;
    }

    /// Writes an entry if it should be. Returns true if it was.
    pub(crate) fn store(&self) -> io::Result<bool> {
        let Some(cached) = self.cached.as_ref().filter(|_| self.has_news()) else { return Ok(false) };
        let mut builder = self.new_entry();
        self.add_code(&mut builder);
        cached.store(self.interp.module().bytes(), &builder)
    }
}

#[cfg(feature = "jit")]
impl Knowledge {
    /// Adds code and profile to an entry.
    fn add_code<'a>(&'a self, builder: &mut Builder<'a>) {
        if let Some(tiers) = &self.tiers {
            tiers.write(builder);
        }
    }

    /// Compiles functions ahead of time, and adds the code to a container.
    pub(crate) fn precompile(
        &self,
        config: &Config,
        what: &Precompile<'_>,
        builder: &mut Builder<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        self.tiers()?.precompile(config.may_guard_memory0(self.interp.module()), what, builder)
    }

    /// Compiles functions ahead of time, and stores them in the cache with what is there.
    pub(crate) fn precompile_into_cache(
        &self,
        config: &Config,
        what: &Precompile<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        let cached = self.cached.as_ref().ok_or(PrecompileError::NoCache)?;
        let mut builder = self.new_entry();
        let guarded = config.may_guard_memory0(self.interp.module());
        let compiled = self.tiers()?.extend(guarded, what, &mut builder)?;
        if compiled.functions > 0 || !compiled.refused.is_empty() {
            cached.store(self.interp.module().bytes(), &builder).map_err(PrecompileError::Unwritable)?;
        }
        Ok(compiled)
    }

    fn tiers(&self) -> Result<&ModuleTiers, PrecompileError> {
        let why = || PrecompileError::Unavailable("the mode `interp` only interprets".to_owned());
        self.tiers.as_deref().ok_or_else(why)
    }
}

/// Without a compiler there is no code.
#[cfg(not(feature = "jit"))]
impl Knowledge {
    fn add_code(&self, _builder: &mut Builder<'_>) {}

    pub(crate) fn precompile(
        &self,
        _config: &Config,
        _what: &Precompile<'_>,
        _builder: &mut Builder<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        Err(PrecompileError::Unavailable("this build has no compiler".to_owned()))
    }

    pub(crate) fn precompile_into_cache(
        &self,
        config: &Config,
        what: &Precompile<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        self.precompile(config, what, &mut self.new_entry())
    }
}

impl Drop for Knowledge {
    fn drop(&mut self) {
        // The cache is best effort.
        let _ = self.store();
    }
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").field("cached", &self.cached).finish_non_exhaustive()
    }
}
