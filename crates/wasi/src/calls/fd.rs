//! `fd_*` calls about a descriptor itself: its status, flags, rights, position, size, times and number.
//!
//! Each takes the descriptor first; one that is not open is `BADF`, and so is a directory where only a file makes sense.

use std::num::NonZeroU64;
use std::os::fd::AsFd;

use rustix::fs::{
    Advice, AtFlags, FallocateFlags, Mode, OFlags, SeekFrom, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fadvise,
    fallocate, fdatasync, fsync, ftruncate, futimens, openat, utimensat,
};
use rustix::io::retry_on_intr;

use crate::abi::{Fdstat, Filestat, fdflags, flags, prestat_dir};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Descriptor, HostFile, Object};
use crate::memory::GuestMemory;
use crate::names::Names;
use crate::pointer::Pointer;
use crate::rights;

/// The file behind `fd`, if it is one and keeps the rights: `BADF` for a directory, `SPIPE` for what lies in this process.
fn host_file(ctx: &WasiCtx, fd: u32, wanted: u64) -> Result<(&HostFile, &Descriptor), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Names(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Spipe),
    };
    file.seekable()?;
    descriptor.require(wanted)?;
    Ok((file, descriptor))
}

/// `fd_advise(fd, offset, len, advice)`: tells the host how the file will be read. `INVAL` for an unknown advice or a range
/// that is no file range, `SPIPE` for a stream.
pub(crate) fn fd_advise(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result<(), Errno> {
    let (file, _) = host_file(ctx, fd, rights::FD_ADVISE)?;
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval),
    };
    if offset > i64::MAX as u64 || len > i64::MAX as u64 {
        return Err(Errno::Inval);
    }
    Ok(fadvise(&file.fd, offset, NonZeroU64::new(len), advice)?)
}

/// `fd_allocate(fd, offset, len)`: makes sure that space for the range exists, growing the file to its end if need be, as
/// `posix_fallocate`. `INVAL` for no bytes, `FBIG` past the largest file, `NOTSUP` where the host's file system cannot.
pub(crate) fn fd_allocate(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
) -> Result<(), Errno> {
    let (file, _) = host_file(ctx, fd, rights::FD_ALLOCATE)?;
    file.writable()?;
    if len == 0 {
        return Err(Errno::Inval);
    }
    match offset.checked_add(len) {
        Some(end) if end <= i64::MAX as u64 => {
            Ok(retry_on_intr(|| fallocate(&file.fd, FallocateFlags::empty(), offset, len))?)
        }
        _ => Err(Errno::Fbig),
    }
}

/// `fd_close(fd)`: frees the number; the last reference closes the host's descriptor.
pub(crate) fn fd_close(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
    ctx.fds.remove(fd).map(drop)
}

/// `fd_datasync(fd)`: waits until the data is on the device.
pub(crate) fn fd_datasync(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
    sync(ctx, fd, true)
}

/// `fd_sync(fd)`: waits until data and metadata are on the device; also for directories.
pub(crate) fn fd_sync(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
    sync(ctx, fd, false)
}

fn sync(ctx: &WasiCtx, fd: u32, data_only: bool) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(if data_only { rights::FD_DATASYNC } else { rights::FD_SYNC })?;
    let reopened;
    let host = match &descriptor.object {
        Object::Host(file) => file.fd.as_fd(),
        Object::Directory(directory) => {
            let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            reopened = openat(&directory.file, ".", how, Mode::empty())?;
            reopened.as_fd()
        }
        Object::Names(_) => return Ok(()),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Inval),
    };
    Ok(retry_on_intr(|| if data_only { fdatasync(host) } else { fsync(host) })?)
}

/// `fd_fdstat_get(fd, stat)`: writes the descriptor's kind, flags and rights.
pub(crate) fn fd_fdstat_get(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, stat: Pointer) -> Result<(), Fail> {
    let descriptor = ctx.fds.get(fd)?;
    let fdstat = Fdstat {
        filetype: descriptor.object.filetype(),
        flags: descriptor.flags,
        rights_base: descriptor.rights_base,
        rights_inheriting: descriptor.rights_inheriting,
    };
    Ok(fdstat.write(mem, stat)?)
}

/// `fd_fdstat_set_flags(fd, flags)`: sets `APPEND` and `NONBLOCK`. The synchronising flags cannot be added to an open file,
/// which is `INVAL`; dropping them is accepted and changes nothing, as on Linux.
///
/// Both flags are carried out by the calls, so nothing changes on the host: an inherited stream is shared with the shell.
pub(crate) fn fd_fdstat_set_flags(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    new: u32,
) -> Result<(), Errno> {
    let new = flags(new, fdflags::ALL)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    descriptor.require(rights::FD_FDSTAT_SET_FLAGS)?;
    let kept = descriptor.flags & fdflags::SYNCHRONISED;
    if new & fdflags::SYNCHRONISED & !kept != 0 {
        return Err(Errno::Inval);
    }
    descriptor.flags = kept | new & !fdflags::SYNCHRONISED;
    Ok(())
}

