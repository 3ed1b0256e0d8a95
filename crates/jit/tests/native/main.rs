//! Tests of compiled code without the interpreter. Every function is compiled at its first call ([`world`]), except for those
//! that a test provides in Rust. These take the part of another tier, with which compiled code has to cooperate.

mod calls;
mod dispatch;
mod exceptions;
mod images;
mod loops;
mod references;
mod traps;
mod world;
