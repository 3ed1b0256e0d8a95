//! The guest's descriptor table: from numbers to host objects with rights.
//!
//! In: objects from the builder, `path_open` and `sock_accept`. Out: the object of a number, after checks of its kind and
//! rights. Dropping a descriptor closes the host object that it owns.
//!
//! Terms: an *entry* is a place in the table, a *descriptor* is an object with its rights and flags, and an *object* is a host
//! file, a directory or an in-process stream.
//!
//! Invariants:
//!
//! - Every number is below the limit.
//! - A new descriptor gets the lowest free number ([POSIX, file descriptor allocation]).
//! - An entry that the embedder left closed is never assigned.
//! - Kinds are checked before rights. An operation that makes no sense for an object fails as it would natively (`BADF`,
//!   `NOTDIR`, `SPIPE`). Only an operation that makes sense can fail for lack of a right.
//!
//! # Why is a missing `FD_READ` or `FD_WRITE` `BADF` and not `NOTCAPABLE`?
//! The file was not opened for that access, which is `EBADF` in POSIX, and guests test for it. [`crate::rights`] lists the
//! other rights that count.
//!
//! [POSIX, file descriptor allocation]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/V2_chap02.html

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, OFlags, SeekFrom, Stat, fcntl_getfl, fdatasync, fstat, fsync, seek};
use rustix::io::{Errno as HostErrno, ReadWriteFlags, pwritev2, retry_on_intr, writev};
use rustix::termios::isatty;

use crate::abi::{Filestat, Filetype, fdflags};
use crate::errno::Errno;
use crate::listing::Listing;
use crate::rights;
use crate::stdio::{Input, OutputBuffer};
use crate::virtual_dir::VirtualDir;

/// Limit, in bytes of host memory, on the listings that directories keep between two `fd_readdir` calls. The listing in use
/// does not count. Without the limit a guest could make the host keep one copy of a huge directory per descriptor.
const LISTINGS_BUDGET: usize = 16 << 20;

/// Offset that makes `pwritev2` use the file's own position.
const OWN_POSITION: u64 = u64::MAX;

/// A host descriptor: owned and closed on drop, or a standard stream of this process, which outlives the guest.
#[derive(Debug)]
pub(crate) enum HostFd {
    Owned(OwnedFd),
    Standard(BorrowedFd<'static>),
}

impl AsFd for HostFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            HostFd::Owned(fd) => fd.as_fd(),
            HostFd::Standard(fd) => *fd,
        }
    }
}

/// Waits until the data of a file or directory, and its metadata unless `data_only`, are on the device.
pub(crate) fn sync_host(fd: impl AsFd, data_only: bool) -> rustix::io::Result<()> {
    retry_on_intr(|| if data_only { fdatasync(&fd) } else { fsync(&fd) })
}

/// Behaviour of a host descriptor that is not a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file or block device: always ready, has a position.
    File,
    /// A terminal: waits, has no position.
    Terminal,
    /// Another character device: may wait, may have a position.
    Device,
    /// A pipe or FIFO: waits, has no position.
    Pipe,
    /// A connected socket.
    Socket,
    /// A listening socket.
    Listener,
}

/// A host descriptor that is not a directory.
#[derive(Debug)]
pub(crate) struct HostFile {
    pub fd: HostFd,
    pub kind: Kind,
    pub filetype: Filetype,
    /// True if it was opened through a directory that is granted read-only.
    pub read_only: bool,
}

impl HostFile {
    /// Makes a host file of `fd`, whose kind follows from the host's `stat`.
    pub(crate) fn new(fd: HostFd, stat: &Stat) -> Self {
        let host = FileType::from_raw_mode(stat.st_mode);
        let kind = match host {
            FileType::CharacterDevice if isatty(&fd) => Kind::Terminal,
            FileType::CharacterDevice => Kind::Device,
            FileType::Fifo => Kind::Pipe,
            FileType::Socket => Kind::Socket,
            _ => Kind::File,
        };
        HostFile { fd, kind, filetype: host.into(), read_only: false }
    }

