//! [`CompiledCode`]: the machine code of a function before it is in place, with all that is known of it.
//!
//! Comes from `compile`; goes to `link`, which puts it in place, and to `registry`, which answers for its addresses.

use cranelift_module::ModuleReloc;
use wasmr_core::trap::TrapCode;

use crate::positions::Positions;

/// Machine code and what must be known of it. Offsets are from its start.
pub(crate) struct CompiledCode {
    pub code: Vec<u8>,
    /// What is to be filled in.
    pub relocs: Vec<ModuleReloc>,
    /// Instructions that may trap, in order.
    pub traps: Vec<(u32, TrapCode)>,
    /// Calls that an exception may end, in order.
    pub call_sites: Vec<CallSite>,
    /// From where on code is of which position, in order.
    pub positions: Vec<(u32, u32)>,
    /// What positions mean; none in code that is not of a function of a module.
    pub table: Option<Positions>,
    /// The ways out that calls in it may take.
    pub exits: Vec<Exit>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// Where the call returns to.
    pub return_offset: u32,
    /// From the frame pointer down to the stack pointer at the call.
    pub frame_offset: u32,
    /// From that up to the word that is the instance, if handlers name tags.
    pub instance_offset: Option<u32>,
    /// What takes exceptions, in any order.
    pub handlers: Vec<Handler>,
}

/// What takes exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    /// Where the instance has the tag; any exception if none is said.
    pub tag: Option<u32>,
    /// Where the exceptions go.
    pub code: u32,
}

/// A call that leaves compiled code unless its callee is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The type of the functions called.
    pub type_index: u32,
    /// Whether it is a function that the module imports.
    pub imported: bool,
}
