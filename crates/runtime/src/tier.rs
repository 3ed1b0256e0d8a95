//! The one seam between live objects and whatever executes them. The engine implements it; the runtime names no tier.

use std::ffi::c_void;
use std::sync::Arc;

use crate::frame::{Fp, Ip};
use crate::running::RunningFunc;
use crate::vm::{ArrayCall, Status, VmFunc, VmStore};
use crate::walk::Walk;

/// The two entry pointers of a new function record.
#[derive(Clone, Copy, Debug)]
pub struct FuncEntry {
    /// For [`VmFunc::code`].
    pub code: Ip,
    /// For [`VmFunc::entry`].
    pub entry: ArrayCall,
}

/// What a store needs of the tiers, whatever the module.
pub trait Tier: Send + Sync {
    /// [`VmFunc::code`] for a function that is reached through [`VmFunc::entry`] only, as host functions are.
    fn external_code(&self) -> Ip;

    /// [`VmFunc::native`] for a function of which no caller in machine code has been seen yet; null where nothing is compiled.
    fn unresolved_native(&self) -> *const c_void {
        std::ptr::null()
    }

    /// Takes a walk over the guest's frames to its end, from the one that trapped, threw or called the host.
    fn walk(&self, walk: &mut Walk<'_>);

    /// One past the last slot of the value stack that may hold a live value, asked when exceptions are collected. All
    /// of it, unless the tier knows better.
    fn stack_in_use(&self, store: &VmStore) -> *mut u64 {
        store.stack_limit
    }
}

/// What an instance needs of the tiers: how to run the functions of its module.
pub trait Executable: Send + Sync {
    /// The entries of a defined function, `index` counted from the first defined one. Must be callable at once.
    fn first_entry(&self, index: u32) -> FuncEntry;

    /// Function entries and loop iterations before the first budget interrupt of a new instance.
    fn initial_budget(&self) -> i32;

    /// Machine code calls the function for the first time in its instance: its record may be given machine code before that goes
    /// on. Asked by the thread that runs the store.
    fn first_native_call(&self, _func: &RunningFunc<'_>) {}

    /// Stored as [`VmInstance::tier_data`](crate::vm::VmInstance::tier_data); valid as long as `self`.
    fn vm_data(&self) -> *const c_void;
}

/// Decides which functions of a module get a better tier, and when. The first tier asks it; whoever implements it gives the
/// functions their new entries.
///
/// It is asked by the thread that runs the store of the function: no other may change function records.
pub trait TierUp: Send + Sync {
    /// A function is about to be executed for the first time in its instance, by the first tier unless it has better entries
    /// afterwards.
    fn first_call(&self, func: &RunningFunc<'_>);

    /// A budget interrupt: the budget of the instance is spent. The function is at the word `position` of the first tier's code, and
    /// if a loop starts there, all its values are in its frame.
    fn budget_interrupt(&self, func: &RunningFunc<'_>, position: u32) -> BudgetInterrupt;

    /// An [ordinary](BudgetInterrupt::Ordinary) event found the function executing, or waiting for one that is; with this one `samples`
    /// times, in whatever instance. `by_first_tier`: its caller is one that the first tier executes.
    fn sampled(&self, func: &RunningFunc<'_>, samples: u32, by_first_tier: bool);

    /// The same event found `caller` waiting for a call of the function of that index, counted from the first that its module
    /// defines, and in the same instance. The call is at the word `position` of the first tier's code.
    fn found_call(&self, _caller: &RunningFunc<'_>, _position: u32, _callee: u32) {}
}

/// What a budget interrupt comes to.
pub enum BudgetInterrupt {
    /// It counts as a sample.
    Ordinary,
    /// It came early, because [`RunningFunc::set_budget`] asked for that: it says nothing about what is hot.
    Early,
    /// This code takes the function from here to its end.
    Enter(Arc<dyn LoopCode>),
}

/// A better tier's code of a function, from a loop on.
pub trait LoopCode: Send + Sync {
    /// Executes the function to its end, given its frame in the first tier. The results are where a call of the function leaves
    /// them. As for an [`ArrayCall`], the end may be a [`Status::TAIL`].
    ///
    /// # Safety
    /// `func` is the function that the code is of, in the instance of a live store; `frame` is its frame, at that loop, and all
    /// frames in use are below [`VmStore::stack_top`].
    unsafe fn enter(&self, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status;
}
