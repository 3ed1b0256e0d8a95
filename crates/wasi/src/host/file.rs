//! A descriptor itself: its status, size, times, position, and what the host should know about its use.
//!
//! In: the number of a descriptor. Each operation fails with `BADF` for a descriptor that is not open, and for a directory if
//! it makes sense only for files.

use std::num::NonZeroU64;

use rustix::fs::{
    Advice, AtFlags, FallocateFlags, Mode, OFlags, SeekFrom, Timestamps, fadvise, fallocate, ftruncate, futimens,
    openat, utimensat,
};
use rustix::io::retry_on_intr;

use crate::abi::Filestat;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{Descriptor, HostFile, Object, sync_host};
use crate::rights;
use crate::transfer::What;
use crate::virtual_dir::VirtualDir;

/// Returns the file of `fd` for an operation that needs a position and the rights `wanted`.
///
/// # Errors
/// `BADF` for a directory, `SPIPE` for a stream, `NOTCAPABLE` for a revoked right.
pub(crate) fn host_file(ctx: &WasiCtx, fd: u32, wanted: u64) -> Result<(&HostFile, &Descriptor), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Virtual(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Spipe),
    };
    file.seekable()?;
    descriptor.require(wanted)?;
    Ok((file, descriptor))
}

/// Tells the host how the guest will access a range of the file. A `len` of 0 means up to the end, as in [`posix_fadvise`].
///
/// # Errors
/// `INVAL` for an invalid range, `SPIPE` for a stream.
///
/// [`posix_fadvise`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_fadvise.html
pub(crate) fn advise(ctx: &WasiCtx, fd: u32, offset: u64, len: u64, advice: Advice) -> Result<(), Errno> {
    let (file, _) = host_file(ctx, fd, rights::FD_ADVISE)?;
    if offset > i64::MAX as u64 || len > i64::MAX as u64 {
        return Err(Errno::Inval);
    }
    Ok(fadvise(&file.fd, offset, NonZeroU64::new(len), advice)?)
}

/// Reserves space for a range and extends the file to the end of that range if it is shorter, as [`posix_fallocate`] does.
///
/// # Errors
/// `INVAL` for a range of no bytes, `FBIG` past the largest file, `NOTSUP` if the host's file system does not support it.
///
/// [`posix_fallocate`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_fallocate.html
pub(crate) fn allocate(ctx: &WasiCtx, fd: u32, offset: u64, len: u64) -> Result<(), Errno> {
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

/// Waits until the data, and the metadata unless `data_only`, are on the device. Works for directories too.
pub(crate) fn sync(ctx: &WasiCtx, fd: u32, data_only: bool) -> Result<(), Fail> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(if data_only { rights::FD_DATASYNC } else { rights::FD_SYNC })?;
    match &descriptor.object {
        Object::Host(file) => {
            ctx.waits.leave(file, What::Sync { data_only })?;
            Ok(sync_host(&file.fd, data_only)?)
        }
        Object::Directory(directory) => {
            let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(sync_host(openat(&directory.file, ".", how, Mode::empty())?, data_only)?)
        }
        Object::Virtual(_) => Ok(()),
        Object::Input(_) | Object::Output(_) | Object::Discard => Err(Errno::Inval.into()),
    }
}

/// Returns the file status.
pub(crate) fn stat(ctx: &WasiCtx, fd: u32) -> Result<Filestat, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_FILESTAT_GET)?;
    descriptor.object.stat()
}

/// Truncates the file, or extends it with zeros.
///
/// # Errors
/// `INVAL` for an invalid file size or a file not open for writing, `FBIG` for a size that the file system does not support.
pub(crate) fn set_size(ctx: &WasiCtx, fd: u32, size: u64) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Virtual(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Inval),
    };
    descriptor.require(rights::FD_FILESTAT_SET_SIZE)?;
    file.writable()?;
    if size > i64::MAX as u64 {
        return Err(Errno::Inval);
    }
    Ok(retry_on_intr(|| ftruncate(&file.fd, size))?)
}

/// Sets either time to a value or to now. The host's file system clamps values that it cannot store.
pub(crate) fn set_times(ctx: &WasiCtx, fd: u32, times: &Timestamps) -> Result<(), Errno> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_FILESTAT_SET_TIMES)?;
    match &descriptor.object {
        Object::Directory(directory) => {
            let directory = directory.writable()?;
            Ok(utimensat(&directory.file, ".", times, AtFlags::empty())?)
        }
        Object::Virtual(_) => Err(Errno::Rofs),
        Object::Host(file) => {
            file.writable()?;
            Ok(futimens(&file.fd, times)?)
        }
        Object::Input(_) | Object::Output(_) | Object::Discard => Err(Errno::Inval),
    }
}

/// Returns the guest path of a granted directory.
///
/// # Errors
/// `BADF` for any other descriptor.
pub(crate) fn preopen(ctx: &WasiCtx, fd: u32) -> Result<&str, Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Directory(directory) => directory.preopen.as_deref().ok_or(Errno::Badf),
        Object::Virtual(VirtualDir { preopen: true, .. }) => Ok("/"),
        _ => Err(Errno::Badf),
    }
}

/// Moves the position and returns it.
///
/// # Errors
/// `INVAL` for a position before the start, `SPIPE` for a stream. `NOTCAPABLE` if `FD_SEEK` was revoked. A call that does not
/// move the position fails only if `FD_TELL` was revoked too.
pub(crate) fn seek(ctx: &WasiCtx, fd: u32, target: SeekFrom) -> Result<u64, Errno> {
    let (file, descriptor) = host_file(ctx, fd, 0)?;
    if target != SeekFrom::Current(0) || descriptor.require(rights::FD_TELL).is_err() {
        descriptor.require(rights::FD_SEEK)?;
    }
    Ok(rustix::fs::seek(&file.fd, target)?)
}
