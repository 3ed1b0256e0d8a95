//! Tier transitions: whatever mix of its functions is interpreted, compiled and inlined, a program returns the same results,
//! and stops with the same error at the same place.
//!
//! [`support`] runs one module in all [`configurations`] and compares the ends. The other modules are tests, one for each
//! subject of a transition. `tests/signatures/` tests arguments and results.
#![cfg(feature = "jit")]

mod bulk_memory;
mod calls;
#[path = "../configurations/mod.rs"]
mod configurations;
mod ends;
mod exceptions;
mod loops;
mod memories;
mod paired_calls;
mod random;
mod references;
mod stack;
mod support;
mod tables;
mod tail_calls;
mod traps;
mod unreachable;
