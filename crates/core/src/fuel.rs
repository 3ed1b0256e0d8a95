//! Fuel costs of execution. Every tier follows this one definition, so a program consumes the same amount in all of them.
//!
//! A *basic block* is a sequence of operators that are executed all or none, traps and throws aside. It ends with an
//! operator that may branch, or with a mark: the start or end of a loop, of an arm of an `if`, or of another structure. Its
//! cost is the number of its operators without marks, and is paid when control enters the block. Work that one operator
//! can make arbitrarily large costs more:
//!
//! - An operator with an operand that counts bytes or elements pays one unit for each 64 bytes or 8 elements, just before
//!   it is executed.
//! - Slots that a function clears or that an operator moves cost one unit for each [`SLOTS_PER_FUEL`], as part of the
//!   block. The first operator of a function pays for its declared locals; a call for parameters and results; a branch, a
//!   `return` or the end of a block for the values that it carries; a `throw` for its arguments.
//! - A `try_table` or legacy `try` pays for its largest payload and one slot for each of its clauses, as if it moved them. This pays in advance
//!   for the search of a later throw through the clauses.

/// Binary logarithm of the bytes that a bulk memory operator processes for one unit of fuel.
pub const BYTES_PER_FUEL_LOG2: u32 = 6;
/// Binary logarithm of the elements that a bulk table operator processes for one unit of fuel.
pub const ELEMENTS_PER_FUEL_LOG2: u32 = 3;
/// Slots of 8 bytes that are cleared or moved for one unit of fuel. Fewer slots cost nothing.
pub const SLOTS_PER_FUEL: u32 = 8;
