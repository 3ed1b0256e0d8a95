//! Transfers between guest memory and a descriptor, without copies: `fd_read`, `fd_write` and their relatives.
//!
//! A call reads its list of buffers first, so that a call with a pointer outside the memory has no effect.

use std::borrow::Cow;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::PollFlags;
use rustix::io::{preadv, pwritev, readv, retry_on_intr, writev};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::abi::fdflags;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{HostFd, HostFile, Kind, Object};
use crate::listing::Listing;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::transfer::{Buffers, What};
use crate::wait::{WaitMode, Waits};

/// Bytes that a pipe accepts without blocking once `poll(2)` reports it writable: `PIPE_BUF` ([`pipe(7)`]). The host's
/// descriptor of a standard stream may block. If the guest can be interrupted or must not wait, a write to such a stream is
/// therefore cut to this size.
///
/// [`pipe(7)`]: https://man7.org/linux/man-pages/man7/pipe.7.html
const READY_PIPE: usize = 4096;

/// Returns the wait mode of an operation on `file`.
pub(crate) fn wait_mode<'a>(file: &HostFile, flags: u16, waits: &'a Waits) -> WaitMode<'a> {
    WaitMode {
        waits,
        may_wait: file.kind != Kind::File,
        nonblock: flags & fdflags::NONBLOCK != 0,
        host_blocks: matches!(file.fd, HostFd::Standard(_)),
    }
}

/// [`fd_read`]: reads at the position, moves it, and writes the number of bytes read.
///
/// # Errors
/// `BADF` if not open for reading, `ISDIR` for a directory, `AGAIN` if the read would wait and `NONBLOCK` is set.
///
/// [`fd_read`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_read
pub(crate) fn fd_read(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    nread: Pointer,
) -> Result<(), Fail> {
    let mut buffers = mem.scatter(iovs, iovs_len)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    if let Object::Directory(_) | Object::Virtual(_) = descriptor.object {
        return Err(Errno::Isdir.into());
    }
    descriptor.require(rights::FD_READ)?;
    let read = match &mut descriptor.object {
        _ if buffers.is_empty() => 0,
        Object::Input(input) => buffers.with(|buffers| input.read(buffers)),
        Object::Host(file) => {
            let buffers_at = Buffers { iovs, iovs_len, count: nread };
            ctx.waits.leave(file, What::Read { buffers: buffers_at, offset: None })?;
            let mode = wait_mode(file, descriptor.flags, &ctx.waits);
            mode.run(file.fd.as_fd(), PollFlags::IN, || buffers.with(|buffers| readv(&file.fd, buffers)))?
        }
        _ => return Err(Errno::Badf.into()),
    };
    buffers.finish(read);
    Ok(mem.write_u32(nread, read as u32)?)
}

/// [`fd_pread`]: reads at `offset` without moving the position.
///
/// # Errors
/// `SPIPE` for a stream.
///
/// [`fd_pread`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_pread
pub(crate) fn fd_pread(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    offset: u64,
    nread: Pointer,
) -> Result<(), Fail> {
    let mut buffers = mem.scatter(iovs, iovs_len)?;
    let file = positioned(ctx, fd, rights::FD_READ, offset)?;
    let buffers_at = Buffers { iovs, iovs_len, count: nread };
    ctx.waits.leave(file, What::Read { buffers: buffers_at, offset: Some(offset) })?;
    let read = retry_on_intr(|| buffers.with(|buffers| preadv(&file.fd, buffers, offset)))?;
    buffers.finish(read);
    Ok(mem.write_u32(nread, read as u32)?)
}

