//! Transfers between buffers of the host and a descriptor.
//!
//! In: a descriptor's number and buffers, which are the guest's memory itself or bytes of the host. Out: the number of bytes
//! moved. Output of the guest counts towards its limit here.

use std::borrow::Cow;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

#[cfg(feature = "component")]
use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
#[cfg(feature = "component")]
use rustix::io::pread;
use rustix::io::{preadv, pwritev, readv, retry_on_intr, writev};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::abi::fdflags;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{HostFd, HostFile, Kind, Object};
use crate::listing::Listing;
use crate::memory::Scattered;
use crate::rights;
use crate::wait::{WaitMode, Waits};

/// Bytes that a pipe accepts without blocking once `poll(2)` reports it writable: `PIPE_BUF` ([`pipe(7)`]). The host's
/// descriptor of a standard stream may block. If the guest can be interrupted or must not wait, a write to such a stream is
/// therefore cut to this size.
///
/// [`pipe(7)`]: https://man7.org/linux/man-pages/man7/pipe.7.html
pub(crate) const READY_PIPE: usize = 4096;

/// Patience of a transfer that cannot proceed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Waits, unless the descriptor has the flag `NONBLOCK`.
    AsFlags,
    /// Fails with `AGAIN`.
    None,
}

/// Buffers that a read fills.
pub(crate) trait Fillable {
    /// Returns true if there is no byte to fill.
    fn is_empty(&self) -> bool;

