//! The guest's descriptors: numbers on one side, host objects with rights on the other.
//!
//! In: objects from the builder and from `path_open` and `sock_accept`. Out: the object behind a number, after its kind and
//! rights were checked. Dropping a descriptor closes what it owns.
//!
//! Terms: a *slot* is a place in the table; a *descriptor* is an object with its rights and flags; an *object* is what the
//! host gave.
//!
//! Invariants: every number is below the limit; a new descriptor gets the lowest free number; a slot the embedder left
//! closed is never given to anything else. Kinds are checked before rights: an operation that makes no sense for an object
//! fails as it would natively (`BADF`, `NOTDIR`, `SPIPE`), and only what makes sense can fail for lack of a right.
//!
//! Why is a missing `FD_READ` or `FD_WRITE` `BADF` and not `NOTCAPABLE`? It means that the file was not opened for that,
//! for which POSIX has `EBADF`; guests test for it. [`crate::rights`] says which other rights count.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat};
use rustix::termios::isatty;

use crate::abi::{Filestat, Filetype, fdflags};
use crate::errno::Errno;
use crate::listing::Listing;
use crate::names::Names;
use crate::rights;
use crate::stdio::{Input, OutputBuffer};

/// Listings that directories keep between two `fd_readdir` calls may hold this many bytes together, beside the one in use.
/// Without a bound a guest could make the host keep one copy of a huge directory per descriptor.
const LISTINGS_BUDGET: usize = 16 << 20;

/// A host descriptor: ours to close, or a standard stream of this process, which outlives the guest.
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

/// How a host descriptor that is not a directory behaves.
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
    /// It was opened through a directory that is granted read-only.
    pub read_only: bool,
}

impl HostFile {
    /// Sorts a descriptor by what the host says it is.
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

    /// Every right that makes sense here.
    pub(crate) fn applicable_rights(&self) -> u64 {
        match self.kind {
            Kind::File | Kind::Device => rights::FILE,
            Kind::Terminal | Kind::Pipe => rights::STREAM,
            Kind::Socket => rights::SOCKET,
            Kind::Listener => rights::LISTENER,
        }
    }

    /// Whether it has a position; a terminal, pipe or socket has none, which is `SPIPE`.
    pub(crate) fn seekable(&self) -> Result<(), Errno> {
        if matches!(self.kind, Kind::File | Kind::Device) { Ok(()) } else { Err(Errno::Spipe) }
    }

    /// `ROFS` if its directory was granted read-only.
    pub(crate) fn writable(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::Rofs) } else { Ok(()) }
    }
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Open for lookups at least; reading the entries opens `.` anew.
    pub file: std::fs::File,
    /// Nothing below may change through it.
    pub read_only: bool,
    /// The guest's name for it, if the embedder granted it.
    pub preopen: Option<Box<str>>,
    /// The entries as `fd_readdir` last saw them.
    pub listing: Option<Listing>,
}

impl Directory {
    /// `ROFS` if the directory was granted read-only.
    pub(crate) fn writable(&self) -> Result<&Self, Errno> {
        if self.read_only { Err(Errno::Rofs) } else { Ok(self) }
    }
}

/// What a descriptor refers to.
#[derive(Debug)]
pub(crate) enum Object {
    Directory(Directory),
    Names(Names),
    Host(HostFile),
    Input(Input),
    Output(OutputBuffer),
    Discard,
}

impl Object {
    pub(crate) fn filetype(&self) -> Filetype {
        match self {
            Object::Directory(_) | Object::Names(_) => Filetype::Directory,
            Object::Host(file) => file.filetype,
            Object::Input(_) | Object::Output(_) | Object::Discard => Filetype::Unknown,
        }
    }

    /// The entries as `fd_readdir` last saw them, of a directory.
    pub(crate) fn listing(&mut self) -> Option<&mut Option<Listing>> {
        match self {
            Object::Directory(directory) => Some(&mut directory.listing),
            Object::Names(names) => Some(&mut names.listing),
            Object::Host(_) | Object::Input(_) | Object::Output(_) | Object::Discard => None,
        }
    }

