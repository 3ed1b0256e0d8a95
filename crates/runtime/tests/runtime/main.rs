//! Live objects without a real tier: the entries of functions are written in Rust ([`fake`]), so that these tests see only what
//! the runtime does itself. The interpreter's tests cover real execution.

mod calls;
mod exceptions;
mod fake;
mod instantiation;
mod layers;
mod linking;
mod memories;
mod shared_memories;
mod tables;
