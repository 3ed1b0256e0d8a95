//! Records, enumerations and flags of `wasi:filesystem/types`.

use rustix::fs::{Timespec, UTIME_NOW, UTIME_OMIT};
use wasmr_canon::{enumeration, flags, record, variant};

use crate::abi::{Filestat, Filetype};
use crate::errno::Errno;
use crate::p2::clocks::Datetime;
use crate::time::SECOND;

enumeration! {
    /// A `descriptor-type`.
    pub enum DescriptorType "descriptor-type" {
        /// Any other kind.
        Unknown "unknown",
        /// A block device.
        BlockDevice "block-device",
        /// A character device.
        CharacterDevice "character-device",
        /// A directory.
        Directory "directory",
        /// A named pipe.
        Fifo "fifo",
        /// A symbolic link.
        SymbolicLink "symbolic-link",
        /// A regular file.
        RegularFile "regular-file",
        /// A socket.
        Socket "socket",
    }
}

impl From<Filetype> for DescriptorType {
    fn from(filetype: Filetype) -> Self {
        match filetype {
            Filetype::Unknown => DescriptorType::Unknown,
            Filetype::BlockDevice => DescriptorType::BlockDevice,
            Filetype::CharacterDevice => DescriptorType::CharacterDevice,
            Filetype::Directory => DescriptorType::Directory,
            Filetype::Fifo => DescriptorType::Fifo,
            Filetype::SymbolicLink => DescriptorType::SymbolicLink,
            Filetype::RegularFile => DescriptorType::RegularFile,
            Filetype::SocketStream => DescriptorType::Socket,
        }
    }
}

flags! {
    /// `descriptor-flags`.
    pub struct DescriptorFlags "descriptor-flags" {
        /// Data can be read.
        READ "read",
        /// Data can be written.
        WRITE "write",
        /// Writes wait until data and metadata are on the device.
        FILE_INTEGRITY_SYNC "file-integrity-sync",
        /// Writes wait until the data is on the device.
        DATA_INTEGRITY_SYNC "data-integrity-sync",
        /// Reads wait for pending writes as writes do.
        REQUESTED_WRITE_SYNC "requested-write-sync",
        /// The directory's contents can be changed.
        MUTATE_DIRECTORY "mutate-directory",
    }
}

flags! {
    /// `path-flags`.
    pub struct PathFlags "path-flags" {
        /// A symbolic link at the end of the path is followed.
        SYMLINK_FOLLOW "symlink-follow",
    }
}

flags! {
    /// `open-flags`.
    pub struct OpenFlags "open-flags" {
        /// Create the file if it does not exist.
        CREATE "create",
        /// Fail if the path does not name a directory.
        DIRECTORY "directory",
        /// Fail if the file exists.
        EXCLUSIVE "exclusive",
        /// Truncate the file to size 0.
        TRUNCATE "truncate",
    }
}

record! {
    /// A `descriptor-stat`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DescriptorStat "descriptor-stat" {
        /// Type of the file.
        pub r#type "type": DescriptorType,
        /// Number of hard links.
        pub link_count "link-count": u64,
        /// Size in bytes; for a symbolic link, the length of its target.
        pub size "size": u64,
        /// Time of the last access.
        pub data_access_timestamp "data-access-timestamp": Option<Datetime>,
        /// Time of the last change of the data.
        pub data_modification_timestamp "data-modification-timestamp": Option<Datetime>,
        /// Time of the last change of the status.
        pub status_change_timestamp "status-change-timestamp": Option<Datetime>,
    }
}

impl From<Filestat> for DescriptorStat {
    fn from(stat: Filestat) -> Self {
        DescriptorStat {
            r#type: stat.filetype.into(),
            link_count: stat.nlink,
            size: stat.size,
            data_access_timestamp: Some(Datetime::of(stat.atim)),
            data_modification_timestamp: Some(Datetime::of(stat.mtim)),
            status_change_timestamp: Some(Datetime::of(stat.ctim)),
        }
    }
}

variant! {
    /// A `new-timestamp`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NewTimestamp "new-timestamp" {
        /// The time stays.
        NoChange "no-change",
        /// The time of the host's clock.
        Now "now",
        /// This time.
        Timestamp(Datetime) "timestamp",
    }
}

impl NewTimestamp {
    /// Returns the time as the host takes it.
    ///
    /// # Errors
    /// `INVAL` for a time that the host does not have.
    pub(crate) fn host(self) -> Result<Timespec, Errno> {
        Ok(match self {
            NewTimestamp::NoChange => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            NewTimestamp::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            // Larger numbers of nanoseconds have a meaning of their own on the host.
            NewTimestamp::Timestamp(time) if u64::from(time.nanoseconds) >= SECOND => return Err(Errno::Inval),
            NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => {
                Timespec { tv_sec: seconds.try_into().map_err(|_| Errno::Inval)?, tv_nsec: nanoseconds.into() }
            }
        })
    }
}

record! {
    /// A `directory-entry`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DirectoryEntry "directory-entry" {
        /// Type of the file.
        pub r#type "type": DescriptorType,
        /// Name in the directory.
        pub name "name": String,
    }
}

enumeration! {
    /// An `advice`.
    pub enum Advice "advice" {
        /// No advice.
        Normal "normal",
        /// Access from lower to higher offsets.
        Sequential "sequential",
        /// Access in any order.
        Random "random",
        /// Access soon.
        WillNeed "will-need",
        /// No access soon.
        DontNeed "dont-need",
        /// One access.
        NoReuse "no-reuse",
    }
}

record! {
    /// A `metadata-hash-value`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MetadataHashValue "metadata-hash-value" {
        /// Hash of the file's identity.
        pub lower "lower": u64,
        /// Hash of identity, size and time of the last change.
        pub upper "upper": u64,
    }
}
