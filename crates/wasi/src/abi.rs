//! The structures that the guest and the host exchange, laid out byte by byte.
//!
//! In: values. Out: their bytes in guest memory. Padding is written as zero, so that no host byte leaks through it. The
//! layouts are those of [`wasi_snapshot_preview1`]. Where the older `wasi_unstable` differs, a function takes the size of the
//! structure or has `unstable` in its name.
//!
//! [`wasi_snapshot_preview1`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#types

use rustix::fs::{FileType, Stat};
use rustix::time::Timespec;

use crate::errno::Errno;
use crate::exit::Fail;
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::{MemoryFault, Pointer};
use crate::time::nanoseconds;

/// `filetype`: the kind of object that a descriptor or a path refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filetype {
    /// Any other kind.
    Unknown,
    /// A pipe or FIFO, which Preview 1 has no number for.
    Fifo,
    /// A block device.
    BlockDevice,
    /// A character device, such as a terminal.
    CharacterDevice,
    /// A directory.
    Directory,
    /// A regular file.
    RegularFile,
    /// A stream socket.
    SocketStream,
    /// A symbolic link.
    SymbolicLink,
}

impl Filetype {
    /// Returns the number in Preview 1.
    fn number(self) -> u8 {
        match self {
            Filetype::Unknown | Filetype::Fifo => 0,
            Filetype::BlockDevice => 1,
            Filetype::CharacterDevice => 2,
            Filetype::Directory => 3,
            Filetype::RegularFile => 4,
            Filetype::SocketStream => 6,
            Filetype::SymbolicLink => 7,
        }
    }
}

impl From<FileType> for Filetype {
    fn from(host: FileType) -> Self {
        match host {
            FileType::RegularFile => Filetype::RegularFile,
            FileType::Directory => Filetype::Directory,
            FileType::Symlink => Filetype::SymbolicLink,
            FileType::Socket => Filetype::SocketStream,
            FileType::CharacterDevice => Filetype::CharacterDevice,
            FileType::BlockDevice => Filetype::BlockDevice,
            FileType::Fifo => Filetype::Fifo,
            FileType::Unknown => Filetype::Unknown,
        }
    }
}

/// The bits of `fdflags`.
pub(crate) mod fdflags {
    /// Every write appends to the file.
    pub(crate) const APPEND: u16 = 1;
    /// Writes wait until the data is on the device.
    pub(crate) const DSYNC: u16 = 1 << 1;
    /// An operation that would wait fails with `AGAIN`.
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    /// Set beside `DSYNC` or `SYNC`: a read first waits for pending writes of the file, as that flag says.
    pub(crate) const RSYNC: u16 = 1 << 3;
    /// Writes wait until data and metadata are on the device.
    pub(crate) const SYNC: u16 = 1 << 4;
    /// All flags.
    pub(crate) const ALL: u16 = 0x1f;
    /// The flags that only `path_open` can set.
    pub(crate) const SYNCHRONISED: u16 = DSYNC | RSYNC | SYNC;
}

/// The bits of `oflags`.
pub(crate) mod oflags {
    /// Create the file if it does not exist.
    pub(crate) const CREAT: u16 = 1;
    /// Fail if the path does not name a directory.
    pub(crate) const DIRECTORY: u16 = 1 << 1;
    /// Fail if the file exists.
    pub(crate) const EXCL: u16 = 1 << 2;
    /// Truncate the file to size 0.
    pub(crate) const TRUNC: u16 = 1 << 3;
    /// All flags.
    pub(crate) const ALL: u16 = 0xf;
}

/// `lookupflags`, the only bit: follow a symbolic link at the end of the path.
pub(crate) const SYMLINK_FOLLOW: u32 = 1;

/// Narrows an `i32` argument to a flag set.
///
/// # Errors
/// `INVAL` for a bit outside of `all`, which the standard does not define.
pub(crate) fn flags(slot: u32, all: u16) -> Result<u16, Errno> {
    if slot & !u32::from(all) == 0 { Ok(slot as u16) } else { Err(Errno::Inval) }
}