    /// Returns all rights that make sense for this kind.
    pub(crate) fn applicable_rights(&self) -> u64 {
        match self.kind {
            Kind::File | Kind::Device => rights::FILE,
            Kind::Terminal | Kind::Pipe => rights::STREAM,
            Kind::Socket => rights::SOCKET,
            Kind::Listener => rights::LISTENER,
        }
    }

    /// Checks that the file has a position.
    ///
    /// # Errors
    /// `SPIPE` for a terminal, pipe or socket.
    pub(crate) fn seekable(&self) -> Result<(), Errno> {
        if matches!(self.kind, Kind::File | Kind::Device) { Ok(()) } else { Err(Errno::Spipe) }
    }

    /// Writes to a regular file, at its end if `append`.
    pub(crate) fn write(&self, append: bool, buffers: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
        if append {
            match pwritev2(&self.fd, buffers, OWN_POSITION, ReadWriteFlags::APPEND) {
                // The file system or kernel lacks this flag. Seeking first is not atomic.
                Err(HostErrno::NOTSUP | HostErrno::NOSYS | HostErrno::INVAL) => {
                    seek(&self.fd, SeekFrom::End(0))?;
                }
                result => return result,
            }
        }
        writev(&self.fd, buffers)
    }

    /// Checks that the file was not opened through a read-only grant.
    ///
    /// # Errors
    /// `ROFS` if it was.
    pub(crate) fn writable(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::Rofs) } else { Ok(()) }
    }
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Open at least for lookups. Reading the entries opens `.` again.
    pub file: std::fs::File,
    /// True if nothing below may change through this descriptor.
    pub read_only: bool,
    /// Guest path, if the embedder granted the directory.
    pub preopen: Option<Box<str>>,
    /// The entries as `fd_readdir` last saw them.
    pub listing: Option<Listing>,
}

impl Directory {
    /// Returns the directory if changes through it are permitted.
    ///
    /// # Errors
    /// `ROFS` if it was granted read-only.
    pub(crate) fn writable(&self) -> Result<&Self, Errno> {
        if self.read_only { Err(Errno::Rofs) } else { Ok(self) }
    }
}

/// The object that a descriptor refers to.
#[derive(Debug)]
pub(crate) enum Object {
    Directory(Directory),
    Virtual(VirtualDir),
    /// Shared with a thread that makes a transfer.
    Host(Arc<HostFile>),
    Input(Input),
    Output(OutputBuffer),
    Discard,
}

impl Object {
    pub(crate) fn filetype(&self) -> Filetype {
        match self {
            Object::Directory(_) | Object::Virtual(_) => Filetype::Directory,
            Object::Host(file) => file.filetype,
            Object::Input(_) | Object::Output(_) | Object::Discard => Filetype::Unknown,
        }
    }

    /// Returns the place in which a directory keeps its listing. Returns `None` if the object is not a directory.
    pub(crate) fn listing(&mut self) -> Option<&mut Option<Listing>> {
        match self {
            Object::Directory(directory) => Some(&mut directory.listing),
            Object::Virtual(dir) => Some(&mut dir.listing),
            Object::Host(_) | Object::Input(_) | Object::Output(_) | Object::Discard => None,
        }
    }

    /// Returns the status for `fd_filestat_get`.
    pub(crate) fn stat(&self) -> Result<Filestat, Errno> {
        match self {
            Object::Directory(directory) => Ok(Filestat::from_host(&fstat(&directory.file)?)),
            Object::Virtual(dir) => Ok(dir.stat()),
            Object::Host(file) => Ok(Filestat::from_host(&fstat(&file.fd)?)),
            Object::Input(_) | Object::Output(_) | Object::Discard => Ok(Filestat::anonymous(Filetype::Unknown)),
        }
    }
}

/// Rights that are refused: revoked by the guest, or excluded from an inherited stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub base: u64,
    pub inheriting: u64,
}

