//! Hot events: what the interpreter does once in about a thousand function entries and backward jumps.
//!
//! Fed by the dispatcher, with the frame and the cell at which it is. The functions of the frame and of its callers are counted
//! as found; those found often enough are [stitched](crate::stitch), and whoever gives out better tiers
//! ([`TierUp`](wasmr_runtime::tier::TierUp)) hears of them. If there is better code for the very loop, the event ends with the function:
//! that code takes its frame and runs it to its end.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wasmr_core::trap::TrapCode;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::running::RunningFunc;
use wasmr_runtime::tier::{HotEvent, LoopCode};
use wasmr_runtime::vm::{Status, VmFunc, VmInstance, finish_tail_calls};

use crate::code::{CodeBlock, identify};
use crate::execute::dispatch::is_interrupted;
use crate::execute::frame::{foreign_cell, is_outermost};
use crate::stitch::{Stitched, Stitcher};

/// Gives no status: the interpreter goes on where it was.
pub const GO_ON: usize = usize::MAX;

/// How many hot events have found a function, and whether it was stitched for that.
#[derive(Debug, Default)]
pub struct Warmth {
    samples: AtomicU32,
    stitched: AtomicBool,
}

impl Warmth {
    /// Counts one more; how many there are with it.
    fn add(&self) -> u32 {
        self.samples.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Whether the function is still to be stitched; it is not any more after that.
    fn claim_stitching(&self) -> bool {
        !self.stitched.load(Ordering::Relaxed) && !self.stitched.swap(true, Ordering::Relaxed)
    }

    /// Undoes a claim: the function could not be stitched now.
    fn postpone_stitching(&self) {
        self.stitched.store(false, Ordering::Relaxed);
    }
}

/// Stitches the function, unless that was tried. What the host refuses for the moment is tried again at the next call of this.
pub fn stitch(stitcher: &Stitcher, block: &CodeBlock) {
    if block.warmth.claim_stitching() && stitcher.stitch(block) == Stitched::NotNow {
        block.warmth.postpone_stitching();
    }
}

/// A hot event at the cell `ip` in the frame `fp`: how the function ended, as a [`Status`], if another tier took it to its end;
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
            match tier_up.hot_event(&RunningFunc::new(func), position) {
                HotEvent::Ordinary => {}
                HotEvent::Early => return GO_ON,
                HotEvent::Enter(code) => return enter_loop(func, fp, block, &*code).0,
            }
        }
        sample(fp, code.options().sampled_frames);
        GO_ON
    }
}

/// A hot event at a call of a function that another tier executes, whose frame is `fp`: calls count whoever executes them, so
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
                if let Some(stitcher) = code.stitcher() {
                    if frame == 0 {
                        stitcher.count_event();
                    }
                    if stitcher.is_due(samples) {
                        stitch(stitcher, block);
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
        (*store).exit_ip = foreign_cell();
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

#[cfg(all(test, wasmr_stitch))]
mod tests {
    use std::sync::Arc;

    use wasmr_core::registry::TypeRegistry;
    use wasmr_module::{Features, Module};

    use crate::ModuleCode;
    use crate::code::CodeOptions;
    use crate::stitch::{StitchWhen, contains};

    #[test]
    fn what_is_stitched_before_its_first_execution_is_not_stitched_again() {
        let bytes = wat::parse_str("(module (func (result i32) (i32.const 1)))").unwrap();
        let types = Arc::new(TypeRegistry::new());
        let module = Module::new(bytes.into(), "a", &Features::default(), &types, 1).unwrap();
        let code = ModuleCode::with_options(
            module,
            CodeOptions { stitch: Some(StitchWhen { after: 0, events_per_sample: 0 }), ..CodeOptions::default() },
        );
        let block = code.get_or_translate(0, true).unwrap();
        assert!(
            contains(block.cells.handler(0) as usize),
            "this test needs a system that lets it execute what it wrote"
        );
        assert!(!block.warmth.claim_stitching());
    }
}
