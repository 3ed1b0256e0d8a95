//! The operators that the runtime executes: one instruction for all of them.

use wasmr_runtime::builtins::BuiltinFn;
use wasmr_runtime::vm::Status;

use super::dispatch::{Machine, handlers};
use super::exception::leave_with;

/// The first slot of the operands of a `builtin` instruction.
///
/// # Safety
/// The handlers' contract; the instruction is one.
#[inline(always)]
pub unsafe fn operands(m: &Machine) -> *mut u64 {
    // SAFETY: the caller's promise: the slot is in the frame.
    unsafe { m.fp.offset(m.imm() as isize) }
}

handlers! {
    /// Row of the table in the lower half of word 1; operands in the slots from the one that `imm` names on, the result over the
    /// first; entry in word 2, immediates in word 3. Further words are for handlers that do some cases themselves.
    /// Stays out of handlers that go on here: this one keeps a frame.
    #[inline(never)]
    fn builtin[const WORDS: usize](m) {
        // It may collect garbage, which looks for references from here on.
        m.note_exit();
        let entry = std::mem::transmute::<u64, BuiltinFn>(m.word(2));
        let status = entry(m.inst, m.word(3), operands(&m));
        if status != Status::OK {
            m.acc = status.0 as u64;
            return m.enter(builtin_ended);
        }
        m.reload_memory();
        m.next(WORDS)
    }

    /// The status is in `acc`.
    #[cold]
    #[inline(never)]
    fn builtin_ended[](m) {
        let status = Status(m.acc as usize);
        leave_with(m, status)
    }
}