impl Revoked {
    /// Returns the rights revoked in either.
    pub(crate) fn union(self, other: Self) -> Self {
        Revoked { base: self.base | other.base, inheriting: self.inheriting | other.inheriting }
    }

    /// Returns the revoked rights of a new descriptor that is opened through a descriptor with these.
    pub(crate) fn inherited(self) -> Self {
        Revoked { base: self.inheriting, inheriting: self.inheriting }
    }
}

/// An object with its rights and flags.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub object: Object,
    /// Base rights as `fd_fdstat_get` reports them. Of these, `FD_READ` and `FD_WRITE` decide the access.
    pub rights_base: u64,
    /// Inheriting rights as `fd_fdstat_get` reports them.
    pub rights_inheriting: u64,
    /// Rights that are refused on the descriptor itself (`base`) and on descriptors opened through it (`inheriting`).
    pub revoked: Revoked,
    /// `fdflags`. The calls implement `APPEND`, not the host descriptor, because [Linux's `pwrite`] appends to a descriptor
    /// with `O_APPEND` whatever the offset.
    ///
    /// [Linux's `pwrite`]: https://man7.org/linux/man-pages/man2/pwrite.2.html#BUGS
    pub flags: u16,
    /// True for standard output and error, whose bytes count towards the limit on output.
    pub output_limited: bool,
}

impl Descriptor {
    /// Returns a standard stream of this process, or `None` if it is closed on the host.
    pub(crate) fn inherit(fd: BorrowedFd<'static>, wanted: u64) -> Option<Self> {
        let stat = fstat(fd).ok()?;
        let file = HostFile::new(HostFd::Standard(fd), &stat);
        let flags = match fcntl_getfl(fd) {
            Ok(flags) if flags.contains(OFlags::APPEND) => fdflags::APPEND,
            _ => 0,
        };
        let stream = rights::FD_FDSTAT_SET_FLAGS
            | rights::FD_FILESTAT_GET
            | rights::FD_SYNC
            | rights::FD_DATASYNC
            | rights::FD_SEEK
            | rights::FD_TELL
            | rights::POLL_FD_READWRITE;
        let rights_base = (wanted | stream) & file.applicable_rights();
        let base = rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE | rights::FD_FILESTAT_SET_TIMES;
        let revoked = Revoked { base, inheriting: 0 };
        Some(Descriptor {
            object: Object::Host(file.into()),
            rights_base,
            rights_inheriting: 0,
            revoked,
            flags,
            output_limited: false,
        })
    }

    /// Returns a stream within this process.
    pub(crate) fn internal(object: Object, wanted: u64) -> Self {
        let rights_base = wanted | rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::POLL_FD_READWRITE;
        Descriptor {
            object,
            rights_base,
            rights_inheriting: 0,
            revoked: Revoked::default(),
            flags: 0,
            output_limited: false,
        }
    }

    /// Returns a directory that the embedder grants.
    pub(crate) fn preopen(file: std::fs::File, guest: Box<str>, read_only: bool) -> Self {
        let directory = Directory { file, read_only, preopen: Some(guest), listing: None };
        Descriptor::directory(Object::Directory(directory), rights::DIRECTORY, rights::ALL, Revoked::default())
    }

    /// Returns a directory with these reported and revoked rights.
    pub(crate) fn directory(object: Object, rights_base: u64, rights_inheriting: u64, revoked: Revoked) -> Self {
        let rights_base = rights_base & rights::DIRECTORY;
        let rights_inheriting = rights_inheriting & rights::ALL & !revoked.inheriting;
        Descriptor { object, rights_base, rights_inheriting, revoked, flags: 0, output_limited: false }
    }

    /// Returns a listening socket that the embedder grants.
    pub(crate) fn listener(fd: OwnedFd) -> Self {
        Descriptor::endpoint(fd, Kind::Listener, Filetype::SocketStream)
    }

    /// Returns a socket of the guest, or another descriptor that has no position.
    pub(crate) fn endpoint(fd: OwnedFd, kind: Kind, filetype: Filetype) -> Self {
        Descriptor::shared(HostFile { fd: HostFd::Owned(fd), kind, filetype, read_only: false }.into())
    }