/// [`fd_write`]: writes at the position, or at the end with `APPEND`, and writes the number of bytes written.
///
/// # Errors
/// `BADF` if not open for writing, `PIPE` for a pipe without readers, `NOSPC` past the limit on output.
///
/// [`fd_write`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_write
pub(crate) fn fd_write(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    nwritten: Pointer,
) -> Result<(), Fail> {
    let gathered = mem.gather(iovs, iovs_len)?;
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_WRITE)?;
    let output_limited = descriptor.output_limited;
    let append = descriptor.flags & fdflags::APPEND != 0;
    if let Object::Host(file) = &descriptor.object
        && !is_counted(ctx, output_limited)
    {
        let buffers = Buffers { iovs, iovs_len, count: nwritten };
        ctx.waits.leave(file, What::Write { buffers, offset: None, append })?;
    }
    let buffers = gathered.slices();
    let mut limit = allowance(ctx, output_limited, &buffers)?;
    let written = match &descriptor.object {
        Object::Output(output) => output.write(&clip(&buffers, limit))?,
        Object::Discard => limit,
        Object::Host(file) => {
            let mode = wait_mode(file, descriptor.flags, &ctx.waits);
            if (mode.waits.are_watched() || mode.nonblock) && mode.host_blocks && mode.may_wait {
                limit = limit.min(READY_PIPE);
            }
            write_host(file, append, mode, &clip(&buffers, limit))?
        }
        Object::Directory(_) | Object::Virtual(_) | Object::Input(_) => return Err(Errno::Badf.into()),
    };
    spend(ctx, output_limited, written);
    Ok(mem.write_u32(nwritten, written as u32)?)
}

/// [`fd_pwrite`]: writes at `offset` without moving the position, even with `APPEND`, as [POSIX `pwrite`] requires.
///
/// # Errors
/// `SPIPE` for a stream, `NOSPC` past the limit on output.
///
/// [`fd_pwrite`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_pwrite
/// [POSIX `pwrite`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/pwrite.html
pub(crate) fn fd_pwrite(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    offset: u64,
    nwritten: Pointer,
) -> Result<(), Fail> {
    let gathered = mem.gather(iovs, iovs_len)?;
    let file = positioned(ctx, fd, rights::FD_WRITE, offset)?;
    let output_limited = ctx.fds.get(fd)?.output_limited;
    if !is_counted(ctx, output_limited) {
        let buffers = Buffers { iovs, iovs_len, count: nwritten };
        ctx.waits.leave(file, What::Write { buffers, offset: Some(offset), append: false })?;
    }
    let buffers = gathered.slices();
    let buffers = clip(&buffers, allowance(ctx, output_limited, &buffers)?);
    let written = retry_on_intr(|| pwritev(&file.fd, &buffers, offset))?;
    spend(ctx, output_limited, written);
    Ok(mem.write_u32(nwritten, written as u32)?)
}

/// [`fd_readdir`]: writes directory entries from `cookie` on. The last one is cut where the buffer ends. If fewer bytes than
/// `buf_len` are written, the directory has no further entries. Cookie 0 reads the directory again.
///
/// [`fd_readdir`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_readdir
pub(crate) fn fd_readdir(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    buf: Pointer,
    buf_len: u32,
    cookie: u64,
    bufused: Pointer,
) -> Result<(), Fail> {
    ctx.fds.directory(fd, rights::FD_READDIR)?;
    ctx.fds.trim_listings(fd);
    let last = ctx.fds.get_mut(fd)?.object.listing().and_then(Option::take);
    let listing = match (last, &ctx.fds.get(fd)?.object) {
        (Some(listing), _) if cookie != 0 => listing,
        (_, Object::Directory(directory)) => Listing::read(&directory.file, directory.preopen.is_some())?,
        (_, Object::Virtual(dir)) => dir.list(&ctx.fds)?,
        _ => return Err(Errno::Notdir.into()),
    };
    let entries = listing.copy(cookie, buf_len as usize);
    mem.write(buf, &entries)?;
    if let Some(kept) = ctx.fds.get_mut(fd)?.object.listing() {
        *kept = Some(listing);
    }
    Ok(mem.write_u32(bufused, entries.len() as u32)?)
}

/// Returns the file of `fd` for an access at `offset` that needs the right `wanted`.
///
/// # Errors
/// `ISDIR` or `BADF` for a directory, `SPIPE` for a stream, `BADF` if the file is not open for the access, `NOTCAPABLE` if
/// `FD_SEEK` was revoked, `INVAL` for an invalid offset.
fn positioned(ctx: &WasiCtx, fd: u32, wanted: u64, offset: u64) -> Result<&Arc<HostFile>, Errno> {
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

/// Returns true if written bytes count against a limit on output.
fn is_counted(ctx: &WasiCtx, output_limited: bool) -> bool {
    output_limited && ctx.output_left.is_some()
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
