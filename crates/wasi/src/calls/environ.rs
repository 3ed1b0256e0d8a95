//! `environ_*`: the environment variables that the embedder granted.

use super::args::{copy, sizes};
use crate::ctx::WasiCtx;
use crate::memory::GuestMemory;
use crate::pointer::{MemoryFault, Pointer};

/// [`environ_get`]: writes one pointer per variable to `environ` and the `NAME=value` strings to `environ_buf`.
///
/// [`environ_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#environ_get
pub(crate) fn environ_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    environ: Pointer,
    environ_buf: Pointer,
) -> Result<(), MemoryFault> {
    copy(&ctx.env, mem, environ, environ_buf)
}

/// [`environ_sizes_get`]: writes the number of variables and the number of their bytes.
///
/// [`environ_sizes_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#environ_sizes_get
pub(crate) fn environ_sizes_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    count: Pointer,
    buf_size: Pointer,
) -> Result<(), MemoryFault> {
    sizes(&ctx.env, mem, count, buf_size)
}
