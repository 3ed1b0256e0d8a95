//! [`ModuleCode`]: the translated functions of one module, shared by all its instances. A [`CodeBlock`] is one of them.
//!
//! A function is translated at its first interpreted call. Other crates query the code through methods of [`ModuleCode`], in
//! offsets of the module: the loops around a loop, the frame at a loop header, the offset of a call.
//!
//! # Why have calls no table?
//! A profile names a call by [`CallSiteId`], a code word. [`ModuleCode::call_offsets`] resolves the calls of a function when it
//! is compiled, by translating the function once more on the compiler's thread. A table of calls would save that work, but
//! every translated function would pay for it, while one in eight is compiled. Measured with the start of CPython: the table
//! would take 170 KB for 21,000 calls, 4 % of the code; resolving the calls takes 2.4 ms, 1 % of the compiler's time. The table
//! of loops, which the guest's thread needs, takes 16 KB.

use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};

use wasmr_module::Module;
use wasmr_runtime::frame::{Fp, FrameMap, Ip};
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{CallSiteId, Executable, FuncEntry};
use wasmr_runtime::vm::{VmFunc, VmLayout};

use crate::code_block::CodeBlock;
use crate::entry;
use crate::execute::frame::lazy_instruction;
use crate::execute::hooks::Hooks;
use crate::machine_code::{BaselineTier, BaselineWhen};
use crate::sample_clock::{self, SampleWeight};
use crate::translate::{self, Source, TranslateError};

/// Policy for a module's code.
#[derive(Clone, Debug)]
pub struct CodeOptions {
    /// True if the code uses up fuel.
    pub metered: bool,
    /// True if NaNs that operators make become canonical.
    pub canonical_nans: bool,
    /// When functions get baseline code; `None` for never.
    pub baseline: Option<BaselineWhen>,
    /// Function entries and backward jumps before a budget interrupt; with 0 each is one.
    pub budget: i32,
    /// Function entries and backward jumps before the first budget interrupt of a new instance.
    pub initial_budget: i32,
    /// Frames that a sample counts: the innermost and its callers.
    pub sampled_frames: usize,
    /// The weights of samples; `None` if all samples have weight 1.
    pub sample_weight: Option<SampleWeight>,
}

/// Code without a profile: budget interrupts are as rare as can be, and have no effect.
impl Default for CodeOptions {
    fn default() -> CodeOptions {
        let budget = i32::MAX;
        CodeOptions {
            metered: false,
            canonical_nans: false,
            baseline: None,
            budget,
            initial_budget: budget,
            sampled_frames: 0,
            sample_weight: None,
        }
    }
}

impl CodeOptions {
    /// Returns the function entries and backward jumps before a budget interrupt after which samples are rarer by a factor. They are no
    /// more than before the first budget interrupt, or than usual if those are more.
    pub(crate) fn stretched_budget(&self, factor: i32) -> i32 {
        self.budget.saturating_mul(factor).min(self.initial_budget.max(self.budget))
    }
}

/// Samples that found a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FuncSamples {
    /// Sum of the weights of all samples.
    pub all: u32,
    /// Number of the samples at the function's entry, in calls by other functions.
    pub calls: u32,
}

/// The code of a module's functions, translated at their first calls.
#[repr(C)]
pub struct ModuleCode {
    /// The first field: [`hooks`](crate::execute::hooks) reads it through the `tier_data` of an instance.
    hooks: &'static Hooks,
    module: Arc<Module>,
    layout: VmLayout,
    options: CodeOptions,
    baseline: Option<BaselineTier>,
    /// One code block per function: first for instances whose memory 0 is checked, then for those whose memory 0 is
    /// guard-paged.
    blocks: [OnceLock<Box<[AtomicPtr<CodeBlock>]>>; 2],
}

impl ModuleCode {
    /// Creates the code of a module, with no function translated, whose handlers call these hooks.
    pub(crate) fn with_hooks(module: Arc<Module>, options: CodeOptions, hooks: &'static Hooks) -> Arc<ModuleCode> {
        let layout = VmLayout::for_module(&module);
        let budget = options.budget.max(options.initial_budget);
        let baseline = options.baseline.map(|when| BaselineTier::new(when, budget, module.defined_func_count()));
        let blocks = [OnceLock::new(), OnceLock::new()];
        Arc::new(ModuleCode { hooks, module, layout, options, baseline, blocks })
    }

