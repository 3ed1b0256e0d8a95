//! `path_*`: everything named by a directory and a path below it.
//!
//! Common errors: `BADF` if the directory is not open, `NOTDIR` if it is not a directory, `NOTCAPABLE` if the right was taken away,
//! `INVAL` (NUL), `NOENT` (empty) and `NAMETOOLONG` for the path itself, `PERM` if it leads out of the directory,
//! `ROFS` for a change below a directory granted read-only. The rest is what Linux says.
//!
//! Paths are bytes: the guest names what the host names, whatever the encoding. An absolute link leads where the guest's own
//! `open` of that path would; see [`crate::namespace`].

use std::os::fd::AsFd as _;

use rustix::fs::{
    AtFlags, FileType, Mode, Stat, fstat, futimens, linkat, mkdirat, readlinkat, renameat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno as HostErrno;
use wasmr_runtime::InterruptHandle;

use super::fd::timestamps;
use crate::abi::{Filestat, Filetype, SYMLINK_FOLLOW, fdflags, flags, oflags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Descriptor, Directory, HostFd, HostFile, Kind, Object, Taken};
use crate::fifo;
use crate::memory::GuestMemory;
use crate::names::Names;
use crate::namespace::{Found, Last, Spot, link_text, reach, reach_any};
use crate::pointer::Pointer;
use crate::rights;
use crate::sandbox::{self, OpenHow, Place, guest_path, sync_flags};
use crate::wait::Pauses;

/// Decodes `lookupflags`.
fn follows(lookup: u32) -> Result<bool, Errno> {
    Ok(flags(lookup, SYMLINK_FOLLOW as u16)? != 0)
}

/// Reads the path for a call that needs `right` of the directory.
fn path_below<'m>(
    ctx: &WasiCtx,
    mem: &'m GuestMemory<'_>,
    fd: u32,
    right: u64,
    path: Pointer,
    path_len: u32,
) -> Result<&'m [u8], Fail> {
    ctx.fds.directory(fd, right)?;
    guest_path(mem, path, path_len)
}

/// `path_create_directory(fd, path)`: `EXIST` if there is anything by that name.
pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_CREATE_DIRECTORY, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_CREATE_DIRECTORY, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        Ok(mkdirat(&*place.parent, place.name, Mode::from_raw_mode(0o777))?)
    })?)
}

/// `path_filestat_get(fd, flags, path, stat)`: writes 64 bytes of file status, of a link itself unless it is to be followed.
pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    Ok(filestat(ctx, mem, fd, lookup, path, path_len)?.write(mem, stat)?)
}

/// The status that `path_filestat_get` writes, in either layout.
pub(crate) fn filestat(
    ctx: &WasiCtx,
    mem: &GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
) -> Result<Filestat, Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_FILESTAT_GET, path, path_len)?;
    let follow = follows(lookup)?;
    Ok(reach_any(&ctx.fds, fd, rights::PATH_FILESTAT_GET, path, Last::followed_if(follow), |found| match found {
        Found::Spot(spot) => Ok(Filestat::from_host(&sandbox::stat(&spot.directory.file, &spot.path, follow)?)),
        Found::Names(_, names) => Ok(names.stat()),
    })?)
}

/// `path_filestat_set_times(fd, flags, path, atim, mtim, fst_flags)`: sets either time to a value or to now, of a link itself
/// unless it is to be followed.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_filestat_set_times(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_FILESTAT_SET_TIMES, path, path_len)?;
    let times = timestamps(atim, mtim, fst_flags)?;
    let follow = follows(lookup)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_FILESTAT_SET_TIMES, path, Last::followed_if(follow), |spot| {
        let start = &spot.directory.writable()?.file;
        let place = Place::find(start, &spot.path)?;
        if !follow && !place.slash {
            return Ok(utimensat(&*place.parent, place.name, &times, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        match utimensat(&sandbox::open_as_path(start, &spot.path, true)?, "", &times, AtFlags::EMPTY_PATH) {
            // Linux before 5.8: the file has to be opened for something.
            Err(HostErrno::INVAL) => {
                let (file, stat) = sandbox::open(start, &spot.path, OpenHow::READ)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    // It may be open for lookups alone.
                    FileType::Directory => Ok(utimensat(&file, ".", &times, AtFlags::empty())?),
                    _ => Ok(futimens(&file, &times)?),
                }
            }
            result => Ok(result?),
        }
    })?)
}

