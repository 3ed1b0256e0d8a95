//! How a call ends early: [`Stop`], with a [`Trap`]'s code and where it happened.
//!
//! Four words that differ in whose doing the end is: a *trap* is the guest's fault, a *throw* is an exception that no
//! guest frame caught, an *exit* is the guest's wish (`proc_exit`), and a *host* error is a host function's.
//!
//! Inside the machine a call ends with a [`Status`](crate::vm::Status); [`Func::call`](crate::func::Func::call) turns
//! it into a [`Stop`], once, at the boundary where it leaves guest code. A host function that passes a `Stop` on hands
//! it back to the machine unchanged, so that the frames of the first, innermost boundary are the ones that are
//! reported.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use wasmr_core::limits::MAX_BACKTRACE_FRAMES;
use wasmr_core::trap::TrapCode;
use wasmr_module::{Export, ExternKind, Module};

use crate::exception::ExnRef;
use crate::host_error::HostFailure;
use crate::symbol::{printable, readable};

/// Why a call returned no results. One word, as it travels through every call.
///
/// Host functions return one, or any other error ([`HostResults`](crate::typed::HostResults)); which of the four it is tell
/// [`trap_code`](Stop::trap_code), [`exit_code`](Stop::exit_code) and [`downcast_ref`](Stop::downcast_ref).
pub struct Stop(Box<StopKind>);

/// The four ways in which a call ends early.
#[derive(Debug)]
pub enum StopKind {
    /// The guest trapped.
    Trap(Trap),
    /// An exception left the outermost guest frame.
    Throw(Throw),
    /// The guest asked to end with this code.
    Exit(u32),
    /// A host function failed, or the call itself was wrong.
    Host(HostFailure),
}

/// A trap: why, and where.
#[derive(Clone, Debug)]
pub struct Trap {
    /// Why.
    pub code: TrapCode,
    /// The details that a host function gave, such as its name and the argument that was wrong.
    pub detail: Option<Box<str>>,
    /// Where; empty if no guest code was running.
    pub backtrace: Backtrace,
}

/// An exception that nobody caught.
#[derive(Clone, Debug)]
pub struct Throw {
    /// The exception.
    pub exception: ExnRef,
    /// Where it was thrown.
    pub backtrace: Backtrace,
}

/// The innermost frames of a guest's call stack.
#[derive(Clone, Debug, Default)]
pub struct Backtrace {
    /// At most [`MAX_BACKTRACE_FRAMES`], innermost first.
    pub frames: Vec<FrameInfo>,
    /// How many frames there were.
    pub total: usize,
}

impl Backtrace {
    /// Puts the frames of a backtrace that ends where this one begins before those of this.
    pub(crate) fn put_before(&mut self, inner: Backtrace) {
        let outer = std::mem::replace(&mut self.frames, inner.frames);
        self.frames.extend(outer);
        self.frames.truncate(MAX_BACKTRACE_FRAMES);
        self.total += inner.total;
    }
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

    /// The module whose function it is.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// The function's index.
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// The function's name in the module's name section, read now.
    pub fn func_name(&self) -> Option<&str> {
        self.module.names().func_name(self.func_index)
    }

    /// The first name under which the module exports the function.
    pub fn export_name(&self) -> Option<&str> {
        let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == self.func_index;
        self.module.exports().iter().find(is_it).map(|export| &*export.name)
    }

    /// The function's name for people: that of the name section or of an export, demangled, or else its index.
    pub fn readable_name(&self) -> String {
        match self.func_name().or_else(|| self.export_name()) {
            Some(name) => readable(name),
            None => format!("<wasm function {}>", self.func_index),
        }
    }

    /// Offset in the module of the operator that was being executed, if known.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl fmt::Debug for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `module!function`, as [`readable_name`](FrameInfo::readable_name) gives it.
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.offset {
            write!(f, "{offset:#x} - ")?;
        }
        write!(f, "{}!{}", printable(self.module.name()), self.readable_name())
    }
}

impl Trap {
    /// A trap without a place. A host function that returns it gets the place of its caller.
    pub fn new(code: TrapCode) -> Trap {
        Trap { code, detail: None, backtrace: Backtrace::default() }
    }

    /// The same trap with details for people.
    pub fn with_detail(self, detail: impl Into<Box<str>>) -> Trap {
        Trap { detail: Some(detail.into()), ..self }
    }

    /// The phrase of the code, and the details after a colon.
    pub fn message(&self) -> String {
        match &self.detail {
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
    /// A trap.
    pub fn trap(code: TrapCode) -> Stop {
        Stop::from(Trap::new(code))
    }

    /// The guest's wish to end.
    pub fn exit(code: u32) -> Stop {
        Stop::from_kind(StopKind::Exit(code))
    }

    /// An exception, thrown by a host function or again.
    pub fn throw(exception: ExnRef) -> Stop {
        Stop::from_kind(StopKind::Throw(Throw { exception, backtrace: Backtrace::default() }))
    }

    pub(crate) fn from_kind(kind: StopKind) -> Stop {
        Stop(Box::new(kind))
    }

    /// Which of the four.
    pub fn kind(&self) -> &StopKind {
        &self.0
    }

    /// Which of the four, to keep.
    pub fn into_kind(self) -> StopKind {
        *self.0
    }

    pub(crate) fn kind_mut(&mut self) -> &mut StopKind {
        &mut self.0
    }

    /// The trap's code, if it is a trap.
    pub fn trap_code(&self) -> Option<TrapCode> {
        match self.kind() {
            StopKind::Trap(trap) => Some(trap.code),
            _ => None,
        }
    }

    /// The exit code, if the guest asked to end.
    pub fn exit_code(&self) -> Option<u32> {
        match self.kind() {
            StopKind::Exit(code) => Some(*code),
            _ => None,
        }
    }

    /// Where the guest was, if it was anywhere.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        match self.kind() {
            StopKind::Trap(Trap { backtrace, .. })
            | StopKind::Throw(Throw { backtrace, .. })
            | StopKind::Host(HostFailure { backtrace, .. }) => Some(backtrace),
            StopKind::Exit(_) => None,
        }
    }
}

/// Why a host function ended the run.
pub(crate) enum HostEnd {
    /// It returned this.
    Stop(Stop),
    /// It panicked.
    Panic(Box<dyn Any + Send>),
}

/// The frames that an exception has left so far, for those that leave none behind.
pub(crate) struct Thrown {
    pub(crate) exception: u64,
    pub(crate) backtrace: Backtrace,
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
    fn messages_carry_the_phrase_of_the_specification() {
        assert_eq!(Stop::trap(TrapCode::IntegerDivideByZero).to_string(), "wasm trap: integer divide by zero");
        let trap = Trap::new(TrapCode::MemoryOutOfBounds).with_detail("fd_read: buf");
        assert_eq!(trap.to_string(), "wasm trap: out of bounds memory access: fd_read: buf");
        assert_eq!(Stop::host("disk on fire").to_string(), "disk on fire");
        assert_eq!(Stop::exit(3).exit_code(), Some(3));
    }
}
