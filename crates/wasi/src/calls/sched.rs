//! `sched_yield`.

use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::memory::GuestMemory;
use crate::wait;

/// [`sched_yield`]: lets other threads of the host run. An interrupt ends a guest that yields in a loop.
///
/// [`sched_yield`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sched_yield
pub(crate) fn sched_yield(ctx: &mut WasiCtx, _mem: &mut GuestMemory<'_>) -> Result<(), Fail> {
    std::thread::yield_now();
    Ok(wait::check(&ctx.waits)?)
}
