//! How a host call ends the guest, and how the ways a call can end fold into what a linker gets.
//!
//! A call either gives the guest an error number or ends the run. [`Exit`] is the second case and the only part of it that
//! other crates see. Inside, [`Fail`] joins the two, so that `?` works on both.

use crate::errno::Errno;
use crate::pointer::MemoryFault;

/// Why the guest must not continue after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The guest called `proc_exit` with this code.
    Code(u32),
    /// The call was waiting when the embedder interrupted the guest.
    Interrupted,
    /// The guest passed a pointer that cannot be used. The call did nothing.
    Memory(MemoryFault),
}

/// Why a call did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The guest goes on and sees this number.
    Errno(Errno),
    /// The guest is over.
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

/// What a call's body may return; the table folds it into an error number or an [`Exit`].
pub(crate) trait Outcome {
    /// The number for the guest, or the end of the guest.
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