    /// Returns a descriptor of a host file that others may use too.
    pub(crate) fn shared(file: Arc<HostFile>) -> Self {
        let is_listener = file.kind == Kind::Listener;
        Descriptor {
            rights_base: file.applicable_rights(),
            rights_inheriting: if is_listener { rights::SOCKET } else { 0 },
            object: Object::Host(file),
            revoked: Revoked::default(),
            flags: 0,
            output_limited: false,
        }
    }

    /// Checks that the descriptor has the rights `wanted`.
    ///
    /// # Errors
    /// `BADF` if `wanted` includes reading or writing and the descriptor is not open for it. `NOTCAPABLE` if any other wanted
    /// right was revoked.
    pub(crate) fn require(&self, wanted: u64) -> Result<(), Errno> {
        let access = rights::FD_READ | rights::FD_WRITE;
        if wanted & access & !self.rights_base != 0 {
            Err(Errno::Badf)
        } else if wanted & !access & self.revoked.base != 0 {
            Err(Errno::Notcapable)
        } else {
            Ok(())
        }
    }

    /// Reduces the reported rights to `base` and `inheriting`, and revokes the others.
    ///
    /// # Errors
    /// `NOTCAPABLE` if a right would be added.
    pub(crate) fn reduce_rights(&mut self, base: u64, inheriting: u64) -> Result<(), Errno> {
        if base & !self.rights_base != 0 || inheriting & !self.rights_inheriting != 0 {
            return Err(Errno::Notcapable);
        }
        self.revoked.base |= self.rights_base & !base;
        self.revoked.inheriting |= self.rights_inheriting & !inheriting;
        self.rights_base = base;
        self.rights_inheriting = inheriting;
        Ok(())
    }
}

/// Entry of one number.
#[derive(Debug)]
enum Entry {
    Free,
    /// A standard stream that the embedder left closed.
    Closed,
    Open(Box<Descriptor>),
}

/// Table of the guest's descriptors.
#[derive(Debug)]
pub(crate) struct FdTable {
    entries: Vec<Entry>,
    /// No entry before this one is free.
    first_free: usize,
    limit: usize,
}

impl FdTable {
    pub(crate) fn new(limit: u32) -> Self {
        FdTable { entries: Vec::new(), first_free: 0, limit: limit as usize }
    }

    /// Appends a standard stream; `None` keeps its number closed.
    pub(crate) fn push_standard(&mut self, stream: Option<Descriptor>) {
        self.entries.push(stream.map_or(Entry::Closed, |descriptor| Entry::Open(Box::new(descriptor))));
        self.first_free = self.entries.len();
    }

    /// Checks that a number is free. Calls that create a file or accept a connection check this first, so that failing changes
    /// nothing.
    ///
    /// # Errors
    /// `MFILE` if no number is free.
    pub(crate) fn check_free(&self) -> Result<(), Errno> {
        if self.first_free < self.limit { Ok(()) } else { Err(Errno::Mfile) }
    }

