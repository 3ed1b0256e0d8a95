//! `path_*`: calls on a directory and a path below it.
//!
//! Common errors: `BADF` if the directory is not open, `NOTDIR` if it is not a directory, `NOTCAPABLE` if the right was
//! revoked. For the path itself: `INVAL` for NUL in it, `NOENT` if it is empty, `NAMETOOLONG` if it is too long, `PERM` if it
//! leads out of the directory. `ROFS` for a change below a directory granted read-only. All other errors are Linux's.
//!
//! Paths are bytes, as on the host, whatever their encoding. An absolute link leads where the guest's own `open` of that path
//! would lead; see [`crate::namespace`].

use std::borrow::Cow;
use std::os::fd::AsFd as _;

use rustix::fs::{
    AtFlags, FileType, Mode, Stat, fstat, futimens, linkat, mkdirat, readlinkat, renameat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno as HostErrno;

use super::fd::timestamps;
use crate::abi::{Filestat, Filetype, SYMLINK_FOLLOW, fdflags, flags, oflags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Descriptor, Directory, HostFd, HostFile, Kind, Object, Revoked};
use crate::fifo;
use crate::memory::GuestMemory;
use crate::namespace::{Found, Last, Spot, link_text, reach, reach_any};
use crate::pointer::Pointer;
use crate::rights;
use crate::sandbox::{self, OpenHow, Place, guest_path, sync_flags};
use crate::virtual_dir::VirtualDir;
use crate::wait::{Pauses, Waits};

/// Decodes `lookupflags`.
fn follows(lookup: u32) -> Result<bool, Errno> {
    Ok(flags(lookup, SYMLINK_FOLLOW as u16)? != 0)
}

/// Reads the path of a call that needs `right` on the directory.
fn path_below<'m>(
    ctx: &WasiCtx,
    mem: &'m GuestMemory<'_>,
    fd: u32,
    right: u64,
    path: Pointer,
    path_len: u32,
) -> Result<Cow<'m, [u8]>, Fail> {
    ctx.fds.directory(fd, right)?;
    guest_path(mem, path, path_len)
}

/// [`path_create_directory`]: makes a directory.
///
/// # Errors
/// `EXIST` if the name exists.
///
/// [`path_create_directory`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_create_directory
pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_CREATE_DIRECTORY, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_CREATE_DIRECTORY, &path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        Ok(mkdirat(&*place.parent, place.name, Mode::from_raw_mode(0o777))?)
    })?)
}

/// [`path_filestat_get`]: writes the file status in `SIZE` bytes, the size of [`Filestat`] in the module. Describes a link
/// itself unless `SYMLINK_FOLLOW` is set.
///
/// [`path_filestat_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_filestat_get
pub(crate) fn path_filestat_get<const SIZE: usize>(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_FILESTAT_GET, path, path_len)?;
    let follow = follows(lookup)?;
    let last = Last::followed_if(follow);
    let status = reach_any(&ctx.fds, fd, rights::PATH_FILESTAT_GET, &path, last, |found| match found {
        Found::Spot(spot) => Ok(Filestat::from_host(&sandbox::stat(&spot.directory.file, &spot.path, follow)?)),
        Found::Virtual(_, dir) => Ok(dir.stat()),
    })?;
    Ok(status.write::<SIZE>(mem, stat)?)
}

/// [`path_filestat_set_times`]: sets either time to a value or to now. Changes a link itself unless `SYMLINK_FOLLOW` is set.
///
/// [`path_filestat_set_times`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_filestat_set_times
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
    Ok(reach(&ctx.fds, fd, rights::PATH_FILESTAT_SET_TIMES, &path, Last::followed_if(follow), |spot| {
        let start = &spot.directory.writable()?.file;
        let place = Place::find(start, &spot.path)?;
        if !follow && !place.slash {
            return Ok(utimensat(&*place.parent, place.name, &times, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        match utimensat(&sandbox::open_as_path(start, &spot.path, true)?, "", &times, AtFlags::EMPTY_PATH) {
            // Before 5.8, Linux does not accept an empty path here. The file must be open for access.
            Err(HostErrno::INVAL) => {
                let (file, stat) = sandbox::open(start, &spot.path, OpenHow::READ)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    // The directory may be open only for lookups, which `futimens` does not accept.
                    FileType::Directory => Ok(utimensat(&file, ".", &times, AtFlags::empty())?),
                    _ => Ok(futimens(&file, &times)?),
                }
            }
            result => Ok(result?),
        }
    })?)
}

/// [`path_link`]: makes a hard link. If the old path names a symbolic link, the hard link is to that link itself.
///
/// # Errors
/// `INVAL` for `SYMLINK_FOLLOW`, because no host call follows a link and stays within a directory. `EXIST` if the new name
/// exists, `PERM` for a directory.
///
/// [`path_link`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_link
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
    Ok(reach(&ctx.fds, old_fd, rights::PATH_LINK_SOURCE, &old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_LINK_TARGET, &new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            old.check_slash()?;
            new.check_slash()?;
            Ok(linkat(&*old.parent, old.name, &*new.parent, new.name, AtFlags::empty())?)
        })
    })?)
}

