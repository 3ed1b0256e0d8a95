//! The outcomes of a host call: success, an error number, or the end of the guest.
//!
//! A call either returns an error number to the guest or ends it. [`Exit`] is the second case and the only part that other
//! crates see. Inside the crate, [`Fail`] joins the two, so that `?` works on both.

use crate::errno::Errno;
use crate::pointer::MemoryFault;

/// The reason why the guest must not continue after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The guest called `proc_exit` with this code.
    Code(u32),
    /// The call was waiting when the embedder interrupted the guest.
    Interrupted,
    /// The call would have to wait, but its context is shared with other threads: the caller waits, and calls again.
    Deferred,
    /// The guest passed an invalid pointer. The call had no effect.
    Memory(MemoryFault),
}

/// The reason why a call did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The guest continues with this error number.
    Errno(Errno),
    /// The guest ends.
    Exit(Exit),
}

impl<E: Into<Errno>> From<E> for Fail {
    fn from(error: E) -> Self {
        Fail::Errno(error.into())
    }
}

impl From<MemoryFault> for Exit {
    fn from(fault: MemoryFault) -> Self {
        Exit::Memory(fault)
    }
}

impl From<MemoryFault> for Fail {
    fn from(fault: MemoryFault) -> Self {
        Fail::Exit(fault.into())
    }
}

impl From<Exit> for Fail {
    fn from(exit: Exit) -> Self {
        Fail::Exit(exit)
    }
}

/// Result type of a call's function, which `table` converts to an error number or an [`Exit`].
pub(crate) trait Outcome {
    /// Returns the error number for the guest, or the reason for its end.
    fn outcome(self) -> Result<u32, Exit>;
}

impl Outcome for Result<(), Errno> {
    fn outcome(self) -> Result<u32, Exit> {
        Ok(self.err().unwrap_or(Errno::Success) as u32)
    }
}

impl Outcome for Result<(), MemoryFault> {
    fn outcome(self) -> Result<u32, Exit> {
        self?;
        Ok(Errno::Success as u32)
    }
}

impl Outcome for Result<(), Fail> {
    fn outcome(self) -> Result<u32, Exit> {
        match self {
            Ok(()) => Ok(Errno::Success as u32),
            Err(Fail::Errno(errno)) => Ok(errno as u32),
            Err(Fail::Exit(exit)) => Err(exit),
        }
    }
}

impl Outcome for Exit {
    fn outcome(self) -> Result<u32, Exit> {
        Err(self)
    }
}
