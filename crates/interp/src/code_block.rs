//! [`CodeBlock`]: the translation of one function. The translator makes it, [`code`](crate::code) owns it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use wasmr_runtime::frame::Ip;
use wasmr_runtime::vm::VmLayout;

use crate::loops::LoopTable;
use crate::regions::TryRegions;

/// A function of a module: its index among the defined functions, and true if its memory 0 is guard-paged.
pub(crate) type FuncKey = (u32, bool);

/// The translation of one function.
#[derive(Debug)]
pub struct CodeBlock {
    /// Instructions; the first is the function's entry.
    pub(crate) words: CodeWords,
    /// Slots of the frame from the frame pointer on.
    pub(crate) frame_slots: u32,
    /// `try_table` regions.
    pub(crate) try_regions: TryRegions,
    /// Layout of the instances.
    pub(crate) layout: VmLayout,
    pub(crate) loops: LoopTable,
    /// Samples that found the function.
    pub(crate) hotness: Hotness,
}

/// The words of translated code. The handler word of each instruction may be exchanged while other threads execute it.
#[derive(Debug)]
pub(crate) struct CodeWords(Box<[AtomicU64]>);

impl CodeWords {
    /// Makes code of words.
    pub(crate) fn new(words: Vec<u64>) -> CodeWords {
        CodeWords(words.into_iter().map(AtomicU64::new).collect())
    }

    /// Returns a copy of the words.
    pub(crate) fn to_vec(&self) -> Vec<u64> {
        self.0.iter().map(|word| word.load(Ordering::Relaxed)).collect()
    }

    /// Returns the number of words.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the first instruction.
    pub(crate) fn first(&self) -> Ip {
        Ip::new(self.0.as_ptr().cast())
    }

    /// Returns the handler word of the instruction at `word`.
    #[cfg(wasmr_baseline)]
    pub(crate) fn handler(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    /// Exchanges the handler word of the instruction at `word`. The new handler must do the same as the old one.
    #[cfg(wasmr_baseline)]
    pub(crate) fn set_handler(&self, word: usize, handler: u64) {
        self.0[word].store(handler, Ordering::Release);
    }
}

impl CodeBlock {
    /// Returns the offsets in the module of the function's loops, in order; of several loops that start at one code word, only
    /// the outermost.
    pub fn loop_offsets(&self) -> impl Iterator<Item = usize> {
        self.loops.offsets()
    }

    /// Returns the code word that `ip` points to, if it points into this code.
    pub(crate) fn position(&self, ip: Ip) -> Option<u32> {
        let distance = ip.as_ptr().addr().wrapping_sub(self.words.first().as_ptr().addr()) / 8;
        (distance < self.words.len()).then_some(distance as u32)
    }

    /// Returns the instruction at a code word.
    pub(crate) fn instruction(&self, word: u32) -> Ip {
        Ip::new((&raw const self.words.0[word as usize]).cast())
    }
}

/// The samples that found a function, and the claim to compile it.
#[derive(Debug, Default)]
pub(crate) struct Hotness {
    /// Sum of the weights of all samples.
    samples: AtomicU32,
    /// Samples at the function's entry, in calls by other functions.
    calls: AtomicU32,
    claimed: AtomicBool,
}

impl Hotness {
    /// Counts a sample. Returns the sum of the weights with it.
    pub(crate) fn add(&self, weight: u32) -> u32 {
        self.samples.fetch_add(weight, Ordering::Relaxed).saturating_add(weight)
    }

    /// Counts a sample, which [`add`](Hotness::add) counts too, as one at the entry in a call by another function.
    pub(crate) fn add_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the sum of the weights of all samples so far.
    pub(crate) fn samples(&self) -> u32 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Returns true if nobody has claimed the right to compile the function.
    pub(crate) fn is_unclaimed(&self) -> bool {
        !self.claimed.load(Ordering::Relaxed)
    }

    /// Returns the number of samples at the entry so far.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Claims the right to compile the function. Returns false if it was claimed before.
    pub(crate) fn claim_compiling(&self) -> bool {
        !self.claimed.load(Ordering::Relaxed) && !self.claimed.swap(true, Ordering::Relaxed)
    }

    /// Gives a claim back: the function could not be compiled now.
    pub(crate) fn postpone_compiling(&self) {
        self.claimed.store(false, Ordering::Relaxed);
    }
}
