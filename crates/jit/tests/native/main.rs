//! Compiled code without the other tier: every function is compiled when it is first called ([`world`]), but for those that a
//! test executes in Rust, which stand for a tier that machine code must get along with.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod calls;
mod exceptions;
mod loops;
mod references;
mod traps;
mod world;
