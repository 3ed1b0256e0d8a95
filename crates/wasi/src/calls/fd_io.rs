//! Transfers between guest memory and a descriptor, without copies: `fd_read`, `fd_write` and their relatives.
//!
//! A call reads its list of buffers first, so that a call with a pointer outside the memory has no effect.

use crate::abi::fdflags;
use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::fd_table::Object;
use crate::host::io::{self, Patience};
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::rights;
use crate::transfer::{Buffers, What};

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
    if ctx.waits.may_leave()
        && !buffers.is_empty()
        && let descriptor = ctx.fds.get(fd)?
        && let Object::Host(file) = &descriptor.object
    {
        descriptor.require(rights::FD_READ)?;
        let buffers = Buffers { iovs, iovs_len, count: nread };
        ctx.waits.leave(file, What::Read { buffers, offset: None })?;
    }
    let read = io::read(ctx, fd, Patience::AsFlags, &mut buffers)?;
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
    if ctx.waits.may_leave() {
        let file = io::positioned(ctx, fd, rights::FD_READ, offset)?;
        let buffers = Buffers { iovs, iovs_len, count: nread };
        ctx.waits.leave(file, What::Read { buffers, offset: Some(offset) })?;
    }
    let read = io::read_at(ctx, fd, offset, &mut buffers)?;
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
    if ctx.waits.may_leave() {
        let descriptor = ctx.fds.get(fd)?;
        descriptor.require(rights::FD_WRITE)?;
        if let Some(file) = io::uncounted_file(ctx, fd) {
            let append = descriptor.flags & fdflags::APPEND != 0;
            let buffers = Buffers { iovs, iovs_len, count: nwritten };
            ctx.waits.leave(file, What::Write { buffers, offset: None, append })?;
        }
    }
    let written = io::write(ctx, fd, Patience::AsFlags, &gathered.slices())?;
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
    if ctx.waits.may_leave() {
        io::positioned(ctx, fd, rights::FD_WRITE, offset)?;
        if let Some(file) = io::uncounted_file(ctx, fd) {
            let buffers = Buffers { iovs, iovs_len, count: nwritten };
            ctx.waits.leave(file, What::Write { buffers, offset: Some(offset), append: false })?;
        }
    }
    let written = io::write_at(ctx, fd, offset, &gathered.slices())?;
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
    let listing = match last {
        Some(listing) if cookie != 0 => listing,
        _ => io::list(ctx, fd)?,
    };
    let entries = listing.copy(cookie, buf_len as usize);
    mem.write(buf, &entries)?;
    if let Some(kept) = ctx.fds.get_mut(fd)?.object.listing() {
        *kept = Some(listing);
    }
    Ok(mem.write_u32(bufused, entries.len() as u32)?)
}
