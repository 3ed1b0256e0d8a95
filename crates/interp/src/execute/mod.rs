//! Execution of translated code: the handlers, in files by instruction category as in `translate/`.
//!
//! [`dispatch`] is the only file that knows how one handler continues in the next. [`operand`] has the places of operands and
//! results, [`frame`] calls and returns, [`pairs`] the native stack. [`hooks`] has the calls to the parts of the crate that are built on handlers.
//! [`access`] turns memory faults into traps. [`fused`] has the instructions that do the work of two operators. The other files
//! have the operators. [`instr`](crate::instr) tells which handler belongs to which instruction.

pub(crate) mod access;
pub(crate) mod atomic;
pub(crate) mod builtin;
pub(crate) mod bulk_memory;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod dispatch;
pub(crate) mod exception;
pub(crate) mod frame;
pub(crate) mod fuel;
pub(crate) mod fused;
pub(crate) mod heap;
pub(crate) mod hooks;
pub(crate) mod memory;
pub(crate) mod numeric;
pub(crate) mod operand;
pub(crate) mod pairs;
pub(crate) mod reference;
pub(crate) mod self_test;
pub(crate) mod simd;
pub(crate) mod simd_memory;
pub(crate) mod table;
pub(crate) mod variable;

use dispatch::Handler;
use operand::{Acc, SlotD};

/// Handlers that no instruction starts with, but other handlers continue in. Taking their addresses keeps their signatures. If
/// all uses of such a function were jumps of this crate, LLVM would drop its unused arguments, and every handler that may jump
/// there would have to move registers.
#[used]
static CONTINUED_IN: [Handler; 9] = [
    builtin::builtin::<5>,
    builtin::builtin_ended,
    call::call_indirect_checked::<Acc>,
    call::call_indirect_checked::<SlotD>,
    dispatch::budget_interrupt,
    dispatch::raise,
    frame::taken_over,
    pairs::leave,
    pairs::limit_pairs,
];

#[cfg(all(test, wasmr_tail))]
mod tests;
