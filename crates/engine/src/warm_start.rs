//! The warm start of a module. In: its entry in the cache, with code and profile of earlier processes. Out: functions that are ready
//! at the first call; and, at the end, code and profile of this process for the next entry.
//!
//! The image of a kind of memory 0 is loaded before the first call in the first instance of that kind. Its functions are then
//! installed like functions that a compiler thread has just finished. Functions without code whose samples in earlier runs
//! would have sufficed are requested at the same time, so that the compiler thread has work from the start.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wasmr_cache::{Builder, Container};
use wasmr_jit::{JitModule, Precompilation, Precompiled};

use crate::module_cache::PROFILE;
use crate::module_tiers::ModuleTiers;
use crate::precompile::{FunctionsToCompile, Precompile, PrecompileError, PrecompiledFunctions};
use crate::saved_profile::{CallSamples, FunctionSamples, RefusedWork, SavedProfile};
use crate::work::Work;

/// Part of the samples in an entry that a run must add to be worth a new entry: one in so many.
const SAMPLES_FOR_NEWS: u64 = 8;

impl ModuleTiers {
    fn defined_funcs(&self) -> u32 {
        self.module().defined_func_count()
    }

    /// Loads the code of earlier processes for instances of a kind, unless that was done before, and requests the code that their
    /// samples are worth.
    pub(crate) fn start_warm(&self, guarded: bool) {
        let Some(entry) = &self.earlier.entry else { return };
        self.earlier.loaded[usize::from(guarded)].get_or_init(|| {
            let bytes = self.native(guarded).map_or(0, |native| self.load(native, entry));
            self.request_again(guarded);
            bytes
        });
    }

    /// Loads the image of an entry. Returns its bytes of code.
    fn load(&self, native: &JitModule, entry: &Arc<Container>) -> usize {
        let guarded = native.options().guarded;
        self.record_earlier_calls(native);
        // SAFETY: an entry comes from the cache, which has checked that only this user can have written it, or from a precompiled
        // module, for which the caller of `deserialize` answers. Its key is that of this build, processor and configuration, and it is
        // of this module: the entry has the hash of the module, and a precompiled module has the module itself.
        let loaded = unsafe { native.load_image(entry) };
        let Ok(loaded) = loaded else { return 0 };
        let bytes = native.loaded_bytes();
        self.add_loaded(loaded.into_iter().map(|(index, at_loop)| Work { index, guarded, at_loop }), bytes);
        bytes
    }

    /// Requests functions without code whose samples in earlier runs suffice, those with the most first. Notes work that was refused.
    fn request_again(&self, guarded: bool) {
        if self.is_ahead_of_first_call() || self.is_synchronous() {
            return;
        }
        let profile = self.earlier.profile(self.defined_funcs());
        for work in profile.refused.iter().filter(|work| work.guarded == guarded) {
            let RefusedWork { index, at_loop, .. } = *work;
            self.add_refused(Work { index, guarded, at_loop: at_loop.map(|offset| offset as usize) });
        }
        let all = profile.functions.iter().fold(0u32, |all, func| all.saturating_add(func.samples));
        for &FunctionSamples { index, samples, .. } in profile.functions.iter().filter(|func| func.guarded == guarded) {
            if self.is_worth_compiling(index, samples, all) {
                self.request(Work { index, guarded, at_loop: None }, samples);
            }
        }
    }

    /// Compiles functions ahead of time for instances of a kind, and adds the code to a container.
    pub(crate) fn precompile(
        &self,
        guarded: bool,
        what: &Precompile<'_>,
        builder: &mut Builder<'_>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        let functions = self.functions_to_compile(guarded, what)?;
        let (compiled, result) = self.compile_ahead(guarded, functions, None, what)?;
        compiled.add_to(builder);
        Ok(result)
    }

