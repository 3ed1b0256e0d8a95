//! `path_*`: everything named by a directory and a path below it.
//!
//! Common errors: `BADF` if the directory is not open, `NOTDIR` if it is not a directory, `NOTCAPABLE` if the right was taken away,
//! `FAULT`, `ILSEQ`, `INVAL` (NUL), `NOENT` (empty) and `NAMETOOLONG` for the path itself, `PERM` if it leads out of the
//! directory, `ROFS` for a change below a directory granted read-only. The rest is what Linux says.

use rustix::fs::{
    AtFlags, FileType, Mode, futimens, linkat, mkdirat, readlinkat, renameat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno as HostErrno;

use super::fd::timestamps;
use crate::abi::{Filestat, Filetype, SYMLINK_FOLLOW, fdflags, flags, oflags};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::fd_table::{Descriptor, Directory, HostFd, HostFile, Object};
use crate::memory::GuestMemory;
use crate::rights;
use crate::sandbox::{self, OpenHow, Place, guest_path};

/// Decodes `lookupflags`.
fn follows(lookup: u32) -> Result<bool, Errno> {
    Ok(flags(lookup, SYMLINK_FOLLOW as u16)? != 0)
}

/// `path_create_directory(fd, path)`: `EXIST` if there is anything by that name.
pub(crate) fn path_create_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_CREATE_DIRECTORY)?;
    let path = guest_path(mem, path, path_len)?;
    let place = Place::find(&directory.writable()?.file, path)?;
    Ok(mkdirat(&*place.parent, place.name, Mode::from_raw_mode(0o777))?)
}

/// `path_filestat_get(fd, flags, path, stat)`: writes 64 bytes of file status, of a link itself unless it is to be followed.
pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    stat: u32,
) -> Result<(), Errno> {
    filestat(ctx, mem, fd, lookup, path, path_len)?.write(mem, stat)
}

/// The status that `path_filestat_get` writes, in either layout.
pub(crate) fn filestat(
    ctx: &WasiCtx,
    mem: &GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
) -> Result<Filestat, Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_FILESTAT_GET)?;
    let path = guest_path(mem, path, path_len)?;
    Ok(Filestat::from_host(&sandbox::stat(&directory.file, path, follows(lookup)?)?))
}

/// `path_filestat_set_times(fd, flags, path, atim, mtim, fst_flags)`: sets either time to a value or to now, of a link itself
/// unless it is to be followed.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_filestat_set_times(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_FILESTAT_SET_TIMES)?;
    let path = guest_path(mem, path, path_len)?;
    let times = timestamps(atim, mtim, fst_flags)?;
    let start = &directory.writable()?.file;
    let place = Place::find(start, path)?;
    if !follows(lookup)? && !place.slash {
        return Ok(utimensat(&*place.parent, place.name, &times, AtFlags::SYMLINK_NOFOLLOW)?);
    }
    match utimensat(&sandbox::open_as_path(start, path, true)?, "", &times, AtFlags::EMPTY_PATH) {
        // Linux before 5.8: the file has to be opened for something.
        Err(HostErrno::INVAL) => {
            let (file, stat) = sandbox::open(start, path, OpenHow::READ)?;
            match FileType::from_raw_mode(stat.st_mode) {
                // It may be open for lookups alone.
                FileType::Directory => Ok(utimensat(&file, ".", &times, AtFlags::empty())?),
                _ => Ok(futimens(&file, &times)?),
            }
        }
        result => Ok(result?),
    }
}

/// `path_link(old_fd, old_flags, old_path, new_fd, new_path)`: makes a hard link, of a link itself. `INVAL` if it is to be
/// followed: no host call does that within a directory. `EXIST` if the new name exists, `PERM` for a directory.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_link(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_fd: u32,
    old_lookup: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let (old_directory, _) = ctx.fds.directory(old_fd, rights::PATH_LINK_SOURCE)?;
    let (new_directory, _) = ctx.fds.directory(new_fd, rights::PATH_LINK_TARGET)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    let new_path = guest_path(mem, new_path, new_path_len)?;
    if follows(old_lookup)? {
        return Err(Errno::Inval);
    }
    let old = Place::find(&old_directory.writable()?.file, old_path)?;
    let new = Place::find(&new_directory.writable()?.file, new_path)?;
    old.check_slash()?;
    new.check_slash()?;
    Ok(linkat(&*old.parent, old.name, &*new.parent, new.name, AtFlags::empty())?)
}

