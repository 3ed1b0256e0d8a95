//! `random_get`: unpredictable bytes, unless the embedder chose another source.

use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;
use crate::wait;

/// [`random_get`]: fills the buffer, of any length, in place. It works in pieces, so that an interrupt ends the call.
///
/// [`random_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#random_get
pub(crate) fn random_get(ctx: &mut WasiCtx, mem: &mut GuestMemory<'_>, buf: Pointer, len: u32) -> Result<(), Fail> {
    mem.fill(buf, len, |piece| {
        wait::check(&ctx.waits)?;
        Ok(ctx.random.fill(piece)?)
    })
}
