//! [`Outcome`]: the end of a call or an instantiation in a script.

use super::expect;
use crate::{LinkError, Stop, StopKind, Val};

/// The end of a call or an instantiation.
pub enum Outcome {
    /// Return with these results.
    Values(Vec<Val>),
    /// Return of a component's function.
    #[cfg(feature = "component")]
    Component(Option<crate::component::Val>),
    /// A trap, an exception, an exit or an error of the host.
    Stopped(Stop),
    /// The module could not be linked.
    Unlinkable(LinkError),
    /// The component could not be linked.
    #[cfg(feature = "component")]
    ComponentUnlinkable(String),
}

/// Describes an end for a message.
pub fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Values(values) if values.is_empty() => "it returned nothing".to_string(),
        Outcome::Values(values) => {
            format!("it returned {}", values.iter().map(expect::describe).collect::<Vec<_>>().join(", "))
        }
        Outcome::Stopped(stop) => match stop.kind() {
            StopKind::Trap(trap) => format!("it trapped: {}", trap.message()),
            StopKind::Throw(_) => "it threw an exception".to_string(),
            StopKind::Exit(code) => format!("it ended with status {code}"),
            StopKind::Host(failure) => format!("it failed: {}", failure.error()),
        },
        Outcome::Unlinkable(error) => format!("it does not link: {error}"),
        #[cfg(feature = "component")]
        Outcome::Component(result) => format!("it returned {result:?}"),
        #[cfg(feature = "component")]
        Outcome::ComponentUnlinkable(error) => format!("it does not link: {error}"),
    }
}
