//! The calls that differ in `wasi_unstable`, the predecessor of Preview 1 ([documentation]): other numbers for the origin of a
//! seek and a longer layout of subscriptions. The calls that write a file status are generic in its size. All others are
//! shared.
//!
//! [documentation]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview0/docs.md

use rustix::fs::SeekFrom;

use super::poll;
use crate::abi::Subscription;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::host::file;
use crate::layout;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// `fd_seek` with other numbers: 0 is from the position, 1 from the end, 2 from the start.
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
    Ok(mem.write_u64(new_offset, file::seek(ctx, fd, target)?)?)
}

/// `poll_oneoff` with subscriptions of 56 bytes.
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
