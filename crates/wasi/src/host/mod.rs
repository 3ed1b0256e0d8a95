//! Operations on what a context grants, for the calls of every version of WASI.
//!
//! In: a context, a descriptor's number, paths and buffers of the host. Out: values, or the reason why the operation failed.
//! Nothing here knows how a guest passes arguments: [`crate::calls`] decodes those of Preview 1, and the component host those of
//! WASI 0.2. Checks of kinds and rights, the sandbox of paths, limits and waits are therefore the same in all versions.

pub(crate) mod clock;
pub(crate) mod file;
pub(crate) mod io;
pub(crate) mod open;
pub(crate) mod path;
#[cfg(feature = "component")]
pub(crate) mod socket;