    /// Compiles functions ahead of time for instances of a kind. Adds the code, together with that of earlier processes, and the rest
    /// of their profile to a new entry for the module.
    pub(crate) fn extend<'a>(
        &'a self,
        guarded: bool,
        what: &Precompile<'_>,
        builder: &mut Builder<'a>,
    ) -> Result<PrecompiledFunctions, PrecompileError> {
        let base = self.earlier.entry.as_deref();
        let mut profile = self.earlier.profile(self.defined_funcs()).clone();
        let known: HashSet<u32> = profile.refused_functions(guarded).collect();
        let mut functions = self.functions_to_compile(guarded, what)?;
        functions.retain(|index| !known.contains(index));
        let (compiled, result) = self.compile_ahead(guarded, functions, base, what)?;
        // A refusal by size is not kept, since the next process may have another limit.
        let refused = compiled.refused.iter().map(|&(index, _)| RefusedWork { index, guarded, at_loop: None });
        profile.refused.extend(refused);
        let refused: HashSet<u32> = profile.refused_functions(guarded).collect();
        let is_done = |index| compiled.contains(index) || refused.contains(&index);
        profile.functions.retain(|func| func.guarded != guarded || !is_done(func.index));
        builder.section(PROFILE, Cow::Owned(profile.encode()), false);
        compiled.add_to(builder);
        if let Some(base) = base {
            wasmr_jit::copy_image(base, !guarded, builder);
        }
        Ok(result)
    }

    /// Records the samples of calls in earlier runs.
    fn record_earlier_calls(&self, native: &JitModule) {
        for call in &self.earlier.profile(self.defined_funcs()).calls {
            native.record_calls(call.offset as usize, call.callee, call.samples);
        }
    }

    /// Compiles functions that are not too large, in addition to the image of `base`.
    fn compile_ahead(
        &self,
        guarded: bool,
        functions: Vec<u32>,
        base: Option<&Container>,
        what: &Precompile<'_>,
    ) -> Result<(Precompiled, PrecompiledFunctions), PrecompileError> {
        let Some(native) = self.native(guarded) else {
            return Err(PrecompileError::Unavailable(self.why_unavailable()));
        };
        self.record_earlier_calls(native);
        let (functions, too_large): (Vec<u32>, Vec<u32>) =
            functions.into_iter().partition(|&index| self.refusal_by_size(index).is_none());
        let work = Precompilation { functions: &functions, threads: what.threads, base, goes_on: what.goes_on };
        let compiled = native.precompile(&work).map_err(|why| PrecompileError::Unavailable(why.to_string()))?;
        let first = self.module().imported_func_count();
        let too_large = too_large.into_iter().filter_map(|index| Some((first + index, self.refusal_by_size(index)?)));
        let refused = compiled.refused.iter().map(|(index, why)| (first + index, why.to_string()));
        let refused = too_large.chain(refused).collect();
        let result = PrecompiledFunctions { functions: compiled.functions, code_bytes: compiled.code_bytes, refused };
        Ok((compiled, result))
    }

    /// Returns the functions that `what` names for instances of a kind.
    fn functions_to_compile(&self, guarded: bool, what: &Precompile<'_>) -> Result<Vec<u32>, PrecompileError> {
        match what.functions {
            FunctionsToCompile::All => Ok((0..self.defined_funcs()).collect()),
            FunctionsToCompile::Profiled => self.executed_functions(guarded),
        }
    }

    /// Returns the functions that earlier runs executed in instances of a kind and that were not refused: first those with code, then
    /// those with the most samples for their size.
    fn executed_functions(&self, guarded: bool) -> Result<Vec<u32>, PrecompileError> {
        let entry = self.earlier.entry.as_ref().ok_or(PrecompileError::NoProfile)?;
        let profile = self.earlier.profile(self.defined_funcs());
        let native = self.native(guarded).ok_or_else(|| PrecompileError::Unavailable(self.why_unavailable()))?;
        let mut functions = native.functions_in_image(entry);
        let refused: HashSet<u32> = profile.refused_functions(guarded).collect();
        let is_wanted = |func: &&FunctionSamples| func.guarded == guarded && !refused.contains(&func.index);
        let without_code = profile.functions.iter().filter(is_wanted);
        let mut without_code: Vec<&FunctionSamples> = without_code.collect();
        without_code.sort_by_key(|func| std::cmp::Reverse(self.worth(func.index, func.samples)));
        functions.extend(without_code.iter().map(|func| func.index));
        if functions.is_empty() { Err(PrecompileError::NoProfile) } else { Ok(functions) }
    }

    /// Returns the samples that found a function in earlier runs, if it had no code.
    pub(crate) fn earlier_samples(&self, index: u32, guarded: bool) -> u32 {
        if self.earlier.entry.is_none() {
            return 0;
        }
        self.earlier.samples(self.defined_funcs()).get(&(index, guarded)).copied().unwrap_or(0)
    }

    /// Returns true if so much was learnt that the module's entry should be written.
    pub(crate) fn has_news(&self) -> bool {
        // The end of the run waits for this function, so the question that takes least time comes first.
        if self.natives().any(|native| native.compiled_bytes() > 0) {
            return true;
        }
        let executed = self.uncompiled_samples();
        if self.earlier.entry.is_none() {
            // The first call of a function counts as one sample; a second one takes about a thousand calls and loops. A program
            // without a second sample ends before code would help.
            return executed.iter().any(|&(.., samples)| samples > 1);
        }
        let total = |samples: &mut dyn Iterator<Item = u32>| samples.map(u64::from).sum::<u64>();
        let earlier = total(&mut self.earlier.profile(self.defined_funcs()).functions.iter().map(|func| func.samples));
        let new = total(&mut executed.into_iter().map(|(.., samples)| samples));
        new > 0 && new >= earlier / SAMPLES_FOR_NEWS
    }

    /// Returns functions without code that this process executed: index, kind of memory 0, samples. The first call of a function, at
    /// which it is translated, counts as a sample, since it takes as long as the calls between two samples.
    fn uncompiled_samples(&self) -> Vec<(u32, bool, u32)> {
        let mut samples = self.interp().interpreted();
        samples.retain(|&(index, guarded, _)| !self.has_code(index, guarded));
        samples.iter_mut().for_each(|(.., samples)| *samples = samples.saturating_add(1));
        samples
    }

    /// Adds code and profile to a new entry for the module.
    pub(crate) fn write<'a>(&'a self, builder: &mut Builder<'a>) {
        builder.section(PROFILE, Cow::Owned(self.saved_profile().encode()), false);
        for guarded in [false, true] {
            // Without an instance of this kind the code of the entry was not loaded.
            let is_loaded = self.earlier.entry.is_none() || self.earlier.loaded[usize::from(guarded)].get().is_some();
            match (self.native_if_made(guarded), &self.earlier.entry) {
                (Some(native), _) if is_loaded => native.write_image(builder),
                (_, Some(entry)) => wasmr_jit::copy_image(entry, guarded, builder),
                _ => {}
            }
        }
    }

    fn saved_profile(&self) -> SavedProfile {
        let mut samples = self.earlier.samples(self.defined_funcs()).clone();
        for (index, guarded, new) in self.uncompiled_samples() {
            let samples = samples.entry((index, guarded)).or_default();
            *samples = samples.saturating_add(new);
        }
        samples.retain(|&(index, guarded), _| !self.has_code(index, guarded));
        let mut functions: Vec<FunctionSamples> = samples
            .into_iter()
            .map(|((index, guarded), samples)| FunctionSamples { index, guarded, samples })
            .collect();
        functions.sort_unstable_by_key(|func| (std::cmp::Reverse(func.samples), func.index, func.guarded));
        let mut calls: Vec<CallSamples> = self
            .all_call_profiles()
            .into_iter()
            .map(|((offset, callee), samples)| CallSamples { offset, callee, samples })
            .collect();
        calls.sort_unstable_by_key(|call| (call.offset, std::cmp::Reverse(call.samples), call.callee));
        let mut refused: Vec<RefusedWork> = self.refused();
        refused.sort_unstable_by_key(|work| (work.index, work.guarded, work.at_loop));
        SavedProfile { functions, calls, refused }
    }

    /// Returns the samples of calls by offset and callee, of this and of earlier processes.
    fn all_call_profiles(&self) -> HashMap<(u32, u32), u32> {
        let mut all = HashMap::new();
        let mut add = |offset: usize, callee: u32, samples: u32| {
            // Lossless: a module has less than 4 GiB.
            let sum: &mut u32 = all.entry((offset as u32, callee)).or_default();
            *sum = sum.saturating_add(samples);
        };
        if self.natives().next().is_none() {
            let earlier = &self.earlier.profile(self.defined_funcs()).calls;
            earlier.iter().for_each(|call| add(call.offset as usize, call.callee, call.samples));
        }
        // These include the profile of the entry, which they got when they were made.
        for native in self.natives() {
            native.call_profiles().into_iter().for_each(|(offset, callee, samples)| add(offset, callee, samples));
        }
        for ((index, guarded), calls) in self.waiting_calls() {
            let sites: Vec<_> = calls.iter().map(|call| call.site).collect();
            let offsets = self.interp().call_offsets(index, guarded, &sites);
            for (call, offset) in calls.iter().zip(offsets) {
                if let Some(offset) = offset {
                    add(offset, call.callee, call.count);
                }
            }
        }
        all
    }

    fn natives(&self) -> impl Iterator<Item = &Arc<JitModule>> {
        [false, true].into_iter().filter_map(|guarded| self.native_if_made(guarded))
    }

    pub(crate) fn has_code(&self, index: u32, guarded: bool) -> bool {
        self.native_if_made(guarded).is_some_and(|native| native.function(index).is_some())
    }
}
