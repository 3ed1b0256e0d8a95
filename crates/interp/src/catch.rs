//! The search of one frame for the catch clause of an exception.
//!
//! [`exception`](crate::execute::exception) walks the frames and asks here for each of them, through a
//! [hook](crate::execute::hooks).

use wasmr_runtime::builtins;
use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::VmTag;

use crate::code::code_block_of;

/// Returns the instruction at which the innermost matching catch clause around `at` continues, null if there is none. Puts the
/// values that the clause passes on in place. If there is no room for an object that the clause needs, returns null and sets
/// `VmStore::pending_exception` to 0.
///
/// # Safety
/// `fp` is a live frame of a wasm function that this crate executes, and `at` points into the frame's current instruction.
pub(crate) unsafe fn catch_clause(fp: Fp, at: Ip, tag: *const VmTag, exception: u64) -> Ip {
    // SAFETY: the caller promises what `clause` asks for.
    unsafe { clause(fp, at, tag, exception) }.unwrap_or(Ip::NULL)
}

/// Returns the result of [`catch_clause`], `None` if there is no such clause.
///
/// # Safety
/// As for [`catch_clause`].
unsafe fn clause(fp: Fp, at: Ip, tag: *const VmTag, exception: u64) -> Option<Ip> {
    // SAFETY: the function of a live frame and its instance are alive. The translator gave the clause slots of the frame.
    unsafe {
        let func = fp.func();
        let inst = (*func).instance;
        let block = code_block_of(func)?;
        let position = block.position(at)?;
        let tag_at = |index| *inst.byte_add(block.layout.tag(index) as usize).cast::<*const VmTag>();
        for region in block.try_regions.around(position) {
            for catch in &region.catches {
                if catch.tag.is_some_and(|index| tag_at(index) != tag) {
                    continue;
                }
                if catch.tag.is_some() {
                    let out = fp.offset(catch.payload as isize);
                    builtins::exception::exception_payload((*inst).store, exception, out);
                }
                if let Some(slot) = catch.reference {
                    let object = builtins::exception::exception_object((*inst).store, exception);
                    if object == 0 {
                        (*(*inst).store).pending_exception = 0;
                        return None;
                    }
                    *fp.offset(slot as isize) = object;
                }
                return Some(block.instruction(catch.target));
            }
        }
        None
    }
}
