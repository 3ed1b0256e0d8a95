//! What execution costs in fuel: the one definition that every tier follows, so that a program uses the same amount in all.
//!
//! A *block* is a run of operators that are executed all or none but for a trap or a throw: it ends with the operator that may
//! branch or with the mark that opens or closes a loop, an arm of an `if` or another structure. Its cost is taken when it is
//! entered, before any of it is executed, and is the number of its operators, marks not counted. Work that one operator can
//! make arbitrarily large costs more:
//!
//! - An operator that works on as many bytes or elements as an operand says takes a unit for each 64 bytes or 8 elements of that
//!   operand, just before it is executed.
//! - Slots that a function clears or that an operator moves cost a unit for each [`SLOTS_PER_FUEL`] of them, as part of the
//!   block: the declared locals of a function with its first operator; parameters and results with a call; the values
//!   that a branch, a `return`, or the end of a block carries; the arguments of a `throw`.
//! - A `try_table` counts as if it moved a slot for each of its clauses, and its largest payload. So a throw was paid for by
//!   those that it looks through.

/// Bytes that a bulk operator on memory handles for one unit of fuel, as a power of two.
pub const BYTES_PER_FUEL_LOG2: u32 = 6;
/// Elements that a bulk operator on a table handles for one unit of fuel, as a power of two.
pub const ELEMENTS_PER_FUEL_LOG2: u32 = 3;
/// Slots of 8 bytes that are cleared or moved for one unit of fuel; less is free.
pub const SLOTS_PER_FUEL: u32 = 8;
