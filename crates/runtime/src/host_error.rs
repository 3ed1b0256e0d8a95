//! [`HostFailure`]: the error of a host function, on its way from the closure to the caller of the guest.
//!
//! In: the error of a closure ([`Stop::host`], [`HostResults`](crate::typed::HostResults)). Out: the same error, with the
//! guest's calls around it, in a [`Stop`], where [`Stop::downcast_ref`] finds it.
//!
//! # Why is every error inspected?
//! A host function that calls back into the guest passes a [`Stop`] on with `?`, often in an error type that holds anything:
//! [`anyhow::Error`], `Box<dyn Error>`. The stop must be taken out of such a box again, or a trap and an exit of the guest
//! would become errors of the host. `anyhow::Error` is handled apart, because as a boxed error it hides the type of its
//! contents.
//!
//! # Why is an `anyhow::Error` kept as such?
//! Only that type returns the error below its context. A boxed error lends its sources, but they cannot be taken out.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::trap::{Backtrace, Stop, StopKind, Trap};

/// An error of a host function. `E: Into<HostError>` holds for every error type that is `Send` and `Sync`, for `anyhow::Error`,
/// and for strings.
pub type HostError = Box<dyn Error + Send + Sync + 'static>;

/// The failure of a host function.
#[derive(Debug)]
pub struct HostFailure {
    error: ErrorBox,
    /// The guest's calls that led to the function; empty if no guest code was running.
    pub backtrace: Backtrace,
}

/// An error in its original box.
enum ErrorBox {
    Boxed(HostError),
    Anyhow(anyhow::Error),
}

impl HostFailure {
    /// Returns the error that the function returned.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.error.get()
    }

    /// Returns the error that the function returned, without the backtrace.
    pub fn into_error(self) -> HostError {
        match self.error {
            ErrorBox::Boxed(error) => error,
            // In this form, the error and its sources keep their own types.
            ErrorBox::Anyhow(error) => error.reallocate_into_boxed_dyn_error_without_backtrace(),
        }
    }
}

impl ErrorBox {
    fn get(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            ErrorBox::Boxed(error) => &**error,
            ErrorBox::Anyhow(error) => error.as_ref(),
        }
    }

    /// Returns the error of type `E`, as [`take`](ErrorBox::take) does, by reference.
    fn find<E: Error + Send + Sync + 'static>(&self) -> Option<&E> {
        match self {
            ErrorBox::Boxed(error) => error.downcast_ref(),
            ErrorBox::Anyhow(error) => {
                error.downcast_ref::<E>().or_else(|| error.downcast_ref::<Stop>()?.downcast_ref::<E>())
            }
        }
    }

    /// Returns the error of type `E`, or the unchanged box.
    fn take<E: Error + Send + Sync + 'static>(self) -> Result<E, ErrorBox> {
        match self {
            ErrorBox::Boxed(error) => error.downcast().map(|found| *found).map_err(ErrorBox::Boxed),
            ErrorBox::Anyhow(error) => error.downcast::<E>().or_else(|error| {
                // A stop is taken out only if it has the error, because it cannot be put back.
                if !error.downcast_ref::<Stop>().is_some_and(Stop::is::<E>) {
                    return Err(ErrorBox::Anyhow(error));
                }
                let stop = error.downcast::<Stop>().map_err(ErrorBox::Anyhow)?;
                stop.downcast().map_err(|stop| ErrorBox::Boxed(Box::new(stop)))
            }),
        }
    }
}

impl fmt::Debug for ErrorBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get(), f)
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.error(), self.backtrace.below_message())
    }
}

