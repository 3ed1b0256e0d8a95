//! The one seam between live objects and whatever executes them. The engine implements it; the runtime names no tier.

use std::ffi::c_void;

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

/// Functions of one module, as its instances and the tiers that execute them see it: entry pointers, and reports of the profile.
///
/// A report is made by the thread that runs the store of the function. No other thread may change function records, so this is the
/// moment to install machine code.
pub trait Executable: Send + Sync {
    /// Returns the first entry pointers of a defined function, `index` counted from the first defined one. They must be callable at
    /// once.
    fn first_entry(&self, index: u32) -> FuncEntry;

    /// Returns the number of function entries and backward jumps before the first budget interrupt of a new instance.
    fn initial_budget(&self) -> i32;

    /// Returns the word for [`VmInstance::tier_data`](crate::vm::VmInstance::tier_data), valid as long as `self`.
    fn vm_data(&self) -> *const c_void;

    /// Reports that the function is about to be called for the first time in its instance: by the interpreter, or by machine code.
    /// Afterwards its record may have better entry pointers.
    fn first_call(&self, _func: &RunningFunc<'_>) {}

    /// Reports a budget interrupt in the function: the interpreter used up the budget of the instance. `at_loop` is the offset in the
    /// module of the `loop` operator at whose header control is, if it is at one. All values are then in the frame.
    fn budget_interrupt(&self, _func: &RunningFunc<'_>, _at_loop: Option<usize>) -> BudgetInterrupt {
        BudgetInterrupt::Ordinary
    }

    /// Reports that a sample found the function executing, or waiting for a function that was. `samples` counts all that found it, in
    /// whatever instance, this one included. `by_interpreter` is true if its caller is interpreted.
    fn sampled(&self, _func: &RunningFunc<'_>, _samples: u32, _by_interpreter: bool) {}

    /// Reports that a sample found `caller` waiting at `site` for the function of index `callee`, counted from the first that the
    /// module defines. Both are of one instance.
    fn record_call(&self, _caller: &RunningFunc<'_>, _site: CallSiteId, _callee: u32) {}
}

/// A call operator of a function, in a form that costs the interpreter nothing to tell. Only the interpreter can resolve it to an
/// offset in the module; that takes time and is no work for the guest's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallSiteId(pub u32);

/// Outcome of a budget interrupt.
#[derive(Clone, Copy, Debug)]
pub enum BudgetInterrupt {
    /// The interrupt counts as a sample.
    Ordinary,
    /// The interrupt came early, because [`RunningFunc::set_budget`] asked for that. It says nothing about what is hot.
    Early,
    /// This code continues the function from here to its end.
    Enter(OsrCode),
}

/// OSR code: machine code of a function that begins at a loop header, with the interpreter's frame. Valid as long as the
/// [`Executable`] that gave it.
#[derive(Clone, Copy, Debug)]
pub struct OsrCode {
    /// Executes the function to its end, given its frame. The results are where a call of the function leaves them. As for an
    /// [`ArrayCall`], the end may be a [`Status::TAIL`].
    ///
    /// # Safety
    /// The first argument is this very code. `func` is the function that it was made of, in the instance of a live store. `frame` is
    /// its frame, at the loop's header, and all frames in use are below [`VmStore::stack_top`].
    pub enter: unsafe fn(code: &OsrCode, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status,
    /// Address of the first instruction.
    pub address: usize,
    /// Bytes of code.
    pub len: usize,
    /// Address of the OSR trampoline.
    pub trampoline: usize,
    /// True if the code has a second entry at the function's start. It then takes the frame from
    /// [`VmInstance::loop_frame`](crate::vm::VmInstance::loop_frame).
    pub dual_entry: bool,
}
