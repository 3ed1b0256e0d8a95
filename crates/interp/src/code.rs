//! Translated code and who owns it: one [`ModuleCode`] a module, shared by all its instances, filled function by function
//! at first call.

use std::ffi::c_void;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmr_module::Module;
use wasmr_runtime::frame::Ip;
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{Executable, FuncEntry, TierUp};
use wasmr_runtime::vm::{VmFunc, VmLayout};

use crate::copy_patch::{CopyPatch, CopyWhen};
use crate::entry;
use crate::execute::frame::lazy_cell;
use crate::heat::{self, Warmth};
use crate::regions::TryRegions;
use crate::translate::{self, ReadError, Source, starts::Starts};

/// The translation of one function.
#[derive(Debug)]
pub struct CodeBlock {
    /// The cells; the first is the function's entry.
    pub cells: Cells,
    /// Slots of the frame from the frame pointer on.
    pub frame_slots: u32,
    /// The `try_table` regions.
    pub try_regions: TryRegions,
    /// Where the instance keeps things.
    pub layout: VmLayout,
    /// The words at which cells start.
    pub starts: Starts,
    /// How often it was found hot.
    pub warmth: Warmth,
}

/// The words of translated code. The first of each cell may be exchanged while others execute it.
#[derive(Debug)]
pub struct Cells(Box<[AtomicU64]>);

impl Cells {
    /// Code of these words.
    pub fn new(words: Vec<u64>) -> Cells {
        Cells(words.into_iter().map(AtomicU64::new).collect())
    }

    /// The words as they are now.
    pub fn to_vec(&self) -> Vec<u64> {
        self.0.iter().map(|word| word.load(Ordering::Relaxed)).collect()
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first cell.
    pub fn first(&self) -> Ip {
        Ip::new(self.0.as_ptr().cast())
    }

    /// The handler of the cell at a word.
    pub fn handler(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    /// Gives the cell at a word another handler, one that does the same.
    pub fn set_handler(&self, word: usize, handler: u64) {
        self.0[word].store(handler, Ordering::Release);
    }
}

/// The code of a `try_table`.
#[derive(Clone, Debug)]
pub struct TryRegion {
    /// The words it covers.
    pub range: Range<u32>,
    /// Its clauses, in order.
    pub catches: Vec<CatchClause>,
}

/// A catch clause.
#[derive(Clone, Debug)]
pub struct CatchClause {
    /// What it catches and what it passes on.
    pub kind: CatchKind,
    /// The word where execution goes on.
    pub target: u32,
    /// First slot of what it passes on.
    pub slot: i32,
    /// Slots of the exception's values, behind which the reference goes.
    pub payload_slots: u32,
}

/// What a catch clause catches, tags by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchKind {
    /// `catch`.
    One(u32),
    /// `catch_ref`.
    OneRef(u32),
    /// `catch_all`.
    All,
    /// `catch_all_ref`.
    AllRef,
}

/// Why a function cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// The interpreter has no translation of an operator that loading admits: a fault of wasmr.
    #[error(
        "{module}: the interpreter has no translation of `{operator}` at offset {offset:#x}; this is a fault of wasmr"
    )]
    Untranslated {
        /// The operator in the text format.
        operator: String,
        /// The module.
        module: String,
        /// Where it stands in the module.
        offset: usize,
    },
    /// The body cannot be read, which validation excludes unless the module's bytes changed since.
    #[error("the module's bytes changed after validation: {0}")]
    Changed(#[from] ReadError),
}

impl CodeBlock {
    /// Which word of the code a pointer is to.
    pub fn position(&self, at: Ip) -> Option<u32> {
        let distance = at.as_ptr().addr().wrapping_sub(self.cells.first().as_ptr().addr()) / 8;
        (distance < self.cells.len()).then_some(distance as u32)
    }

    /// The cell at a word.
    pub fn cell(&self, word: u32) -> Ip {
        Ip::new((&raw const self.cells.0[word as usize]).cast())
    }
}

/// How a module's code is made, and what becomes of it.
#[derive(Clone)]
pub struct CodeOptions {
    /// Whether it uses up fuel.
    pub metered: bool,
    /// When functions are [copied](crate::copy_patch); `None` for never.
    pub copy_and_patch: Option<CopyWhen>,
    /// How many function entries and backward jumps come before a budget interrupt; with 0 each is one.
    pub budget: i32,
    /// The same for the first budget interrupt of a new instance.
    pub initial_budget: i32,
    /// How many frames a budget interrupt counts as found: the one at hand, and its callers.
    pub sampled_frames: usize,
    /// What gives functions better tiers, if there are any.
    pub tier_up: Option<Arc<dyn TierUp>>,
}

/// Code that nothing watches: budget interrupts are as rare as can be, and nothing follows from them.
impl Default for CodeOptions {
    fn default() -> CodeOptions {
        let budget = i32::MAX;
        CodeOptions {
            metered: false,
            copy_and_patch: None,
            budget,
            initial_budget: budget,
            sampled_frames: 0,
            tier_up: None,
        }
    }
}

impl fmt::Debug for CodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeOptions")
            .field("metered", &self.metered)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// The code of a module's functions, made at their first calls.
pub struct ModuleCode {
    module: Arc<Module>,
    layout: VmLayout,
    options: CodeOptions,
    copy_patch: Option<CopyPatch>,
    /// For instances whose memory 0 is guarded, and for the others.
    blocks: [OnceLock<Box<[AtomicPtr<CodeBlock>]>>; 2],
}

