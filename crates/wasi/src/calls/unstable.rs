//! The calls that differ in `wasi_unstable`, the name that Preview 1 had before: a shorter file status, other numbers for
//! the origin of a seek, and longer subscriptions. Everything else is shared.

use rustix::fs::SeekFrom;

use super::{fd, path, poll};
use crate::abi::Subscription;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// `fd_filestat_get(fd, stat)`: writes 56 bytes of file status.
pub(crate) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    Ok(fd::filestat(ctx, fd)?.write_unstable(mem, stat)?)
}

/// `path_filestat_get(fd, flags, path, stat)`: writes 56 bytes of file status.
pub(crate) fn path_filestat_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path: Pointer,
    path_len: u32,
    stat: Pointer,
) -> Result<(), Fail> {
    Ok(path::filestat(ctx, mem, fd, lookup, path, path_len)?.write_unstable(mem, stat)?)
}

/// `fd_seek(fd, offset, whence, new_offset)`: 0 is from the position, 1 from the end, 2 from the start.
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
        0 => SeekFrom::Current(offset),
        1 => SeekFrom::End(offset),
        2 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        _ => return Err(Errno::Inval.into()),
    };
    fd::seek(ctx, mem, fd, target, new_offset)
}

/// `poll_oneoff(in, out, nsubscriptions, nevents)`: reads subscriptions of 56 bytes.
pub(crate) fn poll_oneoff(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    subscriptions: Pointer,
    events: Pointer,
    count: u32,
    nevents: Pointer,
) -> Result<(), Fail> {
    let input: poll::Input = (subscriptions, layout::SUBSCRIPTION_UNSTABLE.size, Subscription::read_unstable);
    poll::poll(ctx, mem, input, events, count, nevents)
}