/// `path_link(old_fd, old_flags, old_path, new_fd, new_path)`: makes a hard link, of a link itself. `INVAL` if it is to be
/// followed: no host call does that within a directory. `EXIST` if the new name exists, `PERM` for a directory.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_link(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_fd: u32,
    old_lookup: u32,
    old_path: Pointer,
    old_path_len: u32,
    new_fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let old_path = path_below(ctx, mem, old_fd, rights::PATH_LINK_SOURCE, old_path, old_path_len)?;
    let new_path = path_below(ctx, mem, new_fd, rights::PATH_LINK_TARGET, new_path, new_path_len)?;
    if follows(old_lookup)? {
        return Err(Errno::Inval.into());
    }
    Ok(reach(&ctx.fds, old_fd, rights::PATH_LINK_SOURCE, old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_LINK_TARGET, new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            old.check_slash()?;
            new.check_slash()?;
            Ok(linkat(&*old.parent, old.name, &*new.parent, new.name, AtFlags::empty())?)
        })
    })?)
}

/// `path_open(fd, lookup, path, oflags, rights_base, rights_inheriting, fdflags, opened)`: opens or creates a file or opens a
/// directory and writes the new descriptor.
///
/// `FD_READ` and `FD_WRITE` decide the access. `NOTCAPABLE` for a right that was taken away from what the directory passes on;
/// inheriting rights are reduced by those. `MFILE` if no number is left, before anything is created. `PERM` for `TRUNC` if
/// the right to set sizes was taken away.
///
/// A FIFO that is opened for reading alone, or for writing alone, waits for its other side. With `NONBLOCK` it does not: for
/// reading it opens, for writing that is `NXIO` while nobody reads.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_open(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    open_flags: u32,
    rights_base: u64,
    rights_inheriting: u64,
    fd_flags: u32,
    opened: Pointer,
) -> Result<(), Fail> {
    let open_flags = flags(open_flags, oflags::ALL)?;
    let how = OpenHow {
        follow: follows(lookup)?,
        create: open_flags & oflags::CREAT != 0,
        directory: open_flags & oflags::DIRECTORY != 0,
        exclusive: open_flags & oflags::EXCL != 0,
        truncate: open_flags & oflags::TRUNC != 0,
        read: rights_base & rights::FD_READ != 0,
        write: rights_base & rights::FD_WRITE != 0,
        flags: flags(fd_flags, fdflags::ALL)?,
    };
    let needed = if how.create { rights::PATH_OPEN | rights::PATH_CREATE_FILE } else { rights::PATH_OPEN };
    let path = path_below(ctx, mem, fd, needed, path, path_len)?;
    let taken = passed_on(ctx.fds.get(fd)?, how, rights_base)?;
    ctx.fds.room()?;
    let wanted = (rights_base, rights_inheriting);
    let last = if how.create && how.exclusive { Last::Kept } else { Last::followed_if(how.follow) };
    let mut pauses = Pauses::default();
    let found = loop {
        match reach_any(&ctx.fds, fd, needed, path, last, |found| open_at(found, how, rights_base, taken)) {
            // The host would let an open that blocks wait, for a lease to end for example.
            Err(Errno::Again) if how.waits() => pauses.pause(ctx.interrupt.as_ref(), &mut Vec::new())?,
            result => break result?,
        }
    };
    let new = found.into_descriptor(ctx.interrupt.as_ref(), how, wanted)?;
    Ok(mem.write_u32(opened, ctx.fds.insert(new)?)?)
}

