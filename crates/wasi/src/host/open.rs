//! Opening a file or directory by its path.
//!
//! In: a directory, a path below it, and what the guest wants to do. Out: a new descriptor in the table. The host's open never
//! waits; where the guest's must, it waits here: for the other end of a FIFO, or for the end of a lease.

use std::os::fd::AsFd as _;

use rustix::fs::{FileType, Stat, fstat};

use crate::abi::Filetype;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Descriptor, Directory, HostFd, HostFile, Kind, Object, Revoked};
use crate::fifo;
use crate::namespace::{Found, Last, Spot, reach_any};
use crate::rights;
use crate::sandbox::{self, OpenHow, sync_flags};
use crate::virtual_dir::VirtualDir;
use crate::wait::{Pauses, Waits};

/// Rights on the directory that an open needs.
pub(crate) fn needed(how: OpenHow) -> u64 {
    if how.create { rights::PATH_OPEN | rights::PATH_CREATE_FILE } else { rights::PATH_OPEN }
}

/// Opens `path` below the directory `fd`. Returns the new descriptor's number. `wanted` are its base and inheriting rights.
///
/// # Errors
/// `NOTCAPABLE` if a wanted right was revoked from the directory's inheriting rights. `MFILE` if no number is free; no file is
/// created then. `PERM` for `TRUNC` if the right to set sizes was revoked.
pub(crate) fn open(ctx: &mut WasiCtx, fd: u32, path: &[u8], how: OpenHow, wanted: (u64, u64)) -> Result<u32, Fail> {
    let (needed, (rights_base, _)) = (needed(how), wanted);
    let revoked = revoked_through(ctx.fds.get(fd)?, how, rights_base)?;
    ctx.fds.check_free()?;
    let last = if how.create && how.exclusive { Last::Kept } else { Last::followed_if(how.follow) };
    let mut pauses = Pauses::default();
    let found = loop {
        match reach_any(&ctx.fds, fd, needed, path, last, |found| open_at(found, how, rights_base, revoked)) {
            // On the host a blocking `open` would wait, for example for the end of a lease.
            Err(Errno::Again) if how.waits() => pauses.pause(&ctx.waits, &mut [])?,
            result => break result?,
        }
    };
    let new = found.into_descriptor(&ctx.waits, how, wanted)?;
    Ok(ctx.fds.insert(new)?)
}

/// Returns the rights that are revoked from a descriptor opened through `descriptor`.
///
/// # Errors
/// `NOTCAPABLE` if `rights_base` has one of them, `PERM` for truncation if the right to set sizes was revoked.
fn revoked_through(descriptor: &Descriptor, how: OpenHow, rights_base: u64) -> Result<Revoked, Errno> {
    let revoked = descriptor.revoked.inherited();
    if rights_base & revoked.base != 0 {
        Err(Errno::Notcapable)
    } else if how.truncate && descriptor.require(rights::PATH_FILESTAT_SET_SIZE).is_err() {
        Err(Errno::Perm)
    } else {
        Ok(revoked)
    }
}

/// The result of an open that does not wait.
enum Opened {
    Host {
        file: std::fs::File,
        stat: Stat,
        /// True for a FIFO that is to be written and has no reader. `file` is then open without access and only names it.
        unread: bool,
        read_only: bool,
        revoked: Revoked,
    },
    Virtual {
        dir: VirtualDir,
        revoked: Revoked,
    },
}

/// Opens the file or directory without waiting. `revoked` are the rights revoked by the directory at which the path began.
fn open_at(found: Found<'_, '_>, how: OpenHow, rights_base: u64, revoked: Revoked) -> Result<Opened, Errno> {
    let (Found::Spot(Spot { descriptor, .. }) | Found::Virtual(descriptor, _)) = &found;
    let revoked = revoked.union(revoked_through(descriptor, how, rights_base)?);
    let Spot { directory, path, .. } = match found {
        Found::Spot(spot) => spot,
        Found::Virtual(_, dir) => return open_virtual(dir, how, revoked),
    };
    let read_only = directory.read_only;
    let opened = |(file, stat), unread| Opened::Host { file, stat, unread, read_only, revoked };
    let start = &directory.file;
    match if read_only { open_read_only(directory, &path, how) } else { sandbox::open(start, &path, how) } {
        Err(Errno::Nxio) if how.write && how.waits() => {
            let named = sandbox::open_as_path(start, &path, how.follow)?;
            let stat = fstat(&named)?;
            let fifo = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
            if fifo { Ok(opened((named, stat), true)) } else { Err(Errno::Nxio) }
        }
        result => Ok(opened(result?, false)),
    }
}

/// Opens a virtual directory, which behaves like a directory of a read-only file system.
fn open_virtual(dir: VirtualDir, how: OpenHow, revoked: Revoked) -> Result<Opened, Errno> {
    match how {
        OpenHow { create: true, directory: true, .. } => Err(Errno::Inval),
        OpenHow { create: true, exclusive: true, .. } => Err(Errno::Exist),
        OpenHow { create: true, .. } | OpenHow { write: true, .. } | OpenHow { truncate: true, .. } => {
            Err(Errno::Isdir)
        }
        _ => Ok(Opened::Virtual { dir, revoked }),
    }
}

impl Opened {
    /// Makes the guest's descriptor, after the wait for the other end of a FIFO.
    fn into_descriptor(self, waits: &Waits, how: OpenHow, (base, inheriting): (u64, u64)) -> Result<Descriptor, Fail> {
        let (mut file, stat, unread, read_only, revoked) = match self {
            Opened::Host { file, stat, unread, read_only, revoked } => (file, stat, unread, read_only, revoked),
            Opened::Virtual { dir, revoked } => {
                return Ok(Descriptor::directory(Object::Virtual(dir), base, inheriting, revoked));
            }
        };
        if unread {
            file = fifo::open_when_read(waits, &file, sync_flags(how.flags))?;
        }
        let host = HostFile { read_only, ..HostFile::new(HostFd::Owned(file.into()), &stat) };
        Ok(match host {
            HostFile { fd: HostFd::Owned(fd), filetype: Filetype::Directory, .. } => {
                let directory = Directory { file: fd.into(), read_only, preopen: None, listing: None };
                Descriptor::directory(Object::Directory(directory), base, inheriting, revoked)
            }
            host => {
                if host.kind == Kind::Pipe && how.read && !how.write && how.waits() {
                    fifo::until_written(waits, host.fd.as_fd())?;
                }
                Descriptor {
                    rights_base: base & host.applicable_rights(),
                    rights_inheriting: 0,
                    revoked,
                    object: Object::Host(host.into()),
                    flags: how.flags,
                    output_limited: false,
                }
            }
        })
    }
}

/// Opens a file below a directory that is granted read-only, which behaves like a read-only file system. Existing files open
/// if nothing is to be written, created or truncated.
fn open_read_only(directory: &Directory, path: &[u8], how: OpenHow) -> Result<(std::fs::File, Stat), Errno> {
    if how.write || how.truncate {
        return Err(Errno::Rofs);
    }
    if how.create && how.directory {
        return Err(Errno::Inval);
    }
    if how.create && how.exclusive {
        sandbox::stat(&directory.file, path, false).map_err(missing_is_read_only)?;
        return Err(Errno::Exist);
    }
    let opened = sandbox::open(&directory.file, path, OpenHow { create: false, ..how });
    if how.create { opened.map_err(missing_is_read_only) } else { opened }
}

/// Returns the error of an open that would create a file on a read-only file system.
fn missing_is_read_only(error: Errno) -> Errno {
    if error == Errno::Noent { Errno::Rofs } else { error }
}
