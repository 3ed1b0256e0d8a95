//! `fd_read`, `fd_write` and their relatives: bytes between guest memory and a descriptor, without copies.
//!
//! Lists of buffers are read before anything else, so that a pointer outside the memory has no effect.

use std::borrow::Cow;
use std::io::IoSlice;
use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::fs::SeekFrom;
use rustix::io::{Errno as HostErrno, ReadWriteFlags, preadv, pwritev, pwritev2, readv, retry_on_intr, writev};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use wasmr_runtime::InterruptHandle;

use crate::abi::fdflags;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::fd_table::{HostFd, HostFile, Kind, Object};
use crate::listing::Listing;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::wait::Patience;

/// What a pipe that is ready takes without blocking: `PIPE_BUF`. A guest that can be interrupted, or that must not wait,
/// writes no more at once to a standard stream, as the host's write would block.
const READY_PIPE: usize = 4096;

/// The offset by which `pwritev2` means the file's own position.
const OWN_POSITION: u64 = u64::MAX;

/// How an operation on `file` may wait.
pub(crate) fn patience<'a>(file: &HostFile, flags: u16, interrupt: Option<&'a InterruptHandle>) -> Patience<'a> {
    Patience {
        interrupt,
        may_wait: file.kind != Kind::File,
        nonblock: flags & fdflags::NONBLOCK != 0,
        host_blocks: matches!(file.fd, HostFd::Standard(_)),
    }
}

/// `fd_read(fd, iovs, iovs_len, nread)`: reads at the position, moves it, and writes how many bytes came. `BADF` if not open
/// for reading, `ISDIR` for a directory, `AGAIN` if it would wait and must not.
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
    if let Object::Directory(_) | Object::Names(_) = descriptor.object {
        return Err(Errno::Isdir.into());
    }
    descriptor.require(rights::FD_READ)?;
    let read = match &mut descriptor.object {
        _ if buffers.is_empty() => 0,
        Object::Input(input) => input.read(&mut buffers),
        Object::Host(file) => {
            let patience = patience(file, descriptor.flags, ctx.interrupt.as_ref());
            patience.run(file.fd.as_fd(), PollFlags::IN, || readv(&file.fd, &mut buffers))?
        }
        _ => return Err(Errno::Badf.into()),
    };
    drop(buffers);
    Ok(mem.write_u32(nread, read as u32)?)
}

/// `fd_pread(fd, iovs, iovs_len, offset, nread)`: reads at `offset` and leaves the position alone. `SPIPE` for a stream.
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
    let read = retry_on_intr(|| preadv(&file.fd, &mut buffers, offset))?;
    drop(buffers);
    Ok(mem.write_u32(nread, read as u32)?)
}

/// `fd_write(fd, iovs, iovs_len, nwritten)`: writes at the position, or at the end with `APPEND`, and writes how many bytes
/// went. `BADF` if not open for writing, `PIPE` if nobody reads, `NOSPC` past the limit on output.
pub(crate) fn fd_write(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    nwritten: Pointer,
) -> Result<(), Fail> {
    let buffers = mem.gather(iovs, iovs_len)?;
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(rights::FD_WRITE)?;
    let metered = descriptor.metered;
    let mut limit = allowance(ctx, metered, &buffers)?;
    let written = match &descriptor.object {
        Object::Output(output) => output.write(&clip(&buffers, limit))?,
        Object::Discard => limit,
        Object::Host(file) => {
            let patience = patience(file, descriptor.flags, ctx.interrupt.as_ref());
            if (patience.interrupt.is_some() || patience.nonblock) && patience.host_blocks && patience.may_wait {
                limit = limit.min(READY_PIPE);
            }
            let append = descriptor.flags & fdflags::APPEND != 0;
            write_host(file, append, patience, &clip(&buffers, limit))?
        }
        Object::Directory(_) | Object::Names(_) | Object::Input(_) => return Err(Errno::Badf.into()),
    };
    spend(ctx, metered, written);
    Ok(mem.write_u32(nwritten, written as u32)?)
}

