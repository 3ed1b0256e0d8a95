//! The early end of a call: [`Stop`], and a [`Trap`] with its code and backtrace.
//!
//! There are four kinds. A *trap* is the guest's fault. A *throw* is an exception that no guest frame caught. An *exit* is the
//! guest's wish (`proc_exit`). A *host* error is the failure of a host function.
//!
//! Between tiers a call ends with a [`Status`](crate::vm::Status). [`Func::call`](crate::func::Func::call) turns it into a
//! [`Stop`], once, at the boundary where it leaves guest code. A host function that passes a `Stop` on returns it to the
//! guest's tier unchanged, so that the frames of the first, innermost boundary are reported.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use wasmr_core::trap::TrapCode;
use wasmr_module::{Export, ExternKind, Module};

use crate::exception::ExnRef;
use crate::host_error::HostFailure;
use crate::rooted::Rooted;
use crate::symbol::{printable, readable};

/// The reason why a call returned no results. One word, because every call may return it.
///
/// Host functions return one, or any other error ([`HostResults`](crate::typed::HostResults)). [`trap_code`](Stop::trap_code),
/// [`exit_code`](Stop::exit_code) and [`downcast_ref`](Stop::downcast_ref) tell the kinds apart.
pub struct Stop(Box<StopKind>);

/// The four kinds of early ends.
#[derive(Debug)]
pub enum StopKind {
    /// The guest trapped.
    Trap(Trap),
    /// An exception left the outermost guest frame.
    Throw(Throw),
    /// The guest ended the program with this exit code.
    Exit(u32),
    /// A host function failed, or the call itself was wrong.
    Host(HostFailure),
}

/// A trap: code and place.
#[derive(Clone, Debug)]
pub struct Trap {
    /// The reason, in the specification's words.
    pub code: TrapCode,
    /// Details from a host function, such as its name and the wrong argument.
    pub detail: Option<Box<str>>,
    /// The guest's frames at the trap; empty if no guest code was running.
    pub backtrace: Backtrace,
}

/// An exception that no frame caught.
#[derive(Clone, Debug)]
pub struct Throw {
    /// The exception.
    pub exception: Rooted<ExnRef>,
    /// The guest's frames at the throw.
    pub backtrace: Backtrace,
}

/// The innermost frames of a guest's call stack.
#[derive(Clone, Debug, Default)]
pub struct Backtrace {
    /// At most [`MAX_BACKTRACE_FRAMES`](wasmr_core::limits::MAX_BACKTRACE_FRAMES) frames, innermost first.
    pub frames: Vec<FrameInfo>,
    /// Number of frames of the call stack.
    pub total: usize,
}

/// One frame of a [`Backtrace`].
#[derive(Clone)]
pub struct FrameInfo {
    module: Arc<Module>,
    func_index: u32,
    offset: Option<usize>,
}

impl FrameInfo {
    pub(crate) fn new(module: Arc<Module>, func_index: u32, offset: Option<usize>) -> FrameInfo {
        FrameInfo { module, func_index, offset }
    }

    /// Returns the module of the function.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Returns the index of the function.
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// Returns the name of the function in the module's name section, which is read now.
    pub fn func_name(&self) -> Option<&str> {
        self.module.names().func_name(self.func_index)
    }

    /// Returns the first name under which the module exports the function.
    pub fn export_name(&self) -> Option<&str> {
        let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == self.func_index;
        self.module.exports().iter().find(is_it).map(|export| &*export.name)
    }

    /// Returns a readable name: that of the name section or of an export, demangled, or else the index.
    pub fn readable_name(&self) -> String {
        match self.func_name().or_else(|| self.export_name()) {
            Some(name) => readable(name),
            None => format!("<wasm function {}>", self.func_index),
        }
    }

    /// Returns the offset in the module of the operator that was being executed, if known.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl fmt::Debug for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `module!function`, with the name of [`readable_name`](FrameInfo::readable_name).
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.offset {
            write!(f, "{offset:#x} - ")?;
        }
        write!(f, "{}!{}", printable(self.module.name()), self.readable_name())
    }
}