/// `fdstat`, 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fdstat {
    /// Kind of object that the descriptor refers to.
    pub filetype: Filetype,
    /// The descriptor's `fdflags`.
    pub flags: u16,
    /// Rights on the descriptor itself.
    pub rights_base: u64,
    /// Rights that descriptors opened through this one may get.
    pub rights_inheriting: u64,
}

impl Fdstat {
    /// Writes the structure at `ptr`.
    pub(crate) fn write(&self, mem: &mut GuestMemory<'_>, ptr: Pointer) -> Result<(), MemoryFault> {
        let mut bytes = [0; 24];
        bytes[0] = self.filetype.number();
        bytes[2..4].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.rights_base.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.rights_inheriting.to_le_bytes());
        mem.write(ptr, &bytes)
    }
}

/// `filestat`: 64 bytes, or 56 in `wasi_unstable`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filestat {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Kind of file.
    pub filetype: Filetype,
    /// Number of hard links.
    pub nlink: u64,
    /// Size in bytes; for a symbolic link, the length of its target.
    pub size: u64,
    /// Last access, in nanoseconds since 1970, as are the other times.
    pub atim: u64,
    /// Last change of the data.
    pub mtim: u64,
    /// Last change of the status.
    pub ctim: u64,
}

impl Filestat {
    /// Returns the status of an object that exists only in this process: no identity, no times.
    pub(crate) fn anonymous(filetype: Filetype) -> Self {
        Filestat { dev: 0, ino: 0, filetype, nlink: 1, size: 0, atim: 0, mtim: 0, ctim: 0 }
    }

    /// Converts the host's status of a file. The casts widen: field types differ between host architectures.
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn from_host(stat: &Stat) -> Self {
        let time = |tv_sec, tv_nsec| nanoseconds(Timespec { tv_sec, tv_nsec });
        Filestat {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            filetype: FileType::from_raw_mode(stat.st_mode).into(),
            nlink: stat.st_nlink as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            atim: time(stat.st_atime as i64, stat.st_atime_nsec as _),
            mtim: time(stat.st_mtime as i64, stat.st_mtime_nsec as _),
            ctim: time(stat.st_ctime as i64, stat.st_ctime_nsec as _),
        }
    }

    /// Writes the structure at `ptr` in `SIZE` bytes: 64 in Preview 1, 56 in `wasi_unstable`. The latter has a link count of
    /// 32 bits, at an offset that is padding in Preview 1.
    pub(crate) fn write<const SIZE: usize>(&self, mem: &mut GuestMemory<'_>, ptr: Pointer) -> Result<(), MemoryFault> {
        const { assert!(SIZE == layout::FILESTAT.size as usize || SIZE == layout::FILESTAT_UNSTABLE.size as usize) };
        let mut bytes = [0; SIZE];
        bytes[0..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16] = self.filetype.number();
        if SIZE == layout::FILESTAT.size as usize {
            bytes[24..32].copy_from_slice(&self.nlink.to_le_bytes());
        } else {
            let nlink = u32::try_from(self.nlink).unwrap_or(u32::MAX);
            bytes[20..24].copy_from_slice(&nlink.to_le_bytes());
        }
        let tail = [self.size, self.atim, self.mtim, self.ctim];
        for (field, value) in bytes[SIZE - 32..].chunks_exact_mut(8).zip(tail) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        mem.write(ptr, &bytes)
    }
}

/// Returns a `dirent`: the 24 bytes before the name of a directory entry.
pub(crate) fn dirent(next: u64, ino: u64, name_len: u32, filetype: Filetype) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[0..8].copy_from_slice(&next.to_le_bytes());
    bytes[8..16].copy_from_slice(&ino.to_le_bytes());
    bytes[16..20].copy_from_slice(&name_len.to_le_bytes());
    bytes[20] = filetype.number();
    bytes
}

/// Returns the `prestat` of a directory, 8 bytes.
pub(crate) fn prestat_dir(name_len: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[4..8].copy_from_slice(&name_len.to_le_bytes());
    bytes
}

/// The tags of `eventtype`.
pub(crate) mod eventtype {
    /// A clock reached its time.
    pub(crate) const CLOCK: u8 = 0;
    /// A descriptor can be read.
    pub(crate) const FD_READ: u8 = 1;
    /// A descriptor can be written.
    pub(crate) const FD_WRITE: u8 = 2;
}

