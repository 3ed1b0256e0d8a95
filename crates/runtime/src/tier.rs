//! The one seam between live objects and whatever executes them. The engine implements it; the runtime names no tier.

use std::ffi::c_void;

use crate::vm::{ArrayCall, VmFunc, VmStore};

/// The two entries with which a function slot is born.
#[derive(Clone, Copy, Debug)]
pub struct FuncEntry {
    /// For [`VmFunc::code`].
    pub code: *const u64,
    /// For [`VmFunc::entry`].
    pub entry: ArrayCall,
}

/// One frame of a guest's call stack.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The function.
    pub func: *const VmFunc,
    /// Offset in the module's bytes of the operator being executed, if known.
    pub offset: Option<usize>,
}

/// What a store needs of the tiers, whatever the module.
pub trait Tier: Send + Sync {
    /// [`VmFunc::code`] for a function that is reached through [`VmFunc::entry`] only, as host functions are.
    fn foreign_code(&self) -> *const u64;

    /// [`VmFunc::native`] for a function of which no caller in machine code has been seen yet; null where nothing is compiled.
    fn unresolved_native(&self) -> *const c_void {
        std::ptr::null()
    }

    /// The guest's frames from the one that trapped, threw or called the host, innermost first; at most `max`, and how
    /// many there are in all.
    fn frames(&self, store: &VmStore, max: usize) -> (Vec<Frame>, usize);

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

    /// Stored as [`VmInstance::tier_data`](crate::vm::VmInstance::tier_data); valid as long as `self`.
    fn vm_data(&self) -> *const c_void;
}