/// `fd_pwrite(fd, iovs, iovs_len, offset, nwritten)`: writes at `offset` and leaves the position alone, also with `APPEND`.
/// `SPIPE` for a stream, `NOSPC` past the limit on output.
pub(crate) fn fd_pwrite(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: Pointer,
    iovs_len: u32,
    offset: u64,
    nwritten: Pointer,
) -> Result<(), Fail> {
    let buffers = mem.gather(iovs, iovs_len)?;
    let file = positioned(ctx, fd, rights::FD_WRITE, offset)?;
    let metered = ctx.fds.get(fd)?.metered;
    let buffers = clip(&buffers, allowance(ctx, metered, &buffers)?);
    let written = retry_on_intr(|| pwritev(&file.fd, &buffers, offset))?;
    spend(ctx, metered, written);
    Ok(mem.write_u32(nwritten, written as u32)?)
}

/// `fd_readdir(fd, buf, buf_len, cookie, bufused)`: writes directory entries from `cookie` on, the last one cut where the
/// buffer ends. Fewer bytes than `buf_len` mean the end. Cookie 0 reads the directory anew.
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
        (_, Object::Names(names)) => names.list(&ctx.fds)?,
        _ => return Err(Errno::Notdir.into()),
    };
    let used = listing.copy(cookie, mem.slice_mut(buf, buf_len)?);
    if let Some(kept) = ctx.fds.get_mut(fd)?.object.listing() {
        *kept = Some(listing);
    }
    Ok(mem.write_u32(bufused, used as u32)?)
}

/// The file behind `fd`, for an access at `offset`: it has a position, is open for `wanted`, and the right to choose where was not taken away.
fn positioned(ctx: &WasiCtx, fd: u32, wanted: u64, offset: u64) -> Result<&HostFile, Errno> {
    let descriptor = ctx.fds.get(fd)?;
    let file = match &descriptor.object {
        Object::Host(file) => file,
        Object::Directory(_) | Object::Names(_) if wanted == rights::FD_READ => return Err(Errno::Isdir),
        Object::Directory(_) | Object::Names(_) => return Err(Errno::Badf),
        Object::Input(_) | Object::Output(_) | Object::Discard => return Err(Errno::Spipe),
    };
    file.seekable()?;
    descriptor.require(wanted)?;
    descriptor.require(rights::FD_SEEK)?;
    if offset > i64::MAX as u64 { Err(Errno::Inval) } else { Ok(file) }
}

/// Returns how many bytes of `buffers` the limit on output lets through; `NOSPC` if it is used up.
fn allowance(ctx: &WasiCtx, metered: bool, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    match ctx.output_left {
        Some(0) if metered && total > 0 => Err(Errno::Nospc),
        Some(left) if metered => Ok(total.min(usize::try_from(left).unwrap_or(usize::MAX))),
        _ => Ok(total),
    }
}

/// Counts what was written against the limit on output.
fn spend(ctx: &mut WasiCtx, metered: bool, written: usize) {
    if metered && let Some(left) = &mut ctx.output_left {
        *left = left.saturating_sub(written as u64);
    }
}

/// The first `limit` bytes of `buffers`.
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

/// Writes to a host descriptor, waiting as it may.
fn write_host(file: &HostFile, append: bool, patience: Patience<'_>, buffers: &[IoSlice<'_>]) -> Result<usize, Fail> {
    patience.run(file.fd.as_fd(), PollFlags::OUT, || match file.kind {
        Kind::Socket => sendmsg(&file.fd, buffers, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL),
        Kind::File if append => match pwritev2(&file.fd, buffers, OWN_POSITION, ReadWriteFlags::APPEND) {
            // A file system or kernel without this flag: the next best thing, not atomic between processes.
            Err(HostErrno::NOTSUP | HostErrno::NOSYS | HostErrno::INVAL) => {
                rustix::fs::seek(&file.fd, SeekFrom::End(0))?;
                writev(&file.fd, buffers)
            }
            result => result,
        },
        _ => writev(&file.fd, buffers),
    })
}
