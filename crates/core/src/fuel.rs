//! What execution costs in fuel: the one definition that every tier follows, so that a program uses the same amount in all.
//!
//! A *block* is a run of operators that are executed all or none but for a trap or a throw: it ends with the operator that may
//! branch or with the mark that opens or closes a loop, an arm of an `if` or another structure. Its cost is taken when it is
//! entered, before any of it is executed, and is the number of its operators, marks not counted. Operators that work on as
//! many bytes or elements as an operand says cost more by that operand, taken just before they are executed.

/// Bytes that a bulk operator on memory handles for one unit of fuel, as a power of two.
pub const BYTES_PER_FUEL_LOG2: u32 = 6;
/// Elements that a bulk operator on a table handles for one unit of fuel, as a power of two.
pub const ELEMENTS_PER_FUEL_LOG2: u32 = 3;
