//! [`CompiledCode`]: the machine code of a function before it is linked, with its tables.
//!
//! `compile` makes it. `link` copies the code to code memory, and `registry` keeps the tables to look addresses up.

use cranelift_module::ModuleReloc;
use wasmr_core::trap::TrapCode;

use crate::source_map::SourceMap;

/// Machine code and its tables. All offsets are from the start of the code.
pub(crate) struct CompiledCode {
    pub code: Vec<u8>,
    /// Relocations: the addresses that the linker fills in.
    pub relocs: Vec<ModuleReloc>,
    /// Offsets and trap codes of the instructions that may trap, in order of offsets.
    pub traps: Vec<(u32, TrapCode)>,
    /// Calls with landing pads, in order of offsets.
    pub call_sites: Vec<CallSite>,
    /// Pairs of an offset and the source location of the code from there on, in order of offsets.
    pub source_locations: Vec<(u32, u32)>,
    /// Meaning of the source locations. `None` for trampolines, which are not code of a function of a module.
    pub source_map: Option<SourceMap>,
    /// Exit trampolines that calls of the code may need.
    pub exits: Vec<Exit>,
}

/// A call that an exception may leave for a landing pad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// Offset of the instruction that the call returns to.
    pub return_offset: u32,
    /// Bytes from the stack pointer at the call up to the frame pointer.
    pub frame_offset: u32,
    /// Bytes from that stack pointer up to the word which holds the instance. `None` if no landing pad names a tag.
    pub instance_offset: Option<u32>,
    /// Landing pads, in any order.
    pub landing_pads: Vec<LandingPad>,
}

/// A landing pad for exceptions of one tag, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LandingPad {
    /// Offset of the tag's pointer in the instance. `None` for any exception.
    pub tag: Option<u32>,
    /// Offset of the landing pad's first instruction.
    pub code: u32,
}

/// An exit trampoline that a call needs if its callee has no machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Index of the callee's type in the module.
    pub type_index: u32,
    /// True if the callee is an import of the module, which may be a host function.
    pub imported: bool,
}
