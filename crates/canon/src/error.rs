//! [`AbiError`]: the reason why a value could not be passed, with the place of the value among the arguments.
//!
//! The guest's fault is a trap: a bad pointer, discriminant or handle. The embedder's fault is an error of the host: a [`Val`](crate::Val)
//! that is not of the function's type. The end of a call that the ABI makes, such as `realloc`, passes through unchanged.

use std::fmt::{self, Write};

use wasmr_core::trap::TrapCode;
use wasmr_runtime::{Stop, Trap};

/// The reason why a value could not be passed. One word, because every walker returns it.
pub struct AbiError(Box<Reason>);

#[derive(Debug)]
enum Reason {
    /// A call of the guest ended early.
    Stop(Stop),
    /// A value does not fit.
    Value {
        is_guest: bool,
        text: String,
        /// Steps from the argument to the value, the last first.
        path: Vec<String>,
    },
}

/// The result of a walker.
pub(crate) type Result<T> = std::result::Result<T, AbiError>;

/// A value that the embedder passed is not of the type that the function requires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl AbiError {
    /// Returns the guest's fault.
    #[cold]
    pub(crate) fn trap(text: impl Into<String>) -> AbiError {
        AbiError(Box::new(Reason::Value { is_guest: true, text: text.into(), path: Vec::new() }))
    }

    /// Returns the embedder's fault.
    #[cold]
    pub(crate) fn host(text: impl Into<String>) -> AbiError {
        AbiError(Box::new(Reason::Value { is_guest: false, text: text.into(), path: Vec::new() }))
    }

    /// Returns true for the embedder's fault.
    pub(crate) fn is_hosts(&self) -> bool {
        matches!(*self.0, Reason::Value { is_guest: false, .. })
    }

    /// Returns the error with one more step of the path, outside those that it has.
    #[cold]
    pub(crate) fn within(mut self, step: impl fmt::Display) -> AbiError {
        if let Reason::Value { path, .. } = &mut *self.0 {
            path.push(step.to_string());
        }
        self
    }

    /// Returns the end of the call of `func`. `place` is where the path begins.
    #[cold]
    pub(crate) fn into_stop(self, func: &str, place: Place<'_>) -> Stop {
        let (is_guest, text, path) = match *self.0 {
            Reason::Stop(stop) => return stop,
            Reason::Value { is_guest, text, path } => (is_guest, text, path),
        };
        let path: String = path.iter().rev().map(String::as_str).collect();
        let place = match place {
            Place::Call => String::new(),
            Place::Argument(index, name) => format!("argument {} `{name}{path}` of ", index + 1),
            Place::Result if path.is_empty() => "result of ".to_owned(),
            Place::Result => format!("result `{}` of ", path.trim_start_matches('.')),
        };
        let mut message = text;
        if !func.is_empty() {
            let _ = write!(message, " ({place}`{func}`)");
        }
        if is_guest { trap(message) } else { Stop::host(ValueError(message)) }
    }
}

/// The part of a call to which an error belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// The call as a whole.
    Call,
    /// An argument: its index from 0, and its name.
    Argument(usize, &'a str),
    /// The result.
    Result,
}

/// Returns a trap of the canonical ABI.
#[cold]
pub(crate) fn trap(text: impl Into<Box<str>>) -> Stop {
    Stop::from(Trap::new(TrapCode::CanonicalAbi).with_detail(text))
}

impl From<Stop> for AbiError {
    #[cold]
    fn from(stop: Stop) -> AbiError {
        AbiError(Box::new(Reason::Stop(stop)))
    }
}

impl fmt::Debug for AbiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
