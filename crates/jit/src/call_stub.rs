//! Call stubs: the targets of direct calls of functions that have no code yet.
//!
//! A function of a module calls the others directly. If the callee has code, the linker writes its distance. If not, it writes the
//! distance of a call stub, which jumps to the code in the callee's [`VmFunc`]: an exit trampoline, or its machine code once
//! that is installed. Entries of procedure linkage tables do the same for calls of shared libraries (System V ABI for
//! x86-64, section 5.2). In an image, later linking replaces the stub by the function.

use std::mem::offset_of;

use wasmr_runtime::vm::{VmFunc, VmLayout};

/// Bytes of a call stub.
pub(crate) const STUB_LEN: usize = 16;

/// Returns the code of the call stub for a defined function.
///
/// The stub has the callee's arguments in their registers: the first, `rdi`, is the instance of the caller, which is that of the
/// callee. `rax` carries no argument in Cranelift's `Tail` convention.
pub(crate) fn call_stub(layout: &VmLayout, defined_index: u32) -> [u8; STUB_LEN] {
    let func = layout.defined_func(defined_index) as usize;
    let field = |offset: usize| ((func + offset) as u32).to_le_bytes();
    let native = field(offset_of!(VmFunc, native));
    let context = field(offset_of!(VmFunc, native_context));
    let mut code = [0; STUB_LEN];
    // mov rax, [rdi + native]
    code[..3].copy_from_slice(&[0x48, 0x8b, 0x87]);
    code[3..7].copy_from_slice(&native);
    // mov rdi, [rdi + native_context]
    code[7..10].copy_from_slice(&[0x48, 0x8b, 0xbf]);
    code[10..14].copy_from_slice(&context);
    // jmp rax
    code[14..].copy_from_slice(&[0xff, 0xe0]);
    code
}
