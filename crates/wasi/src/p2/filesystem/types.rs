//! Records, enumerations and flags of `wasi:filesystem/types`.

use rustix::fs::{Timespec, UTIME_NOW, UTIME_OMIT};

use crate::abi::{Filestat, Filetype};
use crate::errno::Errno;
use crate::p2::clocks::Datetime;

/// A `descriptor-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DescriptorType {
    /// Any other kind.
    Unknown,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharacterDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A symbolic link.
    SymbolicLink,
    /// A regular file.
    RegularFile,
    /// A socket.
    Socket,
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

/// Declares a set of flags: one row per flag, in the order of the interface.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub u8);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: $name = $name(1 << $bit);)*

            /// Returns true if all flags of `other` are set.
            pub fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl std::ops::BitOr for $name {
            type Output = $name;

            fn bitor(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }
    };
}

flags! {
    /// `descriptor-flags`.
    DescriptorFlags {
        /// Data can be read.
        READ = 0;
        /// Data can be written.
        WRITE = 1;
        /// Writes wait until data and metadata are on the device.
        FILE_INTEGRITY_SYNC = 2;
        /// Writes wait until the data is on the device.
        DATA_INTEGRITY_SYNC = 3;
        /// Reads wait for pending writes as writes do.
        REQUESTED_WRITE_SYNC = 4;
        /// The directory's contents can be changed.
        MUTATE_DIRECTORY = 5;
    }
}

flags! {
    /// `path-flags`.
    PathFlags {
        /// A symbolic link at the end of the path is followed.
        SYMLINK_FOLLOW = 0;
    }
}

flags! {
    /// `open-flags`.
    OpenFlags {
        /// Create the file if it does not exist.
        CREATE = 0;
        /// Fail if the path does not name a directory.
        DIRECTORY = 1;
        /// Fail if the file exists.
        EXCLUSIVE = 2;
        /// Truncate the file to size 0.
        TRUNCATE = 3;
    }
}

/// A `descriptor-stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorStat {
    /// Type of the file.
    pub r#type: DescriptorType,
    /// Number of hard links.
    pub link_count: u64,
    /// Size in bytes; for a symbolic link, the length of its target.
    pub size: u64,
    /// Time of the last access.
    pub data_access_timestamp: Option<Datetime>,
    /// Time of the last change of the data.
    pub data_modification_timestamp: Option<Datetime>,
    /// Time of the last change of the status.
    pub status_change_timestamp: Option<Datetime>,
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

/// A `new-timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTimestamp {
    /// The time stays.
    NoChange,
    /// The time of the host's clock.
    Now,
    /// This time.
    Timestamp(Datetime),
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
            NewTimestamp::Timestamp(Datetime { nanoseconds: 1_000_000_000.., .. }) => return Err(Errno::Inval),
            NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => {
                Timespec { tv_sec: seconds.try_into().map_err(|_| Errno::Inval)?, tv_nsec: nanoseconds.into() }
            }
        })
    }
}

/// A `directory-entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Type of the file.
    pub r#type: DescriptorType,
    /// Name in the directory.
    pub name: String,
}

/// An `advice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Advice {
    /// No advice.
    Normal,
    /// Access from lower to higher offsets.
    Sequential,
    /// Access in any order.
    Random,
    /// Access soon.
    WillNeed,
    /// No access soon.
    DontNeed,
    /// One access.
    NoReuse,
}

/// A `metadata-hash-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataHashValue {
    /// Hash of the file's identity.
    pub lower: u64,
    /// Hash of identity, size and time of the last change.
    pub upper: u64,
}