    /// Lends the buffers to `fill`, which returns the number of bytes that it wrote.
    fn with<E>(&mut self, fill: impl FnOnce(&mut [IoSliceMut<'_>]) -> Result<usize, E>) -> Result<usize, E>;

    /// Reads at the position of `fd`.
    fn read(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        self.with(|buffers| readv(fd, buffers))
    }

    /// Reads at `offset`.
    fn read_at(&mut self, fd: BorrowedFd<'_>, offset: u64) -> rustix::io::Result<usize> {
        self.with(|buffers| preadv(fd, buffers, offset))
    }
}

impl Fillable for Scattered<'_> {
    fn is_empty(&self) -> bool {
        Scattered::is_empty(self)
    }

    fn with<E>(&mut self, fill: impl FnOnce(&mut [IoSliceMut<'_>]) -> Result<usize, E>) -> Result<usize, E> {
        Scattered::with(self, fill)
    }
}

/// Memory of the host for the bytes of a read. It is not filled with zeros before, which would take as long as a system call.
#[cfg(feature = "component")]
#[derive(Debug)]
pub(crate) struct Room {
    bytes: Vec<u8>,
    len: usize,
}

#[cfg(feature = "component")]
impl Room {
    /// Returns room for `len` bytes.
    pub(crate) fn new(len: usize) -> Room {
        Room { bytes: Vec::with_capacity(len), len }
    }

    /// Returns the bytes that were read.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns true if the vector's capacity is the room, which the allocator need not promise, and there is some.
    fn is_exact(&self) -> bool {
        self.bytes.is_empty() && self.len > 0 && self.bytes.capacity() == self.len
    }
}

#[cfg(feature = "component")]
impl Fillable for Room {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn with<E>(&mut self, fill: impl FnOnce(&mut [IoSliceMut<'_>]) -> Result<usize, E>) -> Result<usize, E> {
        self.bytes.resize(self.len, 0);
        let filled = fill(&mut [IoSliceMut::new(&mut self.bytes)]);
        self.bytes.truncate(*filled.as_ref().unwrap_or(&0));
        filled
    }

    fn read(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        if self.is_exact() {
            rustix::io::read(fd, spare_capacity(&mut self.bytes))
        } else {
            self.with(|buffers| readv(fd, buffers))
        }
    }

    fn read_at(&mut self, fd: BorrowedFd<'_>, offset: u64) -> rustix::io::Result<usize> {
        if self.is_exact() {
            pread(fd, spare_capacity(&mut self.bytes), offset)
        } else {
            self.with(|buffers| preadv(fd, buffers, offset))
        }
    }
}

/// Returns the wait mode of an operation on `file`.
pub(crate) fn wait_mode<'a>(file: &HostFile, flags: u16, waits: &'a Waits) -> WaitMode<'a> {
    WaitMode {
        waits,
        may_wait: file.kind != Kind::File,
        nonblock: flags & fdflags::NONBLOCK != 0,
        host_blocks: matches!(file.fd, HostFd::Standard(_)),
    }
}

/// Reads at the position and moves it. Returns 0 at the end.
///
/// # Errors
/// `BADF` if not open for reading, `ISDIR` for a directory, `AGAIN` if the read would wait and must not.
pub(crate) fn read(ctx: &mut WasiCtx, fd: u32, patience: Patience, buffers: &mut impl Fillable) -> Result<usize, Fail> {
    let descriptor = ctx.fds.get_mut(fd)?;
    if let Object::Directory(_) | Object::Virtual(_) = descriptor.object {
        return Err(Errno::Isdir.into());
    }
    descriptor.require(rights::FD_READ)?;
    match &mut descriptor.object {
        _ if buffers.is_empty() => Ok(0),
        Object::Input(input) => buffers.with(|buffers| Ok(input.read(buffers))),
        Object::Host(file) => {
            let mut mode = wait_mode(file, descriptor.flags, &ctx.waits);
            mode.nonblock |= patience == Patience::None;
            mode.run(file.fd.as_fd(), PollFlags::IN, || buffers.read(file.fd.as_fd()))
        }
        _ => Err(Errno::Badf.into()),
    }
}

/// Reads at `offset` without moving the position.
///
/// # Errors
/// As for [`positioned`].
pub(crate) fn read_at(ctx: &WasiCtx, fd: u32, offset: u64, buffers: &mut impl Fillable) -> Result<usize, Errno> {
    let file = positioned(ctx, fd, rights::FD_READ, offset)?;
    Ok(retry_on_intr(|| buffers.read_at(file.fd.as_fd(), offset))?)
}

/// Writes at the position, or at the end with `APPEND`.
///
/// # Errors
/// `BADF` if not open for writing, `PIPE` for a pipe without readers, `NOSPC` past the limit on output, `AGAIN` if the write
/// would wait and must not.
pub(crate) fn write(ctx: &mut WasiCtx, fd: u32, patience: Patience, buffers: &[IoSlice<'_>]) -> Result<usize, Fail> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_WRITE)?;
    let output_limited = descriptor.output_limited;
    let mut limit = allowance(ctx, output_limited, buffers)?;
    let written = match &descriptor.object {
        Object::Output(output) => output.write(&clip(buffers, limit))?,
        Object::Discard => limit,
        Object::Host(file) => {
            let append = descriptor.flags & fdflags::APPEND != 0;
            let mut mode = wait_mode(file, descriptor.flags, &ctx.waits);
            mode.nonblock |= patience == Patience::None;
            if (mode.waits.are_watched() || mode.nonblock) && mode.host_blocks && mode.may_wait {
                limit = limit.min(READY_PIPE);
            }
            write_host(file, append, mode, &clip(buffers, limit))?
        }
        Object::Directory(_) | Object::Virtual(_) | Object::Input(_) => return Err(Errno::Badf.into()),
    };
    spend(ctx, output_limited, written);
    Ok(written)
}

/// Writes at the end of a file, wherever the position is.
///
/// # Errors
/// As for [`write`].
#[cfg(feature = "component")]
pub(crate) fn append(ctx: &mut WasiCtx, fd: u32, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let file = positioned(ctx, fd, rights::FD_WRITE, 0)?;
    let output_limited = ctx.fds.get(fd)?.output_limited;
    let buffers = clip(buffers, allowance(ctx, output_limited, buffers)?);
    let written = retry_on_intr(|| file.write(true, &buffers))?;
    spend(ctx, output_limited, written);
    Ok(written)
}

/// Writes at `offset` without moving the position, even with `APPEND`, as [POSIX `pwrite`] requires.
///
/// # Errors
/// As for [`positioned`], `NOSPC` past the limit on output.
///
/// [POSIX `pwrite`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/pwrite.html
pub(crate) fn write_at(ctx: &mut WasiCtx, fd: u32, offset: u64, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let file = positioned(ctx, fd, rights::FD_WRITE, offset)?;
    let output_limited = ctx.fds.get(fd)?.output_limited;
    let buffers = clip(buffers, allowance(ctx, output_limited, buffers)?);
    let written = retry_on_intr(|| pwritev(&file.fd, &buffers, offset))?;
    spend(ctx, output_limited, written);
    Ok(written)
}

/// Returns the entries of a directory.
///
/// # Errors
/// `NOTDIR` if it is none, `NOTCAPABLE` if the right was revoked.
pub(crate) fn list(ctx: &WasiCtx, fd: u32) -> Result<Listing, Errno> {
    match &ctx.fds.directory(fd, rights::FD_READDIR)?.object {
        Object::Directory(directory) => Listing::read(&directory.file, directory.preopen.is_some()),
        Object::Virtual(dir) => dir.list(&ctx.fds),
        _ => Err(Errno::Notdir),
    }
}

/// Returns the file of `fd` for an access at `offset` that needs the right `wanted`.
///
/// # Errors
/// `ISDIR` or `BADF` for a directory, `SPIPE` for a stream, `BADF` if the file is not open for the access, `NOTCAPABLE` if
/// `FD_SEEK` was revoked, `INVAL` for an invalid offset.
pub(crate) fn positioned(ctx: &WasiCtx, fd: u32, wanted: u64, offset: u64) -> Result<&Arc<HostFile>, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Virtual(_) if wanted == rights::FD_READ => return Err(Errno::Isdir),
        Object::Directory(_) | Object::Virtual(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Spipe),
    };
    file.seekable()?;
    descriptor.require(wanted)?;
    descriptor.require(rights::FD_SEEK)?;
    if offset > i64::MAX as u64 { Err(Errno::Inval) } else { Ok(file) }
}

/// Returns the file of `fd` if its bytes do not count towards a limit on output: a transfer to it may be left to another
/// thread.
pub(crate) fn uncounted_file(ctx: &WasiCtx, fd: u32) -> Option<&Arc<HostFile>> {
    let descriptor = ctx.fds.get(fd).ok()?;
    match &descriptor.object {
        Object::Host(file) if !descriptor.output_limited || ctx.output_left.is_none() => Some(file),
        _ => None,
    }
}

/// Returns the number of bytes of `buffers` that the limit on output permits.
///
/// # Errors
/// `NOSPC` if the limit is reached.
fn allowance(ctx: &WasiCtx, output_limited: bool, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    match ctx.output_left {
        Some(0) if output_limited && total > 0 => Err(Errno::Nospc),
        Some(left) if output_limited => Ok(total.min(usize::try_from(left).unwrap_or(usize::MAX))),
        _ => Ok(total),
    }
}

/// Counts written bytes against the limit on output.
fn spend(ctx: &mut WasiCtx, output_limited: bool, written: usize) {
    if output_limited && let Some(left) = &mut ctx.output_left {
        *left = left.saturating_sub(written as u64);
    }
}

/// Returns the first `limit` bytes of `buffers`.
fn clip<'b>(buffers: &'b [IoSlice<'b>], limit: usize) -> Cow<'b, [IoSlice<'b>]> {
    let mut left = limit;
    for (index, buffer) in buffers.iter().enumerate() {
        if buffer.len() > left {
            let mut clipped = buffers[..index].to_vec();
            clipped.push(IoSlice::new(&buffer[..left]));
            return Cow::Owned(clipped);
        }
        left -= buffer.len();
    }
    Cow::Borrowed(buffers)
}

/// Writes to a host descriptor, waiting as `mode` permits.
fn write_host(file: &HostFile, append: bool, mode: WaitMode<'_>, buffers: &[IoSlice<'_>]) -> Result<usize, Fail> {
    mode.run(file.fd.as_fd(), PollFlags::OUT, || match file.kind {
        Kind::Socket => sendmsg(&file.fd, buffers, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL),
        Kind::File => file.write(append, buffers),
        _ => writev(&file.fd, buffers),
    })
}
