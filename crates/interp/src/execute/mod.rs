//! Executes translated code: the handlers, by instruction category as in `translate/`, and how they reach one another.
//!
//! [`dispatch`] is the only file that knows how one handler continues in the next; [`operand`] where operands come from;
//! [`frame`] how calls lay out the value stack; [`access`] how memory faults become traps; [`fused`] are cells that stand for two
//! operators; [`rows`] lists the handlers of each operator of core's table. The other files are the operators.

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
pub mod memory;
pub mod numeric;
pub mod operand;
pub mod reference;
pub mod rows;
pub mod self_test;
pub mod simd;
pub mod simd_memory;
pub mod table;
pub mod variable;
