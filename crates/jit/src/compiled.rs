//! [`CompiledCode`]: the machine code of a function before it is linked, with its [tables](CodeTables).
//!
//! `compile` makes it. `link` copies the code to code memory, and `registry` keeps the tables to look addresses up.

use crate::tables::CodeTables;

/// Machine code that is not linked. All offsets are from the start of the code.
pub(crate) struct CompiledCode {
    pub code: Vec<u8>,
    /// Calls of functions of the module, whose distances the linker fills in.
    pub relocs: Vec<CallReloc>,
    pub tables: CodeTables,
    /// Exit trampolines that calls of the code may need.
    pub exits: Vec<Exit>,
}

/// A direct call of a defined function. The linker writes the distance of the callee, as for `R_X86_64_PC32` of the System V ABI for
/// x86-64, section 4.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallReloc {
    /// Offset of the 32-bit distance.
    pub offset: u32,
    /// Index of the callee among the functions that the module defines.
    pub callee: u32,
}

impl CallReloc {
    /// Returns true if the field is within code of so many bytes, and the callee is one of so many defined functions.
    pub(crate) fn fits(&self, code_len: usize, defined_funcs: u32) -> bool {
        (self.offset as usize).checked_add(4).is_some_and(|end| end <= code_len) && self.callee < defined_funcs
    }

    /// Writes the distance into `code`, which is going to be at `address` and to call a function at `callee`. Both are addresses, or
    /// both are offsets in an image. Returns `None` if the callee is too far away.
    pub(crate) fn write(&self, code: &mut [u8], address: usize, callee: usize) -> Option<()> {
        let field = self.offset as usize..self.offset as usize + 4;
        // The processor counts from the next instruction, which begins after the field.
        let distance = callee.wrapping_sub(address + field.end).cast_signed();
        code[field].copy_from_slice(&i32::try_from(distance).ok()?.to_le_bytes());
        Some(())
    }
}

/// An exit trampoline that a call needs if its callee has no machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Index of the callee's type in the module.
    pub type_index: u32,
    /// True if the callee is an import of the module, which may be a host function.
    pub imported: bool,
}