/// Returns the rights that are taken away of what is opened through `descriptor`; an error if what is asked for needs one.
fn passed_on(descriptor: &Descriptor, how: OpenHow, rights_base: u64) -> Result<Taken, Errno> {
    let taken = descriptor.taken.passed_on();
    if rights_base & taken.base != 0 {
        Err(Errno::Notcapable)
    } else if how.truncate && descriptor.require(rights::PATH_FILESTAT_SET_SIZE).is_err() {
        Err(Errno::Perm)
    } else {
        Ok(taken)
    }
}

/// What `path_open` has found.
enum Opened {
    Host {
        file: std::fs::File,
        stat: Stat,
        /// A FIFO that is to be written and that nobody reads: `file` only names it.
        unread: bool,
        read_only: bool,
        taken: Taken,
    },
    Names {
        names: Names,
        taken: Taken,
    },
}

/// Opens without waiting. `taken` is taken away by the directory that the path began at.
fn open_at(found: Found<'_, '_>, how: OpenHow, rights_base: u64, taken: Taken) -> Result<Opened, Errno> {
    let (Found::Spot(Spot { descriptor, .. }) | Found::Names(descriptor, _)) = &found;
    let taken = taken.and(passed_on(descriptor, how, rights_base)?);
    let Spot { directory, path, .. } = match found {
        Found::Spot(spot) => spot,
        Found::Names(_, names) => return open_names(names, how, taken),
    };
    let read_only = directory.read_only;
    let opened = |(file, stat), unread| Opened::Host { file, stat, unread, read_only, taken };
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

/// Opens a directory of names, as one of a file system that is mounted read-only.
fn open_names(names: Names, how: OpenHow, taken: Taken) -> Result<Opened, Errno> {
    match how {
        OpenHow { create: true, directory: true, .. } => Err(Errno::Inval),
        OpenHow { create: true, exclusive: true, .. } => Err(Errno::Exist),
        OpenHow { create: true, .. } | OpenHow { write: true, .. } | OpenHow { truncate: true, .. } => {
            Err(Errno::Isdir)
        }
        _ => Ok(Opened::Names { names, taken }),
    }
}

impl Opened {
    /// What the guest gets, once the other side of a FIFO is there.
    fn into_descriptor(
        self,
        interrupt: Option<&InterruptHandle>,
        how: OpenHow,
        (base, inheriting): (u64, u64),
    ) -> Result<Descriptor, Fail> {
        let (mut file, stat, unread, read_only, taken) = match self {
            Opened::Host { file, stat, unread, read_only, taken } => (file, stat, unread, read_only, taken),
            Opened::Names { names, taken } => {
                return Ok(Descriptor::directory(Object::Names(names), base, inheriting, taken));
            }
        };
        if unread {
            file = fifo::open_when_read(interrupt, &file, sync_flags(how.flags))?;
        }
        let host = HostFile { read_only, ..HostFile::new(HostFd::Owned(file.into()), &stat) };
        Ok(match host {
            HostFile { fd: HostFd::Owned(fd), filetype: Filetype::Directory, .. } => {
                let directory = Directory { file: fd.into(), read_only, preopen: None, listing: None };
                Descriptor::directory(Object::Directory(directory), base, inheriting, taken)
            }
            host => {
                if host.kind == Kind::Pipe && how.read && !how.write && how.waits() {
                    fifo::until_written(interrupt, host.fd.as_fd())?;
                }
                Descriptor {
                    rights_base: base & host.applicable_rights(),
                    rights_inheriting: 0,
                    taken,
                    object: Object::Host(host),
                    flags: how.flags,
                    metered: false,
                }
            }
        })
    }
}

/// Opens below a directory that is granted read-only, as on a file system that is mounted so: what exists can be opened, as
/// long as nothing is written, created or truncated.
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

/// What was to be created cannot be.
fn missing_is_read_only(error: Errno) -> Errno {
    if error == Errno::Noent { Errno::Rofs } else { error }
}

/// `path_readlink(fd, path, buf, buf_len, bufused)`: writes the path in a link, cut where the buffer ends, and how many bytes
/// that is. `INVAL` if it is no link.
///
/// An absolute one is told if it leads to something, by the path by which the guest knows that; else it is `PERM`, as it would
/// tell of the host.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_readlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
    buf: Pointer,
    buf_len: u32,
    bufused: Pointer,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_READLINK, path, path_len)?;
    let target = reach(&ctx.fds, fd, rights::PATH_READLINK, path, Last::KeptUnlessSlash, |spot| {
        let start = &spot.directory.file;
        let place = Place::find(start, &spot.path)?;
        if place.slash {
            // A slash makes it the directory that the link leads to, which is no link.
            sandbox::open_as_path(start, &spot.path, true)?;
            return Err(Errno::Inval);
        }
        Ok(readlinkat(&*place.parent, place.name, Vec::new())?.into_bytes())
    })?;
    let target = if target.starts_with(b"/") {
        let leads = |found: Found<'_, '_>| match found {
            Found::Spot(spot) => sandbox::stat(&spot.directory.file, &spot.path, true).map(drop),
            Found::Names(..) => Ok(()),
        };
        reach_any(&ctx.fds, fd, rights::PATH_READLINK, path, Last::Followed, leads).map_err(|_| Errno::Perm)?;
        link_text(&ctx.fds, &target).ok_or(Errno::Perm)?
    } else {
        target
    };
    let used = target.len().min(buf_len as usize);
    mem.write(buf, &target[..used])?;
    Ok(mem.write_u32(bufused, used as u32)?)
}