    /// `fd_filestat_get` on it.
    pub(crate) fn stat(&self) -> Result<Filestat, Errno> {
        match self {
            Object::Directory(directory) => Ok(Filestat::from_host(&fstat(&directory.file)?)),
            Object::Names(names) => Ok(names.stat()),
            Object::Host(file) => Ok(Filestat::from_host(&fstat(&file.fd)?)),
            Object::Input(_) | Object::Output(_) | Object::Discard => Ok(Filestat::anonymous(Filetype::Unknown)),
        }
    }
}

/// Rights that were taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub base: u64,
    pub inheriting: u64,
}

impl Taken {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Taken { base: self.base | other.base, inheriting: self.inheriting | other.inheriting }
    }

    /// What is taken away from a descriptor that is opened through one of this.
    pub(crate) fn passed_on(self) -> Self {
        Taken { base: self.inheriting, inheriting: self.inheriting }
    }
}

/// An object with its rights and flags.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub object: Object,
    /// What `fd_fdstat_get` reports. Of these, `FD_READ` and `FD_WRITE` decide the access.
    pub rights_base: u64,
    /// What `fd_fdstat_get` reports.
    pub rights_inheriting: u64,
    /// Rights that are refused, on the descriptor itself and on those opened through it.
    pub taken: Taken,
    /// `fdflags`. `APPEND` is carried out here, not by the host descriptor, so that `fd_pwrite` can still write elsewhere.
    pub flags: u16,
    /// What is written counts towards the limit on output.
    pub metered: bool,
}

impl Descriptor {
    /// A standard stream of this process; `None` if the host has it closed.
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
        let taken = Taken { base, inheriting: 0 };
        Some(Descriptor { object: Object::Host(file), rights_base, rights_inheriting: 0, taken, flags, metered: false })
    }

    /// A stream within this process.
    pub(crate) fn internal(object: Object, wanted: u64) -> Self {
        let rights_base = wanted | rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::POLL_FD_READWRITE;
        Descriptor { object, rights_base, rights_inheriting: 0, taken: Taken::default(), flags: 0, metered: false }
    }

    /// A directory that the embedder grants.
    pub(crate) fn preopen(file: std::fs::File, guest: Box<str>, read_only: bool) -> Self {
        let directory = Directory { file, read_only, preopen: Some(guest), listing: None };
        Descriptor::directory(Object::Directory(directory), rights::DIRECTORY, rights::ALL, Taken::default())
    }

    /// A directory with rights as reported and as taken away.
    pub(crate) fn directory(object: Object, rights_base: u64, rights_inheriting: u64, taken: Taken) -> Self {
        let rights_base = rights_base & rights::DIRECTORY;
        let rights_inheriting = rights_inheriting & rights::ALL & !taken.inheriting;
        Descriptor { object, rights_base, rights_inheriting, taken, flags: 0, metered: false }
    }

    /// A listening socket that the embedder grants.
    pub(crate) fn listener(fd: OwnedFd) -> Self {
        let file = HostFile {
            fd: HostFd::Owned(fd),
            kind: Kind::Listener,
            filetype: Filetype::SocketStream,
            read_only: false,
        };
        let object = Object::Host(file);
        Descriptor {
            object,
            rights_base: rights::LISTENER,
            rights_inheriting: rights::SOCKET,
            taken: Taken::default(),
            flags: 0,
            metered: false,
        }
    }

    /// Fails with `BADF` if `wanted` has reading or writing and the descriptor is not open for it, with `NOTCAPABLE` if any
    /// other of the rights was taken away.
    pub(crate) fn require(&self, wanted: u64) -> Result<(), Errno> {
        let access = rights::FD_READ | rights::FD_WRITE;
        if wanted & access & !self.rights_base != 0 {
            Err(Errno::Badf)
        } else if wanted & !access & self.taken.base != 0 {
            Err(Errno::Notcapable)
        } else {
            Ok(())
        }
    }

    /// Reduces the rights to `base` and `inheriting`. `NOTCAPABLE` if that would add any to those that are reported.
    pub(crate) fn take_away(&mut self, base: u64, inheriting: u64) -> Result<(), Errno> {
        if base & !self.rights_base != 0 || inheriting & !self.rights_inheriting != 0 {
            return Err(Errno::Notcapable);
        }
        self.taken.base |= self.rights_base & !base;
        self.taken.inheriting |= self.rights_inheriting & !inheriting;
        self.rights_base = base;
        self.rights_inheriting = inheriting;
        Ok(())
    }
}

