//! [`End`]: the end of a run, of a module or of a component.

use wasmr::{Stop, StopKind, Store, val_type_text};

use super::guest::Guest;
use super::invoke;
use super::values::PreloadSpec;

/// The end of a run, other than by an error of wasmr or its user.
pub enum End {
    /// There is no function to call. The error was printed.
    NotRun(u8),
    /// The called function returned.
    Returned,
    /// The program was stopped. The text describes the exception, if that is the reason.
    Stopped(Stop, String),
    /// A thread of the program, other than the main one, was stopped: its number, and the exception if there is one.
    ThreadStopped(i32, Stop, String),
    /// A library was stopped during its initialisation, before the program started.
    LibraryStopped(PreloadSpec, Stop, String),
}

/// Returns the end of a run whose program was stopped.
pub fn stopped_by(store: &mut Store<Guest>, stop: Stop) -> End {
    let exception = describe_exception(store, &stop);
    End::Stopped(stop, exception)
}

/// Describes the exception that ended a run by its tag and its arguments. Returns an empty text for another end.
pub fn describe_exception(store: &mut Store<Guest>, stop: &Stop) -> String {
    let StopKind::Throw(throw) = stop.kind() else { return String::new() };
    let tag = throw.exception.tag(&*store);
    let (Some(tag), Some(arguments)) = (tag, throw.exception.arguments(&mut *store)) else { return String::new() };
    let types = tag.ty(&*store);
    let arguments =
        types.params().iter().zip(&arguments).map(|(ty, value)| {
            format!("{} {}", val_type_text(store.registry(), *ty), invoke::result_text(store, value))
        });
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    format!("`{}` ({arguments})", tag.readable_name(&*store))
}