impl ModuleCode {
    /// The code of a module, none of it translated.
    pub fn new(module: Arc<Module>) -> Arc<ModuleCode> {
        ModuleCode::with_options(module, CodeOptions::default())
    }

    /// The code of a module, to be made in this way; none of it translated.
    pub fn with_options(module: Arc<Module>, options: CodeOptions) -> Arc<ModuleCode> {
        let layout = VmLayout::for_module(&module);
        let copy_patch = options.copy_and_patch.map(CopyPatch::new);
        Arc::new(ModuleCode { module, layout, options, copy_patch, blocks: [OnceLock::new(), OnceLock::new()] })
    }

    /// How it is made.
    pub fn options(&self) -> &CodeOptions {
        &self.options
    }

    /// What copies its functions, if anything does.
    pub fn copy_patch(&self) -> Option<&CopyPatch> {
        self.copy_patch.as_ref()
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// How its instances are laid out.
    pub fn layout(&self) -> &VmLayout {
        &self.layout
    }

    /// What a function's translation is made from.
    pub fn source(&self, defined_index: u32, guarded: bool) -> Source<'_> {
        Source { module: &self.module, layout: &self.layout, defined_index, guarded, metered: self.options.metered }
    }

    fn slot(&self, defined_index: u32, guarded: bool) -> &AtomicPtr<CodeBlock> {
        let blocks = self.blocks[guarded as usize].get_or_init(|| {
            (0..self.module.defined_func_count()).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect()
        });
        &blocks[defined_index as usize]
    }

    /// The code of a defined function, if it has been translated.
    pub fn get(&self, defined_index: u32, guarded: bool) -> Option<&CodeBlock> {
        let block = self.slot(defined_index, guarded).load(Ordering::Acquire);
        // SAFETY: a pointer in a slot came from `Box::into_raw` and stays until `self` is dropped.
        unsafe { block.as_ref() }
    }

    /// How many functions have been translated, counted once for either kind of memory.
    pub fn translated_count(&self) -> u32 {
        let all = self.blocks.iter().filter_map(OnceLock::get).flatten();
        all.filter(|block| !block.load(Ordering::Relaxed).is_null()).count() as u32
    }

    /// The code of a defined function, translated now if it has not been.
    pub fn get_or_translate(&self, defined_index: u32, guarded: bool) -> Result<&CodeBlock, TranslateError> {
        if let Some(block) = self.get(defined_index, guarded) {
            return Ok(block);
        }
        let source = self.source(defined_index, guarded);
        let block = translate::translate(&source)?;
        if let Some(copy_patch) = self.copy_patch.as_ref().filter(|copy_patch| copy_patch.at_once()) {
            heat::copy(copy_patch, &block);
        }
        let new = Box::into_raw(Box::new(block));
        let slot = self.slot(defined_index, guarded);
        let winner = match slot.compare_exchange(std::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: `new` was made above and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: not null, and as in `get`.
        Ok(unsafe { &*winner })
    }
}

impl Drop for ModuleCode {
    fn drop(&mut self) {
        for block in self.blocks.iter_mut().filter_map(OnceLock::take).flatten() {
            let block = block.into_inner();
            if !block.is_null() {
                // SAFETY: it came from `Box::into_raw`, and no instance that could run it is left.
                drop(unsafe { Box::from_raw(block) });
            }
        }
    }
}

impl Executable for ModuleCode {
    fn first_entry(&self, _index: u32) -> FuncEntry {
        FuncEntry { code: lazy_cell(), entry: entry::call }
    }

    fn initial_budget(&self) -> i32 {
        self.options.initial_budget
    }

    fn first_native_call(&self, func: &RunningFunc<'_>) {
        if let Some(tier_up) = &self.options.tier_up {
            tier_up.first_call(func);
        }
    }

    fn vm_data(&self) -> *const c_void {
        std::ptr::from_ref(self).cast()
    }
}

/// The module code that a wasm function belongs to, its index among the defined functions, and whether its memory 0 is
/// guarded.
///
/// # Safety
/// `func` is alive and belongs to an instance that this crate executes.
pub unsafe fn identify<'a>(func: *const VmFunc) -> Option<(&'a ModuleCode, u32, bool)> {
    // SAFETY: the instance of a live function is alive, and with it its `Executable`, which is a `ModuleCode`.
    unsafe {
        let instance = (*func).instance;
        if instance.is_null() {
            return None;
        }
        let code = &*(*instance).tier_data.cast::<ModuleCode>();
        Some((code, (*func).index - code.module.imported_func_count(), (*instance).memory0_guarded))
    }
}

/// The translation of a function, if there is one.
///
/// # Safety
/// As for [`identify`].
pub unsafe fn code_block_of<'a>(func: *const VmFunc) -> Option<&'a CodeBlock> {
    // SAFETY: the caller's promise.
    let (code, index, guarded) = unsafe { identify(func) }?;
    code.get(index, guarded)
}

/// Makes a function's slot lead to code, which is returned: that of a better tier if there is one, else its translation.
///
/// # Safety
/// As for [`identify`]; the function's store is run by this thread.
pub unsafe fn code_of(func: *mut VmFunc) -> Result<Ip, TranslateError> {
    // SAFETY: the caller's promise; only wasm functions have the lazy cell.
    unsafe {
        let (code, index, guarded) = identify(func).expect("only wasm functions are translated");
        if let Some(tier_up) = &code.options.tier_up {
            tier_up.first_call(&RunningFunc::new(func));
            if (*func).code != lazy_cell() {
                return Ok((*func).code);
            }
        }
        let cells = code.get_or_translate(index, guarded)?.cells.first();
        (*func).code = cells;
        Ok(cells)
    }
}
