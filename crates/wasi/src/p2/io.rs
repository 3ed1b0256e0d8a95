//! `wasi:io/error`: the reason why an operation on a stream failed.

use super::table::Borrow;
use super::{End, P2Ctx};
use crate::errno::Errno;

/// Part of the host that reported an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file or a standard stream.
    File,
    /// A socket.
    Network,
}

/// An `error`: the failure of a stream's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoError {
    /// Number of the error.
    pub errno: Errno,
    /// Part of the host that reported it.
    pub origin: Origin,
    /// The operation that failed, as a verb for messages.
    pub action: &'static str,
}

impl IoError {
    /// Returns a text for people.
    fn text(&self) -> String {
        let of = match self.origin {
            Origin::File => "a file or standard stream",
            Origin::Network => "a socket",
        };
        format!("cannot {} {of}: {}", self.action, self.errno.name())
    }
}

/// `wasi:io/error#[method]error.to-debug-string`.
pub fn to_debug_string(ctx: &mut P2Ctx, error: Borrow<IoError>) -> Result<String, End> {
    Ok(ctx.table.get(error)?.text())
}
