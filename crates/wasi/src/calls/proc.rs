//! `proc_*`: the end of the guest.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Exit;
use crate::memory::GuestMemory;

/// [`proc_exit`]: ends the guest. The embedder gets all 32 bits of the code.
///
/// [`proc_exit`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#proc_exit
pub(crate) fn proc_exit(_ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, code: u32) -> Exit {
    Exit::Code(code)
}

/// [`proc_raise`]: always `NOTSUP`. A guest has no signals, and raising one on the host would end the embedder.
///
/// [`proc_raise`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#proc_raise
pub(crate) fn proc_raise(_ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, _signal: u32) -> Result<(), Errno> {
    Err(Errno::Notsup)
}
