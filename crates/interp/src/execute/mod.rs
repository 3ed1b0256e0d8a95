//! Execution of translated code: the handlers, in files by instruction category as in `translate/`.
//!
//! [`dispatch`] is the only file that knows how one handler continues in the next. [`operand`] has the places of operands and
//! results, [`hooks`] the calls to the parts of the crate that are built on handlers, [`frame`] calls and returns, [`access`] the way from memory faults to traps. [`fused`] has the instructions that do the
//! work of two operators. The other files have the operators. [`instr`](crate::instr) tells which handler belongs to which
//! instruction.

pub mod access;
pub mod builtin;
pub mod bulk_memory;
pub mod call;
pub mod control;
pub mod dispatch;
pub mod exception;
pub mod frame;
pub mod fuel;
pub mod fused;
pub(crate) mod hooks;
pub mod memory;
pub mod numeric;
pub mod operand;
pub mod reference;
pub mod self_test;
pub mod simd;
pub mod simd_memory;
pub mod table;
pub mod variable;

#[cfg(all(test, wasmr_tail))]
mod tests;