    /// Assigns the lowest free number to `descriptor` and returns it.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_free()?;
        let number = self.first_free;
        let entry = Entry::Open(Box::new(descriptor));
        if number == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[number] = entry;
        }
        self.first_free = (number + 1..self.entries.len())
            .find(|&i| matches!(self.entries[i], Entry::Free))
            .unwrap_or(self.entries.len().max(number + 1));
        Ok(number as u32)
    }

    /// Returns the descriptor with this number.
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        match self.entries.get(fd as usize) {
            Some(Entry::Open(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    /// Returns the descriptor with this number, mutably.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        match self.entries.get_mut(fd as usize) {
            Some(Entry::Open(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    /// Returns the descriptor with this number if it is a directory.
    ///
    /// # Errors
    /// `NOTDIR` if it is not a directory, `NOTCAPABLE` if any of the rights `wanted` was revoked.
    pub(crate) fn directory(&self, fd: u32, wanted: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.get(fd)?;
        if !matches!(descriptor.object, Object::Directory(_) | Object::Virtual(_)) {
            return Err(Errno::Notdir);
        }
        descriptor.require(wanted)?;
        Ok(descriptor)
    }

    /// Returns a number above those of all descriptors.
    #[cfg(feature = "component")]
    pub(crate) fn end(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Returns all open descriptors in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Open(descriptor) => Some(&**descriptor),
            Entry::Free | Entry::Closed => None,
        })
    }

    /// Removes and returns the descriptor, and frees its number.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.get(fd)?;
        let index = fd as usize;
        match std::mem::replace(&mut self.entries[index], Entry::Free) {
            Entry::Open(descriptor) => {
                self.first_free = self.first_free.min(index);
                Ok(*descriptor)
            }
            other => {
                self.entries[index] = other;
                Err(Errno::Badf)
            }
        }
    }

    /// Moves `from` to the number `to` and closes the descriptor that was there. Both must be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }

    /// Drops the listings of all directories but `keep` if together they exceed [`LISTINGS_BUDGET`].
    pub(crate) fn trim_listings(&mut self, keep: u32) {
        let others = |entries: &mut Vec<Entry>, act: &mut dyn FnMut(&mut Option<Listing>)| {
            for (number, entry) in entries.iter_mut().enumerate() {
                if let Entry::Open(descriptor) = entry
                    && let Some(listing) = descriptor.object.listing()
                    && number != keep as usize
                {
                    act(listing);
                }
            }
        };
        let mut held = 0;
        others(&mut self.entries, &mut |listing| held += listing.as_ref().map_or(0, Listing::size));
        if held > LISTINGS_BUDGET {
            others(&mut self.entries, &mut |listing| *listing = None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Descriptor, FdTable, Object};
    use crate::errno::Errno;
    use crate::stdio::Input;

    fn stream(tag: usize) -> Descriptor {
        Descriptor::internal(Object::Input(Input::new(vec![0; tag])), 0)
    }

    fn tag(table: &FdTable, fd: u32) -> Result<usize, Errno> {
        table.get(fd).map(|descriptor| match &descriptor.object {
            Object::Input(input) => input.left(),
            _ => usize::MAX,
        })
    }

    #[test]
    fn the_lowest_free_number_is_used_and_closed_streams_keep_theirs() {
        let mut table = FdTable::new(6);
        table.push_standard(None);
        table.push_standard(Some(stream(1)));
        table.push_standard(None);
        assert_eq!([3, 4, 5].map(|t| table.insert(stream(t))), [Ok(3), Ok(4), Ok(5)]);
        assert_eq!(table.insert(stream(9)), Err(Errno::Mfile));
        table.remove(4).unwrap();
        table.remove(1).unwrap();
        assert_eq!(table.insert(stream(7)), Ok(1));
        assert_eq!(table.insert(stream(8)), Ok(4));
        assert_eq!(table.insert(stream(9)), Err(Errno::Mfile));
        assert_eq!(tag(&table, 0), Err(Errno::Badf));
        assert_eq!(table.remove(0).err(), Some(Errno::Badf));
        assert_eq!(tag(&table, u32::MAX), Err(Errno::Badf));
    }

    #[test]
    fn renumber_moves_and_closes() {
        let mut table = FdTable::new(8);
        for t in 0..3 {
            table.insert(stream(t)).unwrap();
        }
        assert_eq!(table.renumber(2, 0), Ok(()));
        assert_eq!((tag(&table, 0), tag(&table, 2)), (Ok(2), Err(Errno::Badf)));
        assert_eq!(table.renumber(1, 1), Ok(()));
        assert_eq!(tag(&table, 1), Ok(1));
        for (from, to) in [(2, 0), (0, 2), (2, 2), (0, 8), (0, u32::MAX), (u32::MAX, 0)] {
            assert_eq!(table.renumber(from, to), Err(Errno::Badf), "{from} to {to}");
        }
        assert_eq!(table.insert(stream(5)), Ok(2));
    }
}