/// `fd_fdstat_set_rights(fd, base, inheriting)`: takes rights away; `NOTCAPABLE` if that would add any.
pub(crate) fn fd_fdstat_set_rights(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result<(), Errno> {
    ctx.fds.get_mut(fd)?.take_away(base, inheriting)
}

/// `fd_filestat_get(fd, stat)`: writes 64 bytes of file status.
pub(crate) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    Ok(filestat(ctx, fd)?.write(mem, stat)?)
}

/// The status that `fd_filestat_get` writes, in either layout.
pub(crate) fn filestat(ctx: &WasiCtx, fd: u32) -> Result<Filestat, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_FILESTAT_GET)?;
    descriptor.object.stat()
}

/// `fd_filestat_set_size(fd, size)`: truncates or extends with zeros. `INVAL` for what is no file size, `FBIG` for one that
/// the file system cannot have.
pub(crate) fn fd_filestat_set_size(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    size: u64,
) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Names(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Inval),
    };
    descriptor.require(rights::FD_FILESTAT_SET_SIZE)?;
    file.writable()?;
    if size > i64::MAX as u64 {
        return Err(Errno::Inval);
    }
    Ok(retry_on_intr(|| ftruncate(&file.fd, size))?)
}

/// What `fstflags` and two times ask for. Setting a time both to a value and to now, or an unknown flag, is `INVAL`.
pub(crate) fn timestamps(atim: u64, mtim: u64, fst_flags: u32) -> Result<Timestamps, Errno> {
    let fst_flags = flags(fst_flags, 0xf)?;
    let decode = |set: u16, time: u64| {
        let (tv_sec, tv_nsec) = match set {
            0 => (0, UTIME_OMIT),
            1 => ((time / 1_000_000_000) as i64, (time % 1_000_000_000) as _),
            2 => (0, UTIME_NOW),
            _ => return Err(Errno::Inval),
        };
        Ok(Timespec { tv_sec, tv_nsec })
    };
    Ok(Timestamps { last_access: decode(fst_flags & 3, atim)?, last_modification: decode(fst_flags >> 2, mtim)? })
}

/// `fd_filestat_set_times(fd, atim, mtim, fst_flags)`: sets either time to a value or to now. The host's file system clamps
/// what it cannot store.
pub(crate) fn fd_filestat_set_times(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_FILESTAT_SET_TIMES)?;
    let times = timestamps(atim, mtim, fst_flags)?;
    match &descriptor.object {
        Object::Directory(directory) => {
            let directory = directory.writable()?;
            Ok(utimensat(&directory.file, ".", &times, AtFlags::empty())?)
        }
        Object::Names(_) => Err(Errno::Rofs),
        Object::Host(file) => {
            file.writable()?;
            Ok(futimens(&file.fd, &times)?)
        }
        Object::Input(_) | Object::Output(_) | Object::Discard => Err(Errno::Inval),
    }
}

/// `fd_prestat_get(fd, prestat)`: writes the length of a granted directory's name. `BADF` for anything else, which is how a
/// guest knows where the granted directories end.
pub(crate) fn fd_prestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    prestat: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write(prestat, &prestat_dir(preopen(ctx, fd)?.len() as u32))?)
}

/// `fd_prestat_dir_name(fd, path, path_len)`: writes a granted directory's name. `NAMETOOLONG` if it does not fit.
pub(crate) fn fd_prestat_dir_name(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let name = preopen(ctx, fd)?;
    if name.len() > path_len as usize {
        return Err(Errno::Nametoolong.into());
    }
    Ok(mem.write(path, name.as_bytes())?)
}

fn preopen(ctx: &WasiCtx, fd: u32) -> Result<&str, Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Directory(directory) => directory.preopen.as_deref().ok_or(Errno::Badf),
        Object::Names(Names { preopen: true, .. }) => Ok("/"),
        _ => Err(Errno::Badf),
    }
}

/// `fd_renumber(fd, to)`: moves a descriptor to the number of another, which is closed. Both must be open, else `BADF`.
pub(crate) fn fd_renumber(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32, to: u32) -> Result<(), Errno> {
    ctx.fds.renumber(fd, to)
}

/// `fd_seek(fd, offset, whence, new_offset)`: moves the position and writes it. `INVAL` for an unknown whence or a position
/// before the start, `SPIPE` for a stream.
pub(crate) fn fd_seek(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    whence: u32,
    new_offset: Pointer,
) -> Result<(), Fail> {
    let offset = offset as i64;
    let target = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::Inval.into()),
    };
    seek(ctx, mem, fd, target, new_offset)
}

/// `fd_tell(fd, offset)`: writes the position.
pub(crate) fn fd_tell(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, offset: Pointer) -> Result<(), Fail> {
    seek(ctx, mem, fd, SeekFrom::Current(0), offset)
}

/// Moves a position. `NOTCAPABLE` if `FD_SEEK` was taken away; for asking without moving, if `FD_TELL` was too.
pub(crate) fn seek(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    target: SeekFrom,
    result: Pointer,
) -> Result<(), Fail> {
    let (file, descriptor) = host_file(ctx, fd, 0)?;
    if target != SeekFrom::Current(0) || descriptor.require(rights::FD_TELL).is_err() {
        descriptor.require(rights::FD_SEEK)?;
    }
    Ok(mem.write_u64(result, rustix::fs::seek(&file.fd, target)?)?)
}