    /// Returns the policy.
    pub fn options(&self) -> &CodeOptions {
        &self.options
    }

    /// Returns the baseline tier, if the module has one.
    pub(crate) fn baseline(&self) -> Option<&BaselineTier> {
        self.baseline.as_ref()
    }

    /// Returns the module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Returns the layout of the module's instances.
    pub fn layout(&self) -> &VmLayout {
        &self.layout
    }

    /// Returns the input of a function's translation.
    pub fn source(&self, defined_index: u32, guarded: bool) -> Source<'_> {
        let CodeOptions { metered, canonical_nans, .. } = self.options;
        Source { module: &self.module, layout: &self.layout, defined_index, guarded, metered, canonical_nans }
    }

    fn block(&self, defined_index: u32, guarded: bool) -> &AtomicPtr<CodeBlock> {
        let blocks = self.blocks[guarded as usize].get_or_init(|| {
            (0..self.module.defined_func_count()).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect()
        });
        &blocks[defined_index as usize]
    }

    /// Returns the code of a defined function, if it has been translated.
    pub fn get(&self, defined_index: u32, guarded: bool) -> Option<&CodeBlock> {
        let block = self.block(defined_index, guarded).load(Ordering::Acquire);
        // SAFETY: a pointer in `blocks` came from `Box::into_raw` and stays valid until `self` is dropped.
        unsafe { block.as_ref() }
    }

    /// Returns the samples that found a function.
    pub fn samples(&self, defined_index: u32, guarded: bool) -> FuncSamples {
        self.get(defined_index, guarded).map_or(FuncSamples::default(), |block| FuncSamples {
            all: block.hotness.samples(),
            calls: block.hotness.calls(),
        })
    }

    /// Returns the functions that were interpreted: index, true if memory 0 is guard-paged, and the number of samples that found the
    /// function.
    pub fn interpreted(&self) -> Vec<(u32, bool, u32)> {
        let mut found = Vec::new();
        for (guarded, blocks) in [false, true].into_iter().zip(&self.blocks) {
            for (index, block) in blocks.get().into_iter().flatten().enumerate() {
                // SAFETY: a pointer in `blocks` came from `Box::into_raw` and stays valid until `self` is dropped.
                let block = unsafe { block.load(Ordering::Acquire).as_ref() };
                if let Some(block) = block {
                    found.push((index as u32, guarded, block.hotness.samples()));
                }
            }
        }
        found
    }

    /// Returns the number of translated functions, counted once for each kind of memory.
    pub fn translated_count(&self) -> u32 {
        let all = self.blocks.iter().filter_map(OnceLock::get).flatten();
        all.filter(|block| !block.load(Ordering::Relaxed).is_null()).count() as u32
    }

    /// Returns the code of a defined function. Translates it if it has not been translated.
    ///
    /// # Errors
    /// If the function cannot be translated.
    pub fn get_or_translate(&self, defined_index: u32, guarded: bool) -> Result<&CodeBlock, TranslateError> {
        if let Some(block) = self.get(defined_index, guarded) {
            return Ok(block);
        }
        let source = self.source(defined_index, guarded);
        let block = translate::translate(&source)?;
        if let Some(baseline) =
            self.baseline.as_ref().filter(|baseline| baseline.is_due_at_first_call(block.words.len()))
        {
            baseline.compile_once(&block, (defined_index, guarded));
        }
        let new = Box::into_raw(Box::new(block));
        let pointer = self.block(defined_index, guarded);
        let winner = match pointer.compare_exchange(std::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                if let Some(baseline) = &self.baseline {
                    // SAFETY: `new` was made above, and is only read since other threads see it.
                    baseline.link(unsafe { &*new }, (defined_index, guarded));
                }
                new
            }
            Err(other) => {
                // SAFETY: `new` was made above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: the pointer is not null, came from `Box::into_raw`, and stays valid until `self` is dropped.
        Ok(unsafe { &*winner })
    }

    /// Notes that another tier executes a function from now on, in some instance. Code of this crate then calls it as the function
    /// record says.
    pub fn leave_to_other_tier(&self, defined_index: u32, guarded: bool) {
        if let Some(baseline) = &self.baseline {
            baseline.leave_to_other_tier((defined_index, guarded));
        }
    }

    /// Returns the places of a function's values in its frame, at every loop header; `None` if the module's bytes changed after
    /// validation.
    pub fn frame_map(&self, defined_index: u32) -> Option<FrameMap> {
        translate::frame_map(&self.source(defined_index, false))
    }

    /// Returns the offset in the module of each of these calls of a function; `None` for a call site that the function does not
    /// have. Translates the function once more, which is too slow for the guest's thread.
    pub fn call_offsets(&self, defined_index: u32, guarded: bool, sites: &[CallSiteId]) -> Vec<Option<usize>> {
        let words: Vec<u32> = sites.iter().map(|site| site.0).collect();
        translate::locate_all(&self.source(defined_index, guarded), &words)
    }
}

