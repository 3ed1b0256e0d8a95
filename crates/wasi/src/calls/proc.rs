//! `proc_*`: the end of the guest.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Exit;
use crate::memory::GuestMemory;

/// `proc_exit(code)`: ends the guest; every code is passed on whole.
pub(crate) fn proc_exit(_ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, code: u32) -> Exit {
    Exit::Code(code)
}

/// `proc_raise(signal)`: always `NOTSUP`. A guest has no signals, and sending itself one on the host would end the embedder.
pub(crate) fn proc_raise(_ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, _signal: u32) -> Result<(), Errno> {
    Err(Errno::Notsup)
}
