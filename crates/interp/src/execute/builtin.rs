//! Libcalls: one instruction for all operators that the runtime executes.

use wasmr_core::trap::TrapCode;
use wasmr_runtime::builtins::BuiltinFn;
use wasmr_runtime::vm::Status;

use super::dispatch::{Machine, handlers, is_interrupted};
use super::exception::leave_with;

/// Returns the first slot of the operands of a `builtin` instruction.
///
/// # Safety
/// The handlers' contract, for a `builtin` instruction.
#[inline(always)]
pub(crate) unsafe fn operands(m: &Machine) -> *mut u64 {
    // SAFETY: by the handlers' contract, each slot that the instruction names is in the frame.
    unsafe { m.fp.offset(m.imm() as isize) }
}

handlers! {
    /// Executes an operator by a libcall. The lower half of word 1 is its row in the table of libcalls. Operands are in the
    /// slots from `imm` on; the result replaces the first operand. Word 2 is the function, word 3 the immediates. Further words
    /// are for handlers that execute some cases themselves. This handler keeps a frame, so it is not inlined into them.
    #[inline(never)]
    fn builtin[const WORDS: usize](m) {
        // The libcall may collect garbage. The collector looks for references in the frames from here on.
        m.note_exit();
        let entry = std::mem::transmute::<u64, BuiltinFn>(m.word(2));
        let status = entry(m.inst, m.word(3), operands(&m));
        if status != Status::OK {
            m.acc = status.0 as u64;
            return m.enter(builtin_ended);
        }
        // The guest chose the size of a fill or a copy and thus the duration: thousands of them may be before a budget interrupt.
        let store = (*m.inst).store;
        if is_interrupted(store) {
            (*store).trap_code = TrapCode::Interrupted;
            m.acc = Status::TRAP.0 as u64;
            return m.enter(builtin_ended);
        }
        m.reload_memory();
        m.next(WORDS)
    }

    /// Continues after a libcall that ended early with the status in `acc`.
    #[cold]
    #[inline(never)]
    fn builtin_ended[](m) {
        let status = Status(m.acc as usize);
        leave_with(m, status)
    }
}
