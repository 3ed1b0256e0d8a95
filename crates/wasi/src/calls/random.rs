//! `random_get`: unpredictable bytes, unless the embedder chose another source.

use wasmr_core::limits::HOST_CHUNK;

use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::wait;

/// [`random_get`]: fills the buffer, of any length, in place. It works in chunks, so that an interrupt ends the call.
///
/// [`random_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#random_get
pub(crate) fn random_get(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, buf: Pointer, len: u32) -> Result<(), Fail> {
    for chunk in mem.slice_mut(buf, len)?.chunks_mut(HOST_CHUNK) {
        wait::check(ctx.interrupt.as_ref())?;
        ctx.random.fill(chunk)?;
    }
    Ok(())
}