/// One number's place.
#[derive(Debug)]
enum Slot {
    Free,
    /// A standard stream that the embedder left closed.
    Closed,
    Open(Box<Descriptor>),
}

/// The table.
#[derive(Debug)]
pub(crate) struct FdTable {
    slots: Vec<Slot>,
    /// No slot before this one is free.
    first_free: usize,
    limit: usize,
}

impl FdTable {
    pub(crate) fn new(limit: u32) -> Self {
        FdTable { slots: Vec::new(), first_free: 0, limit: limit as usize }
    }

    /// Appends a standard stream; `None` keeps its number closed.
    pub(crate) fn push_standard(&mut self, stream: Option<Descriptor>) {
        self.slots.push(stream.map_or(Slot::Closed, |descriptor| Slot::Open(Box::new(descriptor))));
        self.first_free = self.slots.len();
    }

    /// `MFILE` if no number is left. Calls that create something on the host ask before they do.
    pub(crate) fn room(&self) -> Result<(), Errno> {
        if self.first_free < self.limit { Ok(()) } else { Err(Errno::Mfile) }
    }

    /// Gives `descriptor` the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.room()?;
        let number = self.first_free;
        let slot = Slot::Open(Box::new(descriptor));
        if number == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[number] = slot;
        }
        self.first_free = (number + 1..self.slots.len())
            .find(|&i| matches!(self.slots[i], Slot::Free))
            .unwrap_or(self.slots.len().max(number + 1));
        Ok(number as u32)
    }

    /// The descriptor with this number.
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        match self.slots.get(fd as usize) {
            Some(Slot::Open(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    /// The descriptor with this number, to be changed.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        match self.slots.get_mut(fd as usize) {
            Some(Slot::Open(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    /// The descriptor of the directory with this number: `NOTDIR` for anything else, `NOTCAPABLE` if any of the rights was
    /// taken away.
    pub(crate) fn directory(&self, fd: u32, wanted: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.get(fd)?;
        if !matches!(descriptor.object, Object::Directory(_) | Object::Names(_)) {
            return Err(Errno::Notdir);
        }
        descriptor.require(wanted)?;
        Ok(descriptor)
    }

    /// All open descriptors, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Descriptor> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Open(descriptor) => Some(&**descriptor),
            Slot::Free | Slot::Closed => None,
        })
    }

    /// Takes the descriptor out and frees its number.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.get(fd)?;
        let index = fd as usize;
        match std::mem::replace(&mut self.slots[index], Slot::Free) {
            Slot::Open(descriptor) => {
                self.first_free = self.first_free.min(index);
                Ok(*descriptor)
            }
            other => {
                self.slots[index] = other;
                Err(Errno::Badf)
            }
        }
    }

    /// Moves `from` to the number `to`, closing what was there. Both must be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }

    /// Forgets the listings of all directories but `keep` if they hold more than the budget.
    pub(crate) fn trim_listings(&mut self, keep: u32) {
        let others = |slots: &mut Vec<Slot>, act: &mut dyn FnMut(&mut Option<Listing>)| {
            for (number, slot) in slots.iter_mut().enumerate() {
                if let Slot::Open(descriptor) = slot
                    && let Some(listing) = descriptor.object.listing()
                    && number != keep as usize
                {
                    act(listing);
                }
            }
        };
        let mut held = 0;
        others(&mut self.slots, &mut |listing| held += listing.as_ref().map_or(0, Listing::size));
        if held > LISTINGS_BUDGET {
            others(&mut self.slots, &mut |listing| *listing = None);
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