impl Drop for ModuleCode {
    fn drop(&mut self) {
        for block in self.blocks.iter_mut().filter_map(OnceLock::take).flatten() {
            let block = block.into_inner();
            if !block.is_null() {
                // SAFETY: the pointer came from `Box::into_raw`. Each instance that can run the code keeps `self` alive, so
                // none is left.
                drop(unsafe { Box::from_raw(block) });
            }
        }
    }
}

/// The interpreter as the only tier: it interprets every function, and no report leads to a better tier.
impl Executable for ModuleCode {
    fn first_entry(&self, _index: u32) -> FuncEntry {
        FuncEntry { code: lazy_instruction(), entry: entry::call }
    }

    fn initial_budget(&self) -> i32 {
        self.options.initial_budget
    }

    fn vm_data(&self) -> *const c_void {
        std::ptr::from_ref(self).cast()
    }
}

/// Returns the module code that a function belongs to, its index among the defined functions, and whether its memory 0 is
/// guard-paged. `None` for a host function.
///
/// # Safety
/// `func` is alive and belongs to an instance that this crate executes.
pub(crate) unsafe fn identify<'a>(func: *const VmFunc) -> Option<(&'a ModuleCode, u32, bool)> {
    // SAFETY: the instance of a live function is alive. It keeps its `Executable` alive, and with that the `ModuleCode` whose
    // `vm_data` the instance has as `tier_data`.
    unsafe {
        let instance = (*func).instance;
        if instance.is_null() {
            return None;
        }
        let code = &*(*instance).tier_data.cast::<ModuleCode>();
        Some((code, (*func).index - code.module.imported_func_count(), (*instance).memory0_guarded))
    }
}

/// Returns the translation of a function, if there is one.
///
/// # Safety
/// As for [`identify`].
pub(crate) unsafe fn code_block_of<'a>(func: *const VmFunc) -> Option<&'a CodeBlock> {
    // SAFETY: the caller promises what `identify` asks for.
    let (code, index, guarded) = unsafe { identify(func) }?;
    code.get(index, guarded)
}

/// Reports the first call of a function and returns its `code` pointer. If the report installed no better tier, translates the
/// function and lets `code` point to the first instruction.
///
/// # Errors
/// If the function cannot be translated.
///
/// # Safety
/// As for [`identify`]; `func` is a wasm function, and this thread runs its store.
pub(crate) unsafe fn code_of(func: *mut VmFunc) -> Result<Ip, TranslateError> {
    // SAFETY: the caller's promise covers `identify` and `RunningFunc::new`; no reference into the record is in use here.
    unsafe {
        let (code, index, guarded) = identify(func).expect("only wasm functions are translated");
        let running = RunningFunc::new(func);
        running.executable().first_call(&running);
        if (*func).code != lazy_instruction() {
            return Ok((*func).code);
        }
        let first = code.get_or_translate(index, guarded)?.words.first();
        sample_clock::stop(0);
        (*func).code = first;
        Ok(first)
    }
}

/// Translates the function of a frame, which is called for the first time. Returns its first instruction, or null with the
/// reason in the store.
///
/// # Safety
/// `fp` is the live frame of a wasm function that this crate executes, and this thread runs its store.
pub(crate) unsafe fn first_call(fp: Fp) -> Ip {
    // SAFETY: the function of a live frame and its instance are alive. The caller promises a wasm function, and that this
    // thread runs its store.
    unsafe {
        let func = fp.func();
        match code_of(func) {
            Ok(code) => code,
            Err(error) => {
                wasmr_runtime::builtins::host_error((*(*func).instance).store, Box::new(error));
                Ip::NULL
            }
        }
    }
}