/// `path_remove_directory(fd, path)`: removes an empty directory, with or without a slash at the end. `NOTEMPTY`, `NOTDIR`.
pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_REMOVE_DIRECTORY, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_REMOVE_DIRECTORY, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        if place.dotdot {
            return Err(Errno::Notempty);
        }
        Ok(unlinkat(&*place.parent, place.name, AtFlags::REMOVEDIR)?)
    })?)
}

/// `path_rename(fd, old_path, new_fd, new_path)`: moves a file or directory, also between granted directories, replacing what
/// is there as `rename(2)` does.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_rename(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    old_path: Pointer,
    old_path_len: u32,
    new_fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let old_path = path_below(ctx, mem, fd, rights::PATH_RENAME_SOURCE, old_path, old_path_len)?;
    let new_path = path_below(ctx, mem, new_fd, rights::PATH_RENAME_TARGET, new_path, new_path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_RENAME_SOURCE, old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_RENAME_TARGET, new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            // A slash on either side says that a directory is moved.
            if (old.slash || new.slash) && !old.is_directory()? {
                return Err(Errno::Notdir);
            }
            Ok(renameat(&*old.parent, old.name, &*new.parent, new.name)?)
        })
    })?)
}

/// `path_symlink(old_path, fd, new_path)`: makes a link that holds `old_path`. An absolute one is `PERM`: a guest must not
/// plant links by which a host program leaves the directory. A relative one may hold anything; following it stays inside.
pub(crate) fn path_symlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_path: Pointer,
    old_path_len: u32,
    fd: u32,
    new_path: Pointer,
    new_path_len: u32,
) -> Result<(), Fail> {
    let new_path = path_below(ctx, mem, fd, rights::PATH_SYMLINK, new_path, new_path_len)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    if old_path.starts_with(b"/") {
        return Err(Errno::Perm.into());
    }
    Ok(reach(&ctx.fds, fd, rights::PATH_SYMLINK, new_path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        Ok(symlinkat(old_path, &*place.parent, place.name)?)
    })?)
}

/// `path_unlink_file(fd, path)`: removes a name that is no directory, which would be `ISDIR`. `NOTDIR` for `file/`.
pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_UNLINK_FILE, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_UNLINK_FILE, path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        match unlinkat(&*place.parent, place.name, AtFlags::empty()) {
            // POSIX lets unlink say "not permitted" of a directory, and some file systems do.
            Err(HostErrno::PERM) if place.is_directory()? => Err(Errno::Isdir),
            result => Ok(result?),
        }
    })?)
}