impl Trap {
    /// Returns a trap without a backtrace. If a host function returns the trap, the trap gets the backtrace of the function's
    /// caller.
    pub fn new(code: TrapCode) -> Trap {
        Trap { code, detail: None, backtrace: Backtrace::default() }
    }

    /// Returns the trap with readable details.
    pub fn with_detail(self, detail: impl Into<Box<str>>) -> Trap {
        Trap { detail: Some(detail.into()), ..self }
    }

    /// Returns the phrase of the code, followed by a colon and the details if there are any. For
    /// [`CanonicalAbi`](TrapCode::CanonicalAbi) the details alone are the message.
    pub fn message(&self) -> String {
        match &self.detail {
            Some(detail) if self.code == TrapCode::CanonicalAbi => detail.to_string(),
            Some(detail) => format!("{}: {detail}", self.code),
            None => self.code.to_string(),
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}{}", self.message(), self.backtrace.below_message())
    }
}

impl Error for Trap {}

impl Stop {
    /// Returns a trap.
    pub fn trap(code: TrapCode) -> Stop {
        Stop::from(Trap::new(code))
    }

    /// Returns the end of the program with an exit code.
    pub fn exit(code: u32) -> Stop {
        Stop::from_kind(StopKind::Exit(code))
    }

    /// Returns the throw of an exception by a host function.
    pub fn throw(exception: Rooted<ExnRef>) -> Stop {
        Stop::from_kind(StopKind::Throw(Throw { exception, backtrace: Backtrace::default() }))
    }

    pub(crate) fn from_kind(kind: StopKind) -> Stop {
        Stop(Box::new(kind))
    }

    /// Returns the kind.
    pub fn kind(&self) -> &StopKind {
        &self.0
    }

    /// Returns the kind by value.
    pub fn into_kind(self) -> StopKind {
        *self.0
    }

    pub(crate) fn kind_mut(&mut self) -> &mut StopKind {
        &mut self.0
    }

    /// Returns the trap's code, if it is a trap.
    pub fn trap_code(&self) -> Option<TrapCode> {
        match self.kind() {
            StopKind::Trap(trap) => Some(trap.code),
            _ => None,
        }
    }

    /// Returns the exit code, if the guest ended the program.
    pub fn exit_code(&self) -> Option<u32> {
        match self.kind() {
            StopKind::Exit(code) => Some(*code),
            _ => None,
        }
    }

    /// Returns the guest's frames, unless it is an exit.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        match self.kind() {
            StopKind::Trap(Trap { backtrace, .. })
            | StopKind::Throw(Throw { backtrace, .. })
            | StopKind::Host(HostFailure { backtrace, .. }) => Some(backtrace),
            StopKind::Exit(_) => None,
        }
    }
}

/// The end of a run by a host function.
pub(crate) enum HostEnd {
    /// The function returned a stop.
    Stop(Stop),
    /// The function panicked.
    Panic(Box<dyn Any + Send>),
}

impl From<TrapCode> for Stop {
    fn from(code: TrapCode) -> Stop {
        Stop::trap(code)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            StopKind::Trap(trap) => trap.fmt(f),
            StopKind::Throw(throw) => write!(f, "uncaught exception{}", throw.backtrace.below_message()),
            StopKind::Exit(code) => write!(f, "the guest ended with exit code {code}"),
            StopKind::Host(failure) => failure.fmt(f),
        }
    }
}

impl Error for Stop {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            // The stop's own text contains the error's. A chain of causes that contained the error would show it twice.
            StopKind::Host(failure) => failure.error().source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_one_word() {
        assert_eq!(size_of::<Stop>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Stop>>(), size_of::<usize>());
    }

    #[test]
    fn messages_have_the_phrase_of_the_specification() {
        assert_eq!(Stop::trap(TrapCode::IntegerDivideByZero).to_string(), "wasm trap: integer divide by zero");
        let trap = Trap::new(TrapCode::MemoryOutOfBounds).with_detail("fd_read: buf");
        assert_eq!(trap.to_string(), "wasm trap: out of bounds memory access: fd_read: buf");
        assert_eq!(Stop::host("disk on fire").to_string(), "disk on fire");
        assert_eq!(Stop::exit(3).exit_code(), Some(3));
    }
}