impl Stop {
    /// Returns the failure of a host function. The guest's backtrace is added when the function returns it.
    ///
    /// A `Stop` is returned unchanged, also out of an `anyhow::Error` or a boxed error.
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
            Err(error) => failure(ErrorBox::Boxed(error), Backtrace::default()),
        }
    }

    /// Returns the failure, error and backtrace, if a host function failed.
    pub fn host_failure(&self) -> Option<&HostFailure> {
        match self.kind() {
            StopKind::Host(failure) => Some(failure),
            _ => None,
        }
    }

    /// Returns the error of a host function, if one failed. [`Stop::downcast_ref`] returns it with its own type.
    pub fn host_error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.host_failure().map(HostFailure::error)
    }

    /// Returns the error of type `E` that a host function returned, below any context of an [`anyhow::Error`]; a [`Trap`] for a
    /// trap.
    ///
    /// [`downcast`](Stop::downcast) takes the same error out. The sources of an error, which cannot be taken out of it, do not
    /// count. [`Error::source`] finds them, from [`host_error`](Stop::host_error) on.
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
    /// // The operator `?` wraps the stop in an `anyhow::Error`. The stop is found there first, then the error of the host function.
    /// let error = anyhow::Error::from(stop).context("cannot run the guest");
    /// let stop = error.downcast_ref::<wasmr::Stop>();
    /// assert!(stop.and_then(|stop| stop.downcast_ref::<std::num::ParseIntError>()).is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn downcast_ref<E: Error + Send + Sync + 'static>(&self) -> Option<&E> {
        match self.kind() {
            StopKind::Trap(trap) => (trap as &dyn Any).downcast_ref(),
            StopKind::Host(failure) => failure.error.find(),
            StopKind::Throw(_) | StopKind::Exit(_) => None,
        }
    }

    /// Returns the error that [`downcast_ref`](Stop::downcast_ref) finds, without context and backtrace (except a [`Trap`]'s).
    ///
    /// # Errors
    /// Returns the unchanged stop if it has no such error.
    pub fn downcast<E: Error + Send + Sync + 'static>(self) -> Result<E, Stop> {
        match self.into_kind() {
            StopKind::Host(HostFailure { error, backtrace }) => error.take().map_err(|error| failure(error, backtrace)),
            StopKind::Trap(trap) => {
                let mut trap = Some(trap);
                match (&mut trap as &mut dyn Any).downcast_mut().and_then(Option::<E>::take) {
                    Some(found) => Ok(found),
                    None => Err(Stop::from_kind(StopKind::Trap(trap.expect("it was not taken")))),
                }
            }
            other => Err(Stop::from_kind(other)),
        }
    }

    /// Returns the error that a host function returned, without the backtrace; any other stop as an error.
    ///
    /// For callers that pass errors on in a box and inspect their types there.
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
            StopKind::Host(failure) => failure.into_error(),
            other => Box::new(Stop::from_kind(other)),
        }
    }

    /// Returns true if [`downcast_ref`](Stop::downcast_ref) finds an error of type `E`.
    pub fn is<E: Error + Send + Sync + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }
}

fn failure(error: ErrorBox, backtrace: Backtrace) -> Stop {
    Stop::from_kind(StopKind::Host(HostFailure { error, backtrace }))
}

