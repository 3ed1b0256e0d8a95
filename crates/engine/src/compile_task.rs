//! [`CompileTask`]: one function or loop on its way through a compiler thread.
//!
//! [`ModuleTiers`] creates the task and [`Workers`](crate::workers::Workers) runs it. The task hands the call profile over to the
//! compiler, compiles, and notes the outcome in the `ModuleTiers`. What a profile leaves for later is done here, not on the guest's
//! thread: call sites are resolved to offsets, and the frame at a loop header is looked up.

use std::time::{Duration, Instant};

use wasmr_jit::{CompileError, CompilerContext, Entry, JitModule, OsrEntry};

use crate::module_tiers::{CompileTask, ModuleTiers};
use crate::work::{Progress, Work};
use crate::workers::Task;

/// A failed compilation.
struct Failure {
    why: String,
    /// True if a later try may succeed.
    is_for_now: bool,
}

impl Failure {
    fn for_good(why: &str) -> Failure {
        Failure { why: why.to_owned(), is_for_now: false }
    }
}

impl From<CompileError> for Failure {
    fn from(error: CompileError) -> Failure {
        let is_for_now = matches!(&error, CompileError::Unavailable(why) if !why.is_permanent());
        Failure { why: error.to_string(), is_for_now }
    }
}

impl CompileTask {
    /// Returns the entries that the code is to have.
    fn entry(&self, tiers: &ModuleTiers) -> Result<Entry, Failure> {
        let osr = |offset: usize| match tiers.interp().frame_map(self.work.index) {
            Some(frame) => Ok(OsrEntry { offset, frame }),
            None => Err(Failure::for_good("the module's bytes changed after validation")),
        };
        Ok(match self.work.at_loop {
            // In synchronous mode loops come before their functions. Only dual entries here test that those are entered right.
            Some(offset) if tiers.is_synchronous() && tiers.has_dual_entry(self.work.index) => {
                Entry::StartOrLoop(osr(offset)?)
            }
            Some(offset) => Entry::Loop(osr(offset)?),
            None => match tiers.claim_loop(self.work) {
                Some(along) => {
                    let _ = self.along.set(along);
                    Entry::StartOrLoop(osr(along.at_loop.expect("a loop was claimed"))?)
                }
                None => Entry::Start,
            },
        })
    }

    /// Compiles. Returns the number of bytes of code.
    fn compile(&self, tiers: &ModuleTiers, context: &mut CompilerContext) -> Result<usize, Failure> {
        let Work { index, guarded, at_loop } = self.work;
        let entry = self.entry(tiers)?;
        let Some(native) = tiers.native(guarded) else {
            return Err(Failure { why: "nothing is compiled now".to_owned(), is_for_now: true });
        };
        self.hand_over_calls(tiers, native);
        match (native.compile(index, entry.clone(), context), entry) {
            (Err(CompileError::TooMuch), Entry::StartOrLoop(osr)) => self.compile_apart(native, osr, context)?,
            (result, _) => result?,
        }
        Ok(match at_loop {
            None => native.function(index).map_or(0, |code| code.len),
            Some(offset) => native.osr_code(index, offset).map_or(0, |code| code.len),
        })
    }

    /// Compiles a body of code for each entry, as one with both is too expensive. A loop that is refused then is refused alone.
    fn compile_apart(
        &self,
        native: &JitModule,
        osr: OsrEntry,
        context: &mut CompilerContext,
    ) -> Result<(), CompileError> {
        let index = self.work.index;
        if self.work.at_loop.is_some() {
            return native.compile(index, Entry::Loop(osr), context);
        }
        native.compile(index, Entry::Start, context)?;
        match native.compile(index, Entry::Loop(osr), context) {
            Err(CompileError::Unavailable(why)) => Err(why.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Hands the function's call profile over to the compiler.
    fn hand_over_calls(&self, tiers: &ModuleTiers, native: &JitModule) {
        let Work { index, guarded, .. } = self.work;
        let calls = tiers.take_calls(index, guarded);
        if calls.is_empty() {
            return;
        }
        let sites: Vec<_> = calls.iter().map(|call| call.site).collect();
        let offsets = tiers.interp().call_offsets(index, guarded, &sites);
        for (call, offset) in calls.iter().zip(offsets) {
            if let Some(offset) = offset {
                native.record_calls(offset, call.callee, call.count);
            }
        }
    }

    fn finish(&self, tiers: &ModuleTiers, progress: &Progress) {
        if let Some(&along) = self.along.get() {
            let is_refused = matches!(progress, Progress::Ready) && self.entry_at_loop(tiers).is_none();
            tiers.finish(along, if is_refused { Progress::Refused } else { progress.clone() });
        }
        tiers.finish(self.work, progress.clone());
    }

    /// Returns the offset of the loop at which the function got a second entry, if it did.
    fn entry_at_loop(&self, tiers: &ModuleTiers) -> Option<usize> {
        let Work { index, guarded, at_loop } = *self.along.get()?;
        tiers.native(guarded)?.osr_code(index, at_loop?).and(at_loop)
    }
}

impl Task for CompileTask {
    type Context = CompilerContext;

    fn run(&self, context: &mut CompilerContext) {
        // A module that is gone needs no code.
        let Some(tiers) = self.tiers.upgrade() else { return };
        if self.waits_for_callees(&tiers) {
            return;
        }
        let began = Instant::now();
        let result = self.compile(&tiers, context);
        let progress = match &result {
            Ok(_) => Progress::Ready,
            Err(failure) if failure.is_for_now => Progress::Postponed,
            Err(_) => Progress::Refused,
        };
        let also_at_loop = self.entry_at_loop(&tiers);
        tiers.count(self.work, also_at_loop, began.elapsed(), result.map_err(|failure| failure.why));
        self.finish(&tiers, &progress);
    }

    fn fail(self) {
        if let Some(tiers) = self.tiers.upgrade() {
            tiers.count(self.work, None, Duration::ZERO, Err("the compiler failed".to_owned()));
            self.finish(&tiers, &Progress::Refused);
        }
    }

    fn postpone(self) {
        if let Some(tiers) = self.tiers.upgrade() {
            self.finish(&tiers, &Progress::Postponed);
        }
    }
}