/// `path_open(fd, lookup, path, oflags, rights_base, rights_inheriting, fdflags, opened)`: opens or creates a file or opens a
/// directory and writes the new descriptor.
///
/// `FD_READ` and `FD_WRITE` decide the access. `NOTCAPABLE` for a right that was taken away from what the directory passes on;
/// inheriting rights are reduced by those. `MFILE` if no number is left, before anything is created. `PERM` for `TRUNC` if
/// the right to set sizes was taken away. See [`sandbox::open`] for FIFOs.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_open(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    open_flags: u32,
    rights_base: u64,
    rights_inheriting: u64,
    fd_flags: u32,
    opened: u32,
) -> Result<(), Errno> {
    mem.check(opened, 4)?;
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
    let (directory, descriptor) = ctx.fds.directory(fd, needed)?;
    let path = guest_path(mem, path, path_len)?;
    let taken = descriptor.taken.passed_on();
    if rights_base & taken.base != 0 {
        return Err(Errno::Notcapable);
    }
    if how.truncate && descriptor.require(rights::PATH_FILESTAT_SET_SIZE).is_err() {
        return Err(Errno::Perm);
    }
    ctx.fds.room()?;

    let (file, stat) = if directory.read_only {
        open_read_only(directory, path, how)?
    } else {
        sandbox::open(&directory.file, path, how)?
    };
    let read_only = directory.read_only;
    let rights_inheriting = rights_inheriting & rights::ALL & !taken.inheriting;
    let host = HostFile { read_only, ..HostFile::new(HostFd::Owned(file.into()), &stat) };
    let new = match host {
        HostFile { fd: HostFd::Owned(fd), filetype: Filetype::Directory, .. } => Descriptor {
            object: Object::Directory(Directory { file: fd.into(), read_only, preopen: None, listing: None }),
            rights_base: rights_base & rights::DIRECTORY,
            rights_inheriting,
            taken,
            flags: 0,
            metered: false,
        },
        host => Descriptor {
            rights_base: rights_base & host.applicable_rights(),
            rights_inheriting: 0,
            taken,
            object: Object::Host(host),
            flags: how.flags,
            metered: false,
        },
    };
    mem.write_u32(opened, ctx.fds.insert(new)?)
}

/// Opens below a directory that is granted read-only, as on a file system that is mounted so: what exists can be opened, as
/// long as nothing is written, created or truncated.
fn open_read_only(directory: &Directory, path: &str, how: OpenHow) -> Result<(std::fs::File, rustix::fs::Stat), Errno> {
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
/// that is. `INVAL` if it is no link; `PERM` if it is absolute, as that would tell of the host; `ILSEQ` if it is not UTF-8.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_readlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_READLINK)?;
    let path = guest_path(mem, path, path_len)?;
    mem.check(buf, buf_len)?;
    let place = Place::find(&directory.file, path)?;
    if place.slash {
        // A slash makes it the directory that the link leads to, which is no link.
        sandbox::open_as_path(&directory.file, path, true)?;
        return Err(Errno::Inval);
    }
    let target = readlinkat(&*place.parent, place.name, Vec::new())?.into_bytes();
    if target.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    std::str::from_utf8(&target).map_err(|_| Errno::Ilseq)?;
    let used = target.len().min(buf_len as usize);
    mem.write(buf, &target[..used])?;
    mem.write_u32(bufused, used as u32)
}

/// `path_remove_directory(fd, path)`: removes an empty directory, with or without a slash at the end. `NOTEMPTY`, `NOTDIR`.
pub(crate) fn path_remove_directory(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_REMOVE_DIRECTORY)?;
    let path = guest_path(mem, path, path_len)?;
    let place = Place::find(&directory.writable()?.file, path)?;
    if place.dotdot {
        return Err(Errno::Notempty);
    }
    Ok(unlinkat(&*place.parent, place.name, AtFlags::REMOVEDIR)?)
}

/// `path_rename(fd, old_path, new_fd, new_path)`: moves a file or directory, also between granted directories, replacing what
/// is there as `rename(2)` does.
#[allow(clippy::too_many_arguments)]
pub(crate) fn path_rename(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let (old_directory, _) = ctx.fds.directory(fd, rights::PATH_RENAME_SOURCE)?;
    let (new_directory, _) = ctx.fds.directory(new_fd, rights::PATH_RENAME_TARGET)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    let new_path = guest_path(mem, new_path, new_path_len)?;
    let old = Place::find(&old_directory.writable()?.file, old_path)?;
    let new = Place::find(&new_directory.writable()?.file, new_path)?;
    // A slash on either side says that a directory is moved.
    if (old.slash || new.slash) && !old.is_directory()? {
        return Err(Errno::Notdir);
    }
    Ok(renameat(&*old.parent, old.name, &*new.parent, new.name)?)
}

/// `path_symlink(old_path, fd, new_path)`: makes a link that holds `old_path`. An absolute one is `PERM`: a guest must not
/// plant links by which a host program leaves the directory. A relative one may hold anything; following it stays inside.
pub(crate) fn path_symlink(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_SYMLINK)?;
    let old_path = guest_path(mem, old_path, old_path_len)?;
    let new_path = guest_path(mem, new_path, new_path_len)?;
    if old_path.starts_with('/') {
        return Err(Errno::Perm);
    }
    let place = Place::find(&directory.writable()?.file, new_path)?;
    place.check_slash()?;
    Ok(symlinkat(old_path, &*place.parent, place.name)?)
}

/// `path_unlink_file(fd, path)`: removes a name that is no directory, which would be `ISDIR`. `NOTDIR` for `file/`.
pub(crate) fn path_unlink_file(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let (directory, _) = ctx.fds.directory(fd, rights::PATH_UNLINK_FILE)?;
    let path = guest_path(mem, path, path_len)?;
    let place = Place::find(&directory.writable()?.file, path)?;
    place.check_slash()?;
    match unlinkat(&*place.parent, place.name, AtFlags::empty()) {
        // POSIX lets unlink say "not permitted" of a directory, and some file systems do.
        Err(HostErrno::PERM) if place.is_directory()? => Err(Errno::Isdir),
        result => Ok(result?),
    }
}
