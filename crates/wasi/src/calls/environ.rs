//! `environ_*`: the environment variables that the embedder granted.

use super::args::{copy, sizes};
use crate::ctx::WasiCtx;
use crate::memory::GuestMemory;
use crate::pointer::{MemoryFault, Pointer};

/// `environ_get(environ, environ_buf)`: writes one pointer per variable to `environ` and `NAME=value` strings to the buffer.
pub(crate) fn environ_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    environ: Pointer,
    environ_buf: Pointer,
) -> Result<(), MemoryFault> {
    copy(&ctx.env, mem, environ, environ_buf)
}

/// `environ_sizes_get(count, buf_size)`: writes how many variables there are and how many bytes they take.
pub(crate) fn environ_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    count: Pointer,
    buf_size: Pointer,
) -> Result<(), MemoryFault> {
    sizes(&ctx.env, mem, count, buf_size)
}
