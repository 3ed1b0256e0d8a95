//! The calls, one short function each, by family.
//!
//! A call decodes its arguments, uses an object that the context holds, writes its results and returns an error number.
//! Parameters that are guest pointers have the type [`Pointer`](crate::pointer::Pointer), and only
//! [`GuestMemory`](crate::memory::GuestMemory) dereferences them. [`crate::table`] lists all calls. [`unstable`] has those
//! that differ in `wasi_unstable`.

pub(crate) mod args;
pub(crate) mod clock;
pub(crate) mod environ;
pub(crate) mod fd;
pub(crate) mod fd_io;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod proc;
pub(crate) mod random;
pub(crate) mod sched;
pub(crate) mod sock;
pub(crate) mod unstable;
