//! `wasi:filesystem`: files and directories.
//!
//! In: descriptors and paths of the guest. Out: the results of `host`, with the interface's types. The sandbox of paths,
//! read-only grants and limits are those of Preview 1, because a [`Descriptor`] is a number in the same table.
//!
//! | file | its one job |
//! |---|---|
//! | [`types`] | records, enumerations and flags of the interface |
//! | [`error_code`] | the table from host errors to `error-code` |
//! | [`descriptor`] | operations on an open file or directory |
//! | [`paths`] | operations on a path below a directory |
//! | [`listing`] | streams of directory entries |
//!
//! # Why does `open-at` ignore a missing `mutate-directory`?
//! A directory opened without the flag would be read-only. But programs that came through the Preview 1 adapter never pass it,
//! and create files in such directories. Only the embedder's grants decide.

pub mod descriptor;
pub mod error_code;
pub mod listing;
pub mod paths;
pub mod types;

pub use descriptor::Descriptor;
pub use error_code::ErrorCode;
pub use listing::DirectoryEntryStream;

use super::End;
use crate::exit::Fail;

/// Result of a function of the interface.
pub type FileResult<T> = Result<Result<T, ErrorCode>, End>;

/// Converts the outcome of an operation.
fn report<T>(outcome: Result<T, impl Into<Fail>>) -> FileResult<T> {
    match outcome.map_err(Into::into) {
        Ok(value) => Ok(Ok(value)),
        Err(Fail::Errno(errno)) => Ok(Err(errno.into())),
        Err(Fail::Exit(exit)) => Err(exit.into()),
    }
}
