//! [`RunningFunc`]: a function of a store that the current thread runs.
//!
//! Only the tier that executes the function creates one, by an `unsafe` call, and passes it to [`Executable`]. The value proves
//! that this thread may change the function record, so the methods of `Executable` are safe.

use std::marker::PhantomData;
use std::sync::Arc;

use wasmr_module::Module;

use crate::frame::Ip;
use crate::instance::InstanceObject;
use crate::tier::Executable;
use crate::vm::{VmFunc, VmInstance};

/// A defined function of an instance, whose store this thread runs.
#[derive(Clone, Copy, Debug)]
pub struct RunningFunc<'a> {
    func: *mut VmFunc,
    /// Keeps the value on this thread, and within `'a`.
    here: PhantomData<&'a *mut VmFunc>,
}

impl<'a> RunningFunc<'a> {
    /// # Safety
    /// `func` is the record of a function that its instance defines, in a store that this thread runs during `'a`. No Rust
    /// reference to the record or to the instance's header is in use.
    pub unsafe fn new(func: *mut VmFunc) -> RunningFunc<'a> {
        RunningFunc { func, here: PhantomData }
    }

    /// Returns the function record.
    pub fn as_ptr(&self) -> *mut VmFunc {
        self.func
    }

    fn instance(&self) -> *mut VmInstance {
        // SAFETY: the caller of `new` promised a live function record.
        unsafe { (*self.func).instance }
    }

    fn object(&self) -> &InstanceObject {
        // SAFETY: the instance of a live function is alive, and its `instance` field points to its Rust side.
        unsafe { &*(*self.instance()).instance }
    }

    /// Returns the module that defines the function.
    pub fn module(&self) -> &Arc<Module> {
        self.object().module()
    }

    /// Returns the module's code, to which tiers report.
    pub fn executable(&self) -> &dyn Executable {
        self.object().code()
    }

    /// Returns the function's index, counted from the first defined one.
    pub fn defined_index(&self) -> u32 {
        // SAFETY: the caller of `new` promised a live function record.
        let index = unsafe { (*self.func).index };
        index - self.object().layout().imported_func_count
    }

    /// Returns true if memory 0 of the instance is guard-paged.
    pub fn memory0_guarded(&self) -> bool {
        // SAFETY: the instance of a live function is alive, and no other thread writes its header.
        unsafe { (*self.instance()).memory0_guarded }
    }

    /// Returns the [`VmFunc::code`] of external callees, which the interpreter calls through [`VmFunc::entry`].
    pub fn external_code(&self) -> Ip {
        // SAFETY: the store of a live instance is alive, and its `store` field points to its Rust side. This thread
        // runs the store, so nothing else uses it meanwhile.
        unsafe { (*(*(*self.instance()).store).store).tier().external_code() }
    }

    /// Returns another defined function of the instance.
    ///
    /// # Panics
    /// If the module defines no function of that index.
    pub fn sibling(&self, defined_index: u32) -> RunningFunc<'a> {
        assert!(defined_index < self.module().defined_func_count(), "there is no function {defined_index}");
        RunningFunc { func: self.object().defined_func(defined_index), here: PhantomData }
    }

    /// Returns the engine's word of the instance, 0 at first.
    pub fn engine_word(&self) -> u32 {
        // SAFETY: the instance of a live function is alive, and no other thread writes its header.
        unsafe { (*self.instance()).engine_word }
    }

    /// Stores the engine's word of the instance.
    pub fn set_engine_word(&self, word: u32) {
        // SAFETY: the instance is alive, and the caller of `new` promised that no reference to its header is in use.
        unsafe { (*self.instance()).engine_word = word }
    }
}
