//! `clock_*`: the four [clocks] of Preview 1.
//!
//! [clocks]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clockid

use crate::ctx::WasiCtx;
use crate::exit::Fail;
use crate::host::clock;
use crate::memory::GuestMemory;
use crate::pointer::Pointer;

/// [`clock_res_get`]: writes the clock's resolution in nanoseconds.
///
/// # Errors
/// `INVAL` for an unknown clock.
///
/// [`clock_res_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clock_res_get
pub(crate) fn clock_res_get(
    ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    id: u32,
    resolution: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write_u64(resolution, clock::resolution(ctx, id)?)?)
}

/// [`clock_time_get`]: writes the time in nanoseconds, with the host's full precision.
///
/// # Errors
/// `INVAL` for an unknown clock.
///
/// [`clock_time_get`]: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#clock_time_get
pub(crate) fn clock_time_get(
    _ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    id: u32,
    _precision: u64,
    time: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write_u64(time, clock::now(id)?)?)
}