/// Returns the stop in an `anyhow::Error`, or the error as a failure of the host.
fn of_anyhow(error: anyhow::Error) -> Stop {
    let outermost: &(dyn Error + Send + Sync + 'static) = error.as_ref();
    let backtrace = match error.downcast_ref::<Stop>().map(Stop::kind) {
        // Context added to a failure of the host is kept with it.
        Some(StopKind::Host(inner)) if !outermost.is::<Stop>() => inner.backtrace.clone(),
        Some(_) => return error.downcast().expect("it is a stop"),
        None => Backtrace::default(),
    };
    failure(ErrorBox::Anyhow(error), backtrace)
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

/// Implements `From` for errors that host functions pass on with `?` where they return a [`Stop`]. A blanket implementation is
/// impossible, because a stop is an error itself. Errors of this crate invoke this where they are declared.
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
    fn the_original_error_is_found_in_every_box() {
        for stop in [
            Stop::host(NoPaper),
            Stop::host(boxed(NoPaper)),
            Stop::host(anyhow::Error::new(NoPaper)),
            Stop::host(anyhow::Error::new(NoPaper).context("cannot print").context("cannot work")),
            Stop::host(anyhow::Error::new(Stop::host(NoPaper)).context("in between")),
        ] {
            assert_eq!(stop.downcast_ref(), Some(&NoPaper), "{stop:?}");
            assert!(stop.is::<NoPaper>() && !stop.is::<fmt::Error>() && !stop.is::<Trap>());
            let error = anyhow::Error::new(stop);
            assert!(error.downcast_ref::<Stop>().is_some_and(Stop::is::<NoPaper>), "{error:?}");
            assert_eq!(format!("{error:#}").matches(&NoPaper.to_string()).count(), 1, "{error:#}");
        }
    }

    #[test]
    fn the_original_error_can_be_taken_out() {
        let in_context = || anyhow::Error::new(NoPaper).context("cannot print").context(Outer(NoPaper));
        let made: [&dyn Fn() -> Stop; 5] = [
            &|| Stop::host(NoPaper),
            &|| Stop::host(boxed(NoPaper)),
            &|| Stop::host(anyhow::Error::new(Stop::host(anyhow::Error::new(NoPaper)))),
            &|| Stop::host(in_context()),
            &|| Stop::host(anyhow::Error::new(Stop::host(in_context())).context("in between")),
        ];
        for made in made {
            assert_eq!(made().downcast::<NoPaper>().unwrap(), NoPaper);
            let (shown, left) = (made().to_string(), made().downcast::<fmt::Error>().unwrap_err());
            assert!(left.is::<NoPaper>() && left.to_string() == shown, "another type leaves it as it was");
        }
        assert!(Stop::host(NoPaper).into_error().is::<NoPaper>());
        assert!(Stop::host(anyhow::Error::new(NoPaper)).into_error().is::<NoPaper>());
        for stop in [Stop::exit(3), Stop::trap(TrapCode::Unreachable)] {
            let (shown, code) = (stop.to_string(), stop.exit_code());
            let error = stop.downcast::<NoPaper>().unwrap_err().into_error();
            assert_eq!((error.to_string(), error.downcast::<Stop>().unwrap().exit_code()), (shown, code));
        }
    }

    #[test]
    fn downcast_agrees_with_downcast_ref_and_is() {
        fn agrees<E: Error + Send + Sync + 'static>(made: &dyn Fn() -> Stop) -> bool {
            let (stop, is) = (made(), made().is::<E>());
            assert_eq!(stop.downcast_ref::<E>().is_some(), is, "{stop:?}");
            assert_eq!(stop.downcast::<E>().is_ok(), is, "{:?}", made());
            is
        }
        let outer = || Stop::host(anyhow::Error::new(Outer(NoPaper)));
        let in_context = || Stop::host(anyhow::Error::new(NoPaper).context(fmt::Error));
        let trap = || Stop::host(anyhow::Error::new(Stop::trap(TrapCode::Unreachable)).context("while it ran"));
        // Expected presence of `NoPaper`, `Outer`, `fmt::Error`, `Trap` and `Stop` in each.
        let made: [(&dyn Fn() -> Stop, [bool; 5]); 11] = [
            (&|| Stop::host(NoPaper), [true, false, false, false, false]),
            (&|| Stop::host(boxed(NoPaper)), [true, false, false, false, false]),
            (&|| Stop::host(anyhow::Error::new(NoPaper)), [true, false, false, false, false]),
            (&in_context, [true, false, true, false, false]),
            (&|| Stop::host(anyhow::Error::new(in_context()).context("x")), [true, false, true, false, true]),
            // Sources do not count.
            (&|| Stop::host(Outer(NoPaper)), [false, true, false, false, false]),
            (&outer, [false, true, false, false, false]),
            (&|| Stop::host(boxed(anyhow::Error::new(NoPaper).context("x"))), [false; 5]),
            (&trap, [false, false, false, true, false]),
            (&|| Stop::exit(3), [false; 5]),
            (&|| Stop::host("disk on fire"), [false; 5]),
        ];
        for (made, expected) in made {
            let found = [
                agrees::<NoPaper>(made),
                agrees::<Outer>(made),
                agrees::<fmt::Error>(made),
                agrees::<Trap>(made),
                agrees::<Stop>(made),
            ];
            assert_eq!(found, expected, "{:?}", made());
        }
        let source = outer().host_error().and_then(|error| error.source()?.downcast_ref::<NoPaper>().map(|_| ()));
        assert!(source.is_some());
        assert_eq!(trap().downcast::<Trap>().unwrap().code, TrapCode::Unreachable);
    }

    #[test]
    fn a_stop_stays_a_stop() {
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