/// [`path_open`]: opens or creates a file, or opens a directory, and writes the new descriptor.
///
/// `FD_READ` and `FD_WRITE` in `rights_base` are the access mode. If the guest revoked inheriting rights of the directory, the
/// new descriptor does not pass these on either.
///
/// Opening a FIFO only for reading, or only for writing, waits for its other end. With `NONBLOCK` it does not wait, as in
/// [POSIX `open`]: opening for reading succeeds, and opening for writing fails with `NXIO` if the FIFO has no reader.
///
/// # Errors
/// `NOTCAPABLE` if `rights_base` has a right that was revoked from the directory's inheriting rights. `MFILE` if no number is
/// free; no file is created then. `PERM` for `TRUNC` if the right to set sizes was revoked.
///
/// [`path_open`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_open
/// [POSIX `open`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/open.html
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
    let revoked = revoked_through(ctx.fds.get(fd)?, how, rights_base)?;
    ctx.fds.check_free()?;
    let wanted = (rights_base, rights_inheriting);
    let last = if how.create && how.exclusive { Last::Kept } else { Last::followed_if(how.follow) };
    let mut pauses = Pauses::default();
    let found = loop {
        match reach_any(&ctx.fds, fd, needed, &path, last, |found| open_at(found, how, rights_base, revoked)) {
            // On the host a blocking `open` would wait, for example for the end of a lease.
            Err(Errno::Again) if how.waits() => pauses.pause(&ctx.waits, &mut [])?,
            result => break result?,
        }
    };
    let new = found.into_descriptor(&ctx.waits, how, wanted)?;
    Ok(mem.write_u32(opened, ctx.fds.insert(new)?)?)
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

/// [`path_readlink`]: writes the target of a link, cut where the buffer ends, and the number of bytes written.
///
/// The guest gets an absolute target only if it leads to an existing file, in the form of that file's guest path.
///
/// # Errors
/// `INVAL` if the path is no link. `PERM` for any other absolute target, which would reveal paths of the host.
///
/// [`path_readlink`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_readlink
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
    let target = reach(&ctx.fds, fd, rights::PATH_READLINK, &path, Last::KeptUnlessSlash, |spot| {
        let start = &spot.directory.file;
        let place = Place::find(start, &spot.path)?;
        if place.slash {
            // A slash makes the path name the directory to which the link leads, and a directory is no link.
            sandbox::open_as_path(start, &spot.path, true)?;
            return Err(Errno::Inval);
        }
        Ok(readlinkat(&*place.parent, place.name, Vec::new())?.into_bytes())
    })?;
    let target = if target.starts_with(b"/") {
        let leads = |found: Found<'_, '_>| match found {
            Found::Spot(spot) => sandbox::stat(&spot.directory.file, &spot.path, true).map(drop),
            Found::Virtual(..) => Ok(()),
        };
        reach_any(&ctx.fds, fd, rights::PATH_READLINK, &path, Last::Followed, leads).map_err(|_| Errno::Perm)?;
        link_text(&ctx.fds, &target).ok_or(Errno::Perm)?
    } else {
        target
    };
    let used = target.len().min(buf_len as usize);
    mem.write(buf, &target[..used])?;
    Ok(mem.write_u32(bufused, used as u32)?)
}

/// [`path_remove_directory`]: removes an empty directory. A slash may follow its name.
///
/// # Errors
/// `NOTEMPTY` if it has entries, `NOTDIR` if it is not a directory.
///
/// [`path_remove_directory`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_remove_directory
pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_REMOVE_DIRECTORY, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_REMOVE_DIRECTORY, &path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        if place.dotdot {
            return Err(Errno::Notempty);
        }
        Ok(unlinkat(&*place.parent, place.name, AtFlags::REMOVEDIR)?)
    })?)
}

/// [`path_rename`]: moves a file or directory, also between granted directories, and replaces an existing one as [POSIX
/// `rename`] does.
///
/// [`path_rename`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_rename
/// [POSIX `rename`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/rename.html
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
    Ok(reach(&ctx.fds, fd, rights::PATH_RENAME_SOURCE, &old_path, Last::Kept, |old| {
        let old = Place::find(&old.directory.writable()?.file, &old.path)?;
        reach(&ctx.fds, new_fd, rights::PATH_RENAME_TARGET, &new_path, Last::Kept, |new| {
            let new = Place::find(&new.directory.writable()?.file, &new.path)?;
            // A slash after either path requires that a directory is moved.
            if (old.slash || new.slash) && !old.is_directory()? {
                return Err(Errno::Notdir);
            }
            Ok(renameat(&*old.parent, old.name, &*new.parent, new.name)?)
        })
    })?)
}

/// [`path_symlink`]: makes a link with the target `old_path`.
///
/// # Errors
/// `PERM` for an absolute target: a host program that follows the link would leave the directory. Any relative target is
/// allowed, because no call of the guest follows it out of the directory.
///
/// [`path_symlink`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_symlink
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
    Ok(reach(&ctx.fds, fd, rights::PATH_SYMLINK, &new_path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        Ok(symlinkat(&*old_path, &*place.parent, place.name)?)
    })?)
}

/// [`path_unlink_file`]: removes a file.
///
/// # Errors
/// `ISDIR` for a directory, `NOTDIR` for `file/`.
///
/// [`path_unlink_file`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_unlink_file
pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let path = path_below(ctx, mem, fd, rights::PATH_UNLINK_FILE, path, path_len)?;
    Ok(reach(&ctx.fds, fd, rights::PATH_UNLINK_FILE, &path, Last::Kept, |spot| {
        let place = Place::find(&spot.directory.writable()?.file, &spot.path)?;
        place.check_slash()?;
        match unlinkat(&*place.parent, place.name, AtFlags::empty()) {
            // [POSIX `unlink`](https://pubs.opengroup.org/onlinepubs/9799919799/functions/unlink.html) has `EPERM` for a
            // directory, and some file systems return it.
            Err(HostErrno::PERM) if place.is_directory()? => Err(Errno::Isdir),
            result => Ok(result?),
        }
    })?)
}
