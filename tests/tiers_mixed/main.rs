//! What happens where tiers meet: whatever mix of functions is interpreted, compiled and inlined, a program gives the same
//! results, and ends in the same way at the same place.
//!
//! [`support`] runs one module in all [`configurations`] and compares; the other modules are tests, by what crosses from tier
//! to tier. Values that cross as arguments and results are the business of `tests/signatures/`.
#![cfg(feature = "jit")]

mod bulk_memory;
mod calls;
#[path = "../configurations/mod.rs"]
mod configurations;
mod ends;
mod exceptions;
mod loops;
mod memories;
mod random;
mod references;
mod stack;
mod support;
mod tables;
mod tail_calls;
mod traps;
mod unreachable;
