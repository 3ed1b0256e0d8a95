//! Plain data that a cache takes and gives, on every system.

use std::io;
use std::path::PathBuf;

use crate::Container;

/// Bytes that the entries of a cache may have together, unless its user says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 512 << 20;

/// An entry that was found.
#[derive(Debug)]
pub struct Found {
    /// The sections that were stored.
    pub container: Container,
    /// Identity of the entry, for [`Cache::store`](crate::Cache::store).
    pub id: EntryId,
}

/// Identity of an entry: two entries with different bytes have different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId(pub(crate) [u8; 32]);

/// Size of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The directory, as it was named.
    pub dir: PathBuf,
    /// Number of entries.
    pub entries: usize,
    /// Bytes of all entries together.
    pub bytes: u64,
    /// Bytes that the entries may have together.
    pub max_bytes: u64,
}

/// Entries that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of entries.
    pub entries: usize,
    /// Bytes of all of them together.
    pub bytes: u64,
}

/// Reason for which a directory cannot be a cache, as the end of a sentence that names the directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The directory cannot be opened or created.
    #[error(transparent)]
    Failed(#[from] io::Error),
    /// The directory itself, not one above it, is a symbolic link.
    #[error("it is a symbolic link")]
    SymbolicLink,
    /// There is something else of that name.
    #[error("it is no directory")]
    NotADirectory,
    /// The directory belongs to somebody else.
    #[error("it belongs to user {owner}, and wasmr runs as user {user}")]
    ForeignOwner {
        /// User ID of the owner.
        owner: u32,
        /// Effective user ID of this process.
        user: u32,
    },
    /// The directory does not exist, and would be root's among the files of another user, who could then have no cache.
    #[error("it does not exist, and root makes no directory among the files of user {owner}")]
    OtherUsersPlace {
        /// User ID of the owner of the directory above.
        owner: u32,
    },
    /// Users other than the owner may write to the directory.
    #[error("other users may write to it: its mode is {mode:03o}, which `chmod 700` changes")]
    WritableByOthers {
        /// Permission bits of the directory.
        mode: u32,
    },
    /// This system has no owners and permissions as the cache needs them.
    #[error("the cache works on Unix only")]
    Unsupported,
}