/// `event`: the report of `poll_oneoff` on one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Number that the guest passed in the subscription.
    pub userdata: u64,
    /// Reason why the subscription failed, or `Success`.
    pub error: Errno,
    /// `eventtype` of the subscription.
    pub eventtype: u8,
    /// Number of bytes that can be read or written.
    pub nbytes: u64,
    /// True if the other end is closed.
    pub hangup: bool,
}

impl Event {
    /// Writes the structure at `ptr`.
    pub(crate) fn write(&self, mem: &mut GuestMemory<'_>, ptr: Pointer) -> Result<(), MemoryFault> {
        let mut bytes = [0; layout::EVENT.size as usize];
        bytes[0..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&(self.error as u16).to_le_bytes());
        bytes[10] = self.eventtype;
        bytes[16..24].copy_from_slice(&self.nbytes.to_le_bytes());
        bytes[24] = u8::from(self.hangup);
        mem.write(ptr, &bytes)
    }
}

/// The condition that a `subscription` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A time on a clock.
    Clock {
        /// Clock id.
        id: u32,
        /// Time in nanoseconds.
        timeout: u64,
        /// True if `timeout` is a point in time, false if it is a span from now.
        absolute: bool,
    },
    /// The descriptor can be read.
    Read(u32),
    /// The descriptor can be written.
    Write(u32),
}

/// `subscription`: one condition that `poll_oneoff` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Number that the event repeats.
    pub userdata: u64,
    /// Condition to wait for.
    pub wanted: Wanted,
}

impl Subscription {
    /// Reads the Preview 1 layout at `ptr`.
    pub(crate) fn read(mem: &GuestMemory<'_>, ptr: Pointer) -> Result<Self, Fail> {
        Ok(Subscription::decode(&mem.array::<48>(ptr)?, 16)?)
    }

    /// Reads the `wasi_unstable` layout at `ptr`. Its clock has one more field, an unused `identifier`.
    pub(crate) fn read_unstable(mem: &GuestMemory<'_>, ptr: Pointer) -> Result<Self, Fail> {
        Ok(Subscription::decode(&mem.array::<56>(ptr)?, 24)?)
    }

    /// Decodes the structure, whose clock id is at offset `clock`.
    ///
    /// # Errors
    /// `INVAL` for an unknown tag or clock flag.
    fn decode<const N: usize>(bytes: &[u8; N], clock: usize) -> Result<Self, Errno> {
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let wanted = match bytes[8] {
            eventtype::CLOCK => {
                let flags = u16::from_le_bytes([bytes[clock + 24], bytes[clock + 25]]);
                if flags > 1 {
                    return Err(Errno::Inval);
                }
                Wanted::Clock { id: u32_at(clock), timeout: u64_at(clock + 8), absolute: flags == 1 }
            }
            eventtype::FD_READ => Wanted::Read(u32_at(16)),
            eventtype::FD_WRITE => Wanted::Write(u32_at(16)),
            _ => return Err(Errno::Inval),
        };
        Ok(Subscription { userdata: u64_at(0), wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::{Filestat, Filetype};
    use crate::memory::GuestMemory;
    use crate::pointer::Pointer;

    #[test]
    fn both_filestat_layouts_fill_their_holes_with_zeros() {
        let stat = Filestat { dev: 1, ino: 2, nlink: 3, size: 4, ..Filestat::anonymous(Filetype::RegularFile) };
        let mut bytes = vec![0xaa; 72];
        stat.write::<64>(&mut GuestMemory::new(Some(&mut bytes)), Pointer::new("stat", 0)).unwrap();
        assert_eq!(bytes[16..32], [4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[32], 4);
        assert_eq!(bytes[64], 0xaa);

        let mut bytes = vec![0xaa; 72];
        stat.write::<56>(&mut GuestMemory::new(Some(&mut bytes)), Pointer::new("stat", 0)).unwrap();
        assert_eq!(bytes[16..25], [4, 0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!(bytes[56], 0xaa);
    }
}
