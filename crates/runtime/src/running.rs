//! [`RunningFunc`]: a function in the hands of the thread that runs its store.
//!
//! Made by the tier that executes it, for [`Executable`]: what that does with function records is then safe, as
//! it cannot come by one in another way.

use std::marker::PhantomData;
use std::sync::Arc;

use wasmr_module::Module;

use crate::frame::Ip;
use crate::instance::InstanceObject;
use crate::tier::Executable;
use crate::vm::{VmFunc, VmInstance};

/// A function that a module defines, in an instance of a store that this thread runs.
#[derive(Clone, Copy, Debug)]
pub struct RunningFunc<'a> {
    func: *mut VmFunc,
    /// Neither sent to other threads nor kept.
    here: PhantomData<&'a *mut VmFunc>,
}

impl<'a> RunningFunc<'a> {
    /// # Safety
    /// `func` is the record of a function that its instance defines, in a store that this thread runs for as long as `'a`; no
    /// reference into the slot or the instance's header is in use.
    pub unsafe fn new(func: *mut VmFunc) -> RunningFunc<'a> {
        RunningFunc { func, here: PhantomData }
    }

    /// The slot.
    pub fn as_ptr(&self) -> *mut VmFunc {
        self.func
    }

    fn instance(&self) -> *mut VmInstance {
        // SAFETY: the slot is alive, as `new` was promised.
        unsafe { (*self.func).instance }
    }

    fn object(&self) -> &InstanceObject {
        // SAFETY: the instance of a live function is alive, and knows its Rust side.
        unsafe { &*(*self.instance()).instance }
    }

    /// The module that defines it.
    pub fn module(&self) -> &Arc<Module> {
        self.object().module()
    }

    /// Returns the executable of its module, to which the tiers report what the function does.
    pub fn executable(&self) -> &dyn Executable {
        self.object().code()
    }

    /// Its index, counted from the first function that the module defines.
    pub fn defined_index(&self) -> u32 {
        // SAFETY: as above.
        let index = unsafe { (*self.func).index };
        index - self.object().layout().imported_func_count
    }

    /// Whether memory 0 of its instance is guarded.
    pub fn memory0_guarded(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.instance()).memory0_guarded }
    }

    /// What [`VmFunc::code`] is for functions of its store that the first tier does not execute itself.
    pub fn external_code(&self) -> Ip {
        // SAFETY: the store of a live instance is alive and knows its Rust side, to which this thread has no reference in use.
        unsafe { (*(*(*self.instance()).store).store).tier().external_code() }
    }

    /// Another function that the instance defines.
    ///
    /// # Panics
    /// If the module defines no function of that index.
    pub fn sibling(&self, defined_index: u32) -> RunningFunc<'a> {
        assert!(defined_index < self.module().defined_func_count(), "there is no function {defined_index}");
        RunningFunc { func: self.object().defined_func(defined_index), here: PhantomData }
    }

    /// Lets the next budget interrupt come after so many calls and loops.
    pub fn set_budget(&self, budget: i32) {
        // SAFETY: as above; nobody refers to the field.
        unsafe { (*self.instance()).budget = budget }
    }

    /// Returns the engine's word of the instance, 0 at first.
    pub fn engine_word(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.instance()).engine_word }
    }

    /// Stores the engine's word of the instance.
    pub fn set_engine_word(&self, word: u32) {
        // SAFETY: as above; nobody refers to the field.
        unsafe { (*self.instance()).engine_word = word }
    }
}
