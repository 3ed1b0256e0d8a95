//! [`HostFailure`]: the error of a host function, on its way from the closure to whoever called the guest.
//!
//! Comes in: whatever a closure returns as an error ([`Stop::host`], [`HostResults`](crate::typed::HostResults)). Goes out: the
//! same error, with the guest's calls around it, in a [`Stop`], where [`Stop::downcast_ref`] finds it again.
//!
//! # Why is every error looked at?
//! A host function that calls back into the guest passes a [`Stop`] on with `?`, often in an error type that holds anything:
//! [`anyhow::Error`], `Box<dyn Error>`. It must leave such a box again, or a trap and an exit of the guest would turn into
//! errors of the host. `anyhow::Error` needs a way of its own, because as a boxed error it hides the type of what is in it.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::trap::{Backtrace, Stop, StopKind, Trap};

/// An error of a host function. `E: Into<HostError>` holds for every error type that is `Send` and `Sync`, for
/// `anyhow::Error`, and for strings.
pub type HostError = Box<dyn Error + Send + Sync + 'static>;

/// The failure of a host function.
#[derive(Debug)]
pub struct HostFailure {
    /// The error that the function returned.
    pub error: HostError,
    /// The guest's calls that led to the function; empty if no guest code was running.
    pub backtrace: Backtrace,
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.error, self.backtrace)
    }
}

impl Stop {
    /// A host function's failure. The guest's backtrace is added when the function returns it.
    ///
    /// A `Stop` remains what it is, also in an `anyhow::Error` or a boxed error.
    pub fn host(error: impl Into<HostError> + 'static) -> Stop {
        let mut error = Some(error);
        let any: &mut dyn Any = &mut error;
        if let Some(stop) = any.downcast_mut().and_then(Option::<Stop>::take) {
            return stop;
        }
        if let Some(error) = any.downcast_mut().and_then(Option::<anyhow::Error>::take) {
            return of_anyhow(error);
        }
        let error: HostError = error.expect("it was not taken").into();
        match error.downcast() {
            Ok(stop) => *stop,
            Err(error) => failure(error, Backtrace::default()),
        }
    }

    /// The failure of a host function, if one failed: its error and the guest's backtrace.
    pub fn host_failure(&self) -> Option<&HostFailure> {
        match self.kind() {
            StopKind::Host(failure) => Some(failure),
            _ => None,
        }
    }

    /// The error that a host function returned, if one failed. [`Stop::downcast_ref`] gives it with its own type.
    pub fn host_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.host_failure().map(|failure| &*failure.error)
    }

    /// The cause of type `E`: the error that a host function returned, or one of its sources; a [`Trap`] for a trap.
    ///
    /// # Examples
    /// ```
    /// use wasmr::{Engine, Linker, Module, Store};
    ///
    /// # fn main() -> anyhow::Result<()> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (import "host" "parse" (func $parse))
    ///     (func (export "run") (call $parse)))"#)?;
    /// let mut linker = Linker::new();
    /// linker.func_wrap("host", "parse", || -> anyhow::Result<()> {
    ///     "twelve".parse::<i32>()?;
    ///     Ok(())
    /// })?;
    /// let mut store = Store::new(&engine, ());
    /// let run = linker.instantiate(&mut store, &module)?.get_typed_func::<(), ()>(&store, "run")?;
    ///
    /// let stop = run.call(&mut store, ()).unwrap_err();
    /// assert!(stop.downcast_ref::<std::num::ParseIntError>().is_some());
    /// assert!(stop.to_string().ends_with("<module>!run"), "the backtrace stands below the message");
    ///
    /// // With `?`, an `anyhow::Error` wraps the stop, so that its own `downcast_ref` finds a `Stop` only. The error of the host
    /// // function is one of its causes.
    /// let error = anyhow::Error::from(stop);
    /// assert!(error.downcast_ref::<std::num::ParseIntError>().is_none());
    /// let cause = error.chain().find_map(|cause| cause.downcast_ref::<std::num::ParseIntError>());
    /// assert!(cause.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        let mut cause: Option<&(dyn Error + 'static)> = match self.kind() {
            StopKind::Trap(trap) => Some(trap),
            StopKind::Host(failure) => Some(&*failure.error),
            StopKind::Throw(_) | StopKind::Exit(_) => None,
        };
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// Returns the error of type `E` that a host function returned, or the stop as it was. The backtrace goes.
    ///
    /// Only the error itself is looked at, not its sources, which nobody can take out of it: what came in an `anyhow::Error`
    /// with context is found by [`downcast_ref`](Stop::downcast_ref).
    pub fn downcast<E: Error + Send + Sync + 'static>(self) -> Result<E, Stop> {
        match self.into_kind() {
            StopKind::Host(HostFailure { error, backtrace }) => match error.downcast() {
                Ok(found) => Ok(*found),
                Err(error) => Err(failure(error, backtrace)),
            },
            other => Err(Stop::from_kind(other)),
        }
    }

    /// Returns the error that a host function returned, without the backtrace; any other stop as an error.
    ///
    /// For callers that pass errors on in a box and look at their types there.
    ///
    /// # Examples
    /// ```
    /// use wasmr::Stop;
    ///
    /// fn host_function() -> Result<(), Stop> {
    ///     Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
    /// }
    ///
    /// fn caller() -> Result<(), wasmr::HostError> {
    ///     Ok(host_function().map_err(Stop::into_error)?)
    /// }
    ///
    /// let error = caller().unwrap_err();
    /// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::TimedOut);
    /// ```
    pub fn into_error(self) -> HostError {
        match self.into_kind() {
            StopKind::Host(failure) => failure.error,
            other => Box::new(Stop::from_kind(other)),
        }
    }

    /// Returns true if a cause is of type `E`, as [`downcast_ref`](Stop::downcast_ref) finds it.
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }
}

