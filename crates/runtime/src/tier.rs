//! The interface between live objects and the tiers. The engine implements both traits, and the runtime names no tier. A store
//! has one [`Tier`], which stands for all tiers together. Each module has an [`Executable`], which has the code of its
//! functions.

use std::ffi::c_void;

use crate::frame::{Fp, Ip};
use crate::running::RunningFunc;
use crate::vm::{ArrayCall, Status, VmFunc, VmStore};
use crate::walk::{FrameList, Place, Walk};

/// The two entry pointers of a new function record.
#[derive(Clone, Copy, Debug)]
pub struct FuncEntry {
    /// For [`VmFunc::code`].
    pub code: Ip,
    /// For [`VmFunc::entry`].
    pub entry: ArrayCall,
}

/// All tiers together, as a store uses them for functions of any module.
pub trait Tier: Send + Sync {
    /// Returns the [`VmFunc::code`] of functions that the interpreter calls through [`VmFunc::entry`], such as host functions.
    fn external_code(&self) -> Ip;

    /// Returns the [`VmFunc::native`] of functions that compiled code has not called yet; null where nothing compiles.
    fn unresolved_native(&self) -> *const c_void {
        std::ptr::null()
    }

    /// Continues a stack walk to its end. The walk begins at the frame that trapped, threw or called the host.
    fn walk(&self, walk: &mut Walk<'_>);

    /// Adds the frames of a place to a list, innermost first: several if functions were inlined, none if the place is in a
    /// trampoline.
    fn locate(&self, place: Place, frames: &mut FrameList);

    /// Returns the end of the slots of the value stack that may hold live values, for the collector. The default is the end of
    /// all slots for frames.
    fn stack_in_use(&self, store: &VmStore) -> *mut u64 {
        store.stack_limit
    }
}

/// The code of one module. Instances take the entry pointers of their functions from it, and tiers report to it what they
/// observe of the functions.
///
/// The thread that runs a function's store makes the reports about that function. No other thread may change function records,
/// so implementations install machine code during a report.
pub trait Executable: Send + Sync {
    /// Returns the first entry pointers of a defined function; `index` counts from the first defined one. Callers may use the
    /// pointers at once.
    fn first_entry(&self, index: u32) -> FuncEntry;

    /// Returns the number of calls and backward jumps before the first budget interrupt of a new instance.
    fn initial_budget(&self) -> i32;

    /// Returns the word for [`VmInstance::tier_data`](crate::vm::VmInstance::tier_data), valid as long as `self`.
    fn vm_data(&self) -> *const c_void;

    /// Reports that the interpreter or machine code is about to call the function for the first time in its instance.
    /// Afterwards the function record may have better entry pointers.
    fn first_call(&self, _func: &RunningFunc<'_>) {}

    /// Reports a budget interrupt in the function: the interpreter used up the budget of the instance. If control is at a loop
    /// header, `at_loop` is the offset of the `loop` operator in the module, and all values are in the frame. `weight` is the number
    /// of samples as which the interrupt counts for the function.
    fn budget_interrupt(&self, _func: &RunningFunc<'_>, _at_loop: Option<usize>, _weight: u32) -> BudgetInterrupt {
        BudgetInterrupt::Ordinary
    }

    /// Reports that a sample found the function executing, or waiting for a call to return. `samples` is the sum of the
    /// weights of all samples that found it so far, in any instance. `by_interpreter` is true if its caller is interpreted.
    fn sampled(&self, _func: &RunningFunc<'_>, _samples: u32, _by_interpreter: bool) {}

    /// Reports that a sample found `caller` waiting at the call site `site` for a defined function of the same instance;
    /// `callee` counts from the first defined one.
    fn record_call(&self, _caller: &RunningFunc<'_>, _site: CallSiteId, _callee: u32) {}
}

/// A call site, as a position in the interpreter's code of its function. The interpreter has the position at no cost. It can
/// also convert it to an offset in the module, which takes so long that another thread does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallSiteId(pub u32);

/// Outcome of a budget interrupt.
#[derive(Clone, Copy, Debug)]
pub enum BudgetInterrupt {
    /// The interrupt counts as a sample.
    Ordinary,
    /// The interpreter enters this OSR code, which continues the function to its end.
    Enter(OsrCode),
}

/// OSR code: machine code of a function that begins at a loop header, with the interpreter's frame. It is valid as long as the
/// [`Executable`] that returned it.
#[derive(Clone, Copy, Debug)]
pub struct OsrCode {
    /// Continues the function from its frame to its end. After [`Status::OK`] the results are in the frame's argument area. As
    /// for an [`ArrayCall`], the status may be [`Status::TAIL`].
    ///
    /// # Safety
    /// `code` is the value that contains this pointer. `func` is the function that the code was compiled from, in an instance
    /// of the live store `store`. `frame` is a frame of `func` at the loop's header. All frames in use are below
    /// [`VmStore::stack_top`].
    pub enter: unsafe fn(code: &OsrCode, store: *mut VmStore, func: *mut VmFunc, frame: Fp) -> Status,
    /// Address of the first instruction.
    pub address: usize,
    /// Bytes of code.
    pub len: usize,
    /// Address of the OSR trampoline.
    pub trampoline: usize,
    /// True if the code has a second entry at the function's start. The code then takes the frame from
    /// [`VmInstance::loop_frame`](crate::vm::VmInstance::loop_frame).
    pub dual_entry: bool,
}
