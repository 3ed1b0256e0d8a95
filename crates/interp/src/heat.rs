//! Budget interrupts: what the interpreter does once in about a thousand function entries and backward jumps.
//!
//! Fed by the dispatcher, with the frame and the cell at which it is. The functions of the frame and of its callers are counted
//! as found; those found often enough are [copied](crate::copy_patch), and whoever gives out better tiers
//! ([`TierUp`](wasmr_runtime::tier::TierUp)) hears of them. If there is better code for the very loop, the event ends with the function:
//! that code takes its frame and runs it to its end.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wasmr_core::trap::TrapCode;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{BudgetInterrupt, LoopCode};
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, finish_tail_calls};

use crate::code::{CodeBlock, identify};
use crate::copy_patch::{CopyOutcome, CopyPatch};
use crate::execute::dispatch::is_interrupted;
use crate::execute::frame::{external_cell, is_outermost};

/// Gives no status: the interpreter goes on where it was.
pub const GO_ON: usize = usize::MAX;

/// How many budget interrupts have found a function, and whether it was copied for that.
#[derive(Debug, Default)]
pub struct Warmth {
    samples: AtomicU32,
    copied: AtomicBool,
}

impl Warmth {
    /// Counts one more; how many there are with it.
    fn add(&self) -> u32 {
        self.samples.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Whether the function is still to be copied; it is not any more after that.
    fn claim_copying(&self) -> bool {
        !self.copied.load(Ordering::Relaxed) && !self.copied.swap(true, Ordering::Relaxed)
    }

    /// Undoes a claim: the function could not be copied now.
    fn postpone_copying(&self) {
        self.copied.store(false, Ordering::Relaxed);
    }
}

/// Copies the function, unless that was tried. What the host refuses for the moment is tried again at the next call of this.
pub fn copy(copy_patch: &CopyPatch, block: &CodeBlock) {
    if block.warmth.claim_copying() && copy_patch.copy(block) == CopyOutcome::NotNow {
        block.warmth.postpone_copying();
    }
}

/// A budget interrupt at the cell `ip` in the frame `fp`: how the function ended, as a [`Status`], if another tier took it to its end;
/// else [`GO_ON`].
///
/// # Safety
/// `fp` is a live frame of a function that this crate executes, at `ip`, with all values in it as between two cells.
#[inline(never)]
pub unsafe fn event(fp: Fp, ip: Ip) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let func = fp.func();
        let Some((code, index, guarded)) = identify(func) else { return GO_ON };
        (*(*func).instance).budget = code.options().budget;
        if let Some(tier_up) = &code.options().tier_up
            && let Some(block) = code.get(index, guarded)
            && let Some(position) = block.position(ip)
        {
            match tier_up.budget_interrupt(&RunningFunc::new(func), position) {
                BudgetInterrupt::Ordinary => {}
                BudgetInterrupt::Early => return GO_ON,
                BudgetInterrupt::Enter(code) => return enter_loop(func, fp, block, &*code).0,
            }
        }
        sample(fp, code.options().sampled_frames);
        GO_ON
    }
}

/// A budget interrupt at a call of a function that another tier executes, whose frame is `fp`: calls count whoever executes them, so
/// that what calls compiled functions often is soon compiled as well, and calls them directly.
///
/// # Safety
/// `fp` is the live frame of such a function, `instance` is alive.
#[cold]
#[inline(never)]
pub unsafe fn crossing(instance: *mut VmInstance, fp: Fp) {
    // SAFETY: the caller's promise; a frame that is not outermost has a caller.
    unsafe {
        if let Some((code, ..)) = identify(fp.caller().func()) {
            (*instance).budget = code.options().budget;
            sample(fp, code.options().sampled_frames);
        }
    }
}

/// Counts the functions of a frame and of its callers as found, `count` in all.
///
/// # Safety
/// `fp` is a live frame.
unsafe fn sample(mut fp: Fp, count: usize) {
    // The frame before, which this one waits for: the cell that it returns to, its function's instance and index.
    let mut awaited: Option<(Ip, *mut VmInstance, u32)> = None;
    for frame in 0..count {
        if fp.is_null() {
            return;
        }
        // SAFETY: the function of a live frame is alive, in the store that this thread runs; its caller is live, or null.
        unsafe {
            let func = fp.func();
            if let Some((code, index, guarded)) = identify(func)
                && let Some(block) = code.get(index, guarded)
            {
                let samples = block.warmth.add();
                if let Some(copy_patch) = code.copy_patch() {
                    if frame == 0 {
                        copy_patch.count_event();
                    }
                    if copy_patch.is_due(samples) {
                        copy(copy_patch, block);
                    }
                }
                if let Some(tier_up) = &code.options().tier_up {
                    let running = RunningFunc::new(func);
                    if let Some((return_to, instance, callee)) = awaited
                        && instance == (*func).instance
                        && let Some(position) = block.position(return_to.call_before())
                    {
                        tier_up.found_call(&running, position, callee);
                    }
                    let by_first_tier = !is_outermost(fp);
                    tier_up.sampled(&running, samples, by_first_tier);
                }
                awaited = Some((fp.return_to(), (*func).instance, index));
            } else {
                awaited = None;
            }
            fp = fp.caller();
        }
    }
}

/// Lets `code` take the function from the loop at which its frame is to its end.
///
/// # Safety
/// As for [`event`]; `code` is of that loop, `block` the function's.
unsafe fn enter_loop(func: *mut VmFunc, fp: Fp, block: &CodeBlock, code: &dyn LoopCode) -> Status {
    // SAFETY: the frame is whole, and all in use is below its end.
    unsafe {
        let store = (*(*func).instance).store;
        let (top, caller) = ((*store).stack_top, (*store).caller);
        (*store).exit_fp = fp;
        (*store).exit_ip = external_cell();
        (*store).stack_top = fp.as_ptr().add(block.frame_slots as usize);
        let mut status = code.enter(store, func, fp);
        if status == Status::TAIL && !is_outermost(fp) {
            let arg_slots = (*func).arg_slots;
            status = finish_tail_calls(store, fp.args(arg_slots), arg_slots as usize);
        }
        (*store).stack_top = top;
        if status == Status::TAIL {
            return status;
        }
        (*store).caller = caller;
        if status == Status::OK && is_interrupted(store) {
            (*store).trap_code = TrapCode::Interrupted;
            return Status::TRAP;
        }
        status
    }
}

#[cfg(all(test, wasmr_copy_patch))]
mod tests {
    use std::sync::Arc;

    use wasmr_core::registry::TypeRegistry;
    use wasmr_module::{Features, Module};

    use crate::ModuleCode;
    use crate::code::CodeOptions;
    use crate::copy_patch::{CopyWhen, contains};

    #[test]
    fn a_function_copied_before_its_first_execution_is_not_copied_again() {
        let bytes = wat::parse_str("(module (func (result i32) (i32.const 1)))").unwrap();
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.into(), "a", &Features::default(), &types, 1).unwrap();
        let code = ModuleCode::with_options(
            module,
            CodeOptions { copy_and_patch: Some(CopyWhen { after: 0, events_per_sample: 0 }), ..CodeOptions::default() },
        );
        let block = code.get_or_translate(0, true).unwrap();
        assert!(
            contains(block.cells.handler(0) as usize),
            "this test needs a system that lets it execute what it wrote"
        );
        assert!(!block.warmth.claim_copying());
    }
}