fn failure(error: HostError, backtrace: Backtrace) -> Stop {
    Stop::from_kind(StopKind::Host(HostFailure { error, backtrace }))
}

/// The stop in an error of anyhow, or the error as a failure of the host.
fn of_anyhow(error: anyhow::Error) -> Stop {
    let outermost: &(dyn Error + Send + Sync + 'static) = error.as_ref();
    let backtrace = match error.downcast_ref::<Stop>().map(Stop::kind) {
        // What was added to a failure of the host on its way is kept with it.
        Some(StopKind::Host(inner)) if !outermost.is::<Stop>() => inner.backtrace.clone(),
        Some(_) => return error.downcast().expect("it is a stop"),
        None => Backtrace::default(),
    };
    // In this form the error and its sources show their own types.
    failure(error.reallocate_into_boxed_dyn_error_without_backtrace(), backtrace)
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        of_anyhow(error)
    }
}

impl From<HostError> for Stop {
    fn from(error: HostError) -> Stop {
        Stop::host(error)
    }
}

impl From<Trap> for Stop {
    fn from(trap: Trap) -> Stop {
        Stop::from_kind(StopKind::Trap(trap))
    }
}

/// Errors that host functions pass on with `?` where they return a [`Stop`]. (Not all errors: a stop is one itself.) Those of this
/// crate say so where they are declared.
macro_rules! stop_from {
    ($($error:ty)*) => {$(
        impl From<$error> for $crate::trap::Stop {
            fn from(error: $error) -> $crate::trap::Stop {
                $crate::trap::Stop::host(error)
            }
        }
    )*};
}
pub(crate) use stop_from;

stop_from! {
    crate::limits::ResourceError
    fmt::Error
    std::io::Error
    std::num::ParseFloatError
    std::num::ParseIntError
    std::num::TryFromIntError
    std::str::Utf8Error
    std::string::FromUtf8Error
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use wasmr_core::trap::TrapCode;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("no paper")]
    struct NoPaper;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot print")]
    struct Outer(#[source] NoPaper);

    fn boxed(error: impl Into<HostError>) -> HostError {
        error.into()
    }

    #[test]
    fn the_original_is_found_whatever_it_came_in() {
        for stop in [
            Stop::host(NoPaper),
            Stop::host(Outer(NoPaper)),
            Stop::host(boxed(NoPaper)),
            Stop::host(anyhow::Error::new(NoPaper)),
            Stop::host(anyhow::Error::new(NoPaper).context("cannot print").context("cannot work")),
            Stop::host(anyhow::Error::new(Outer(NoPaper))),
            Stop::host(anyhow::Error::new(Stop::host(NoPaper)).context("in between")),
        ] {
            assert_eq!(stop.downcast_ref(), Some(&NoPaper), "{stop:?}");
            assert!(stop.is::<NoPaper>() && !stop.is::<fmt::Error>() && !stop.is::<Trap>());
            let error = anyhow::Error::new(stop);
            assert!(error.chain().any(|cause| cause.is::<NoPaper>()), "{error:?}");
        }
    }

    #[test]
    fn the_original_can_be_taken_out() {
        let made: [fn() -> Stop; 3] = [
            || Stop::host(NoPaper),
            || Stop::host(boxed(NoPaper)),
            || Stop::host(anyhow::Error::new(Stop::host(anyhow::Error::new(NoPaper)))),
        ];
        for made in made {
            assert_eq!(made().downcast::<NoPaper>().unwrap(), NoPaper);
            assert!(made().downcast::<fmt::Error>().unwrap_err().is::<NoPaper>(), "another type leaves it as it was");
            assert!(made().into_error().is::<NoPaper>());
        }
        // A source stays where it is.
        assert!(Stop::host(Outer(NoPaper)).downcast::<NoPaper>().unwrap_err().is::<Outer>());
        for stop in [Stop::exit(3), Stop::trap(TrapCode::Unreachable)] {
            let (shown, code) = (stop.to_string(), stop.exit_code());
            let error = stop.downcast::<NoPaper>().unwrap_err().into_error();
            assert_eq!((error.to_string(), error.downcast::<Stop>().unwrap().exit_code()), (shown, code));
        }
    }

    #[test]
    fn a_stop_remains_what_it_is() {
        let again: [fn(Stop) -> Stop; 5] = [
            |stop| Stop::host(stop),
            |stop| Stop::host(boxed(stop)),
            |stop| Stop::host(anyhow::Error::new(stop)),
            |stop| Stop::host(Err::<(), _>(stop).context("while it ran").context("in the host").unwrap_err()),
            |stop| Stop::host(anyhow::Error::new(Stop::host(stop))),
        ];
        for again in again {
            assert_eq!(again(Stop::exit(3)).exit_code(), Some(3));
            let trap = again(Stop::trap(TrapCode::Unreachable));
            assert_eq!(trap.trap_code(), Some(TrapCode::Unreachable));
            assert!(trap.is::<Trap>());
        }
        let failed = Stop::host(anyhow::Error::new(Stop::host(NoPaper)).context("while it ran"));
        assert_eq!(failed.to_string(), "while it ran");
    }

    #[test]
    fn strings_are_errors_too() {
        assert_eq!(Stop::host("disk on fire").to_string(), "disk on fire");
        assert_eq!(Stop::host(String::from("disk on fire")).host_error().unwrap().to_string(), "disk on fire");
    }
}
