//! `fd_*` calls about a descriptor itself: its status, flags, rights, position, size, times and number.
//!
//! Each call takes the descriptor first. It fails with `BADF` for a descriptor that is not open, and for a directory if the
//! operation makes sense only for files.

use rustix::fs::{Advice, SeekFrom, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::abi::{Fdstat, fdflags, flags, prestat_dir};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::host::file;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::time::timespec;

/// [`fd_advise`]: tells the host how the guest will access a range of the file. A `len` of 0 means up to the end, as in
/// [`posix_fadvise`].
///
/// # Errors
/// `INVAL` for an unknown advice or an invalid range, `SPIPE` for a stream.
///
/// [`fd_advise`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_advise
/// [`posix_fadvise`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_fadvise.html
pub(crate) fn fd_advise(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result<(), Errno> {
    file::host_file(ctx, fd, rights::FD_ADVISE)?;
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval),
    };
    file::advise(ctx, fd, offset, len, advice)
}

/// [`fd_allocate`]: reserves space for a range and extends the file to the end of that range if it is shorter, as
/// [`posix_fallocate`] does.
///
/// # Errors
/// `INVAL` for a range of no bytes, `FBIG` past the largest file, `NOTSUP` if the host's file system does not support it.
///
/// [`fd_allocate`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_allocate
/// [`posix_fallocate`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_fallocate.html
pub(crate) fn fd_allocate(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
) -> Result<(), Errno> {
    file::allocate(ctx, fd, offset, len)
}

/// [`fd_close`]: frees the number and closes the host's descriptor.
///
/// [`fd_close`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_close
pub(crate) fn fd_close(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
    ctx.fds.remove(fd).map(drop)
}

/// [`fd_datasync`]: waits until the data is on the device.
///
/// [`fd_datasync`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_datasync
pub(crate) fn fd_datasync(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Fail> {
    file::sync(ctx, fd, true)
}

/// [`fd_sync`]: waits until data and metadata are on the device. Works for directories too.
///
/// [`fd_sync`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_sync
pub(crate) fn fd_sync(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result<(), Fail> {
    file::sync(ctx, fd, false)
}

/// [`fd_fdstat_get`]: writes the descriptor's kind, flags and rights.
///
/// [`fd_fdstat_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_fdstat_get
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

/// [`fd_fdstat_set_flags`]: sets `APPEND` and `NONBLOCK`.
///
/// The calls implement these two flags, and the host's descriptor keeps its mode: an inherited stream is shared with the
/// process that started this one. The synchronising flags cannot be added to an open file. Removing them succeeds and has no
/// effect, as on Linux.
///
/// # Errors
/// `INVAL` for an unknown flag or an added synchronising flag.
///
/// [`fd_fdstat_set_flags`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_fdstat_set_flags
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

/// [`fd_fdstat_set_rights`]: reduces the descriptor's rights.
///
/// # Errors
/// `NOTCAPABLE` if a right would be added.
///
/// [`fd_fdstat_set_rights`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_fdstat_set_rights
pub(crate) fn fd_fdstat_set_rights(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result<(), Errno> {
    ctx.fds.get_mut(fd)?.reduce_rights(base, inheriting)
}

/// [`fd_filestat_get`]: writes the file status in `SIZE` bytes, the size of [`Filestat`](crate::abi::Filestat) in the module.
///
/// [`fd_filestat_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_filestat_get
pub(crate) fn fd_filestat_get<const SIZE: usize>(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    Ok(file::stat(ctx, fd)?.write::<SIZE>(mem, stat)?)
}

/// [`fd_filestat_set_size`]: truncates the file, or extends it with zeros.
///
/// # Errors
/// `INVAL` for an invalid file size or a file not open for writing, `FBIG` for a size that the file system does not support.
///
/// [`fd_filestat_set_size`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_filestat_set_size
pub(crate) fn fd_filestat_set_size(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    size: u64,
) -> Result<(), Errno> {
    file::set_size(ctx, fd, size)
}

/// Decodes `fstflags` and two times.
///
/// # Errors
/// `INVAL` for an unknown flag, or for a time that is set both to a value and to now.
pub(crate) fn timestamps(atim: u64, mtim: u64, fst_flags: u32) -> Result<Timestamps, Errno> {
    let fst_flags = flags(fst_flags, 0xf)?;
    let decode = |set: u16, time: u64| {
        let (tv_sec, tv_nsec) = match set {
            0 => (0, UTIME_OMIT),
            1 => return Ok(timespec(time)),
            2 => (0, UTIME_NOW),
            _ => return Err(Errno::Inval),
        };
        Ok(Timespec { tv_sec, tv_nsec })
    };
    Ok(Timestamps { last_access: decode(fst_flags & 3, atim)?, last_modification: decode(fst_flags >> 2, mtim)? })
}

/// [`fd_filestat_set_times`]: sets either time to a value or to now. The host's file system clamps values that it cannot
/// store.
///
/// [`fd_filestat_set_times`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_filestat_set_times
pub(crate) fn fd_filestat_set_times(
    ctx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result<(), Errno> {
    ctx.fds.get(fd)?.require(rights::FD_FILESTAT_SET_TIMES)?;
    let times = timestamps(atim, mtim, fst_flags)?;
    file::set_times(ctx, fd, &times)
}

/// [`fd_prestat_get`]: writes the length of a granted directory's guest path.
///
/// # Errors
/// `BADF` for any other descriptor. Guests thereby recognise the end of the granted directories.
///
/// [`fd_prestat_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_prestat_get
pub(crate) fn fd_prestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    prestat: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write(prestat, &prestat_dir(file::preopen(ctx, fd)?.len() as u32))?)
}

/// [`fd_prestat_dir_name`]: writes a granted directory's guest path.
///
/// # Errors
/// `NAMETOOLONG` if it does not fit.
///
/// [`fd_prestat_dir_name`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_prestat_dir_name
pub(crate) fn fd_prestat_dir_name(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    path: Pointer,
    path_len: u32,
) -> Result<(), Fail> {
    let name = file::preopen(ctx, fd)?;
    if name.len() > path_len as usize {
        return Err(Errno::Nametoolong.into());
    }
    Ok(mem.write(path, name.as_bytes())?)
}

/// [`fd_renumber`]: moves a descriptor to the number of another, which it closes.
///
/// # Errors
/// `BADF` unless both are open.
///
/// [`fd_renumber`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_renumber
pub(crate) fn fd_renumber(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32, to: u32) -> Result<(), Errno> {
    ctx.fds.renumber(fd, to)
}

/// [`fd_seek`]: moves the position and writes it.
///
/// # Errors
/// `INVAL` for an unknown `whence` or a position before the start, `SPIPE` for a stream.
///
/// [`fd_seek`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_seek
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
    Ok(mem.write_u64(new_offset, file::seek(ctx, fd, target)?)?)
}

/// [`fd_tell`]: writes the position.
///
/// [`fd_tell`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_tell
pub(crate) fn fd_tell(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, offset: Pointer) -> Result<(), Fail> {
    Ok(mem.write_u64(offset, file::seek(ctx, fd, SeekFrom::Current(0))?)?)
}
