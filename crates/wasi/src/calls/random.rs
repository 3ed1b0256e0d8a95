//! `random_get`: bytes from the host's cryptographic generator.

use rustix::io::Errno as HostErrno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::memory::GuestMemory;
use crate::wait;

/// Bytes asked of the host at once, so that a request for gigabytes can be interrupted.
const CHUNK: usize = 64 << 10;

/// `random_get(buf, len)`: fills the buffer, of any length, in place. `FAULT` if it is not in memory.
pub(crate) fn random_get(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, buf: u32, len: u32) -> Result<(), Fail> {
    for chunk in mem.slice_mut(buf, len)?.chunks_mut(CHUNK) {
        wait::check(ctx.interrupt.as_ref())?;
        let mut rest = chunk;
        while !rest.is_empty() {
            match getrandom(&mut *rest, GetRandomFlags::empty()) {
                Ok(filled) => rest = &mut rest[filled..],
                Err(HostErrno::INTR) => (),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
