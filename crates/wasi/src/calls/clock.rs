//! `clock_*`: the four clocks of Preview 1.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::abi::timestamp;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::exit::Fail;
use crate::memory::{GuestMemory, Pointer};

/// The host's clock for a WASI clock id: realtime, monotonic, CPU time of the process, CPU time of the thread.
pub(crate) fn host_clock(id: u32) -> Result<ClockId, Errno> {
    match id {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        2 => Ok(ClockId::ProcessCPUTime),
        3 => Ok(ClockId::ThreadCPUTime),
        _ => Err(Errno::Inval),
    }
}

/// A host time in nanoseconds.
pub(crate) fn nanoseconds(time: Timespec) -> u64 {
    timestamp(time.tv_sec, time.tv_nsec as u64)
}

/// `clock_res_get(id, resolution)`: writes the clock's resolution in nanoseconds. `INVAL` for an unknown clock.
pub(crate) fn clock_res_get(
    _ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    id: u32,
    resolution: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write_u64(resolution, nanoseconds(clock_getres(host_clock(id)?)))?)
}

/// `clock_time_get(id, precision, time)`: writes the time in nanoseconds, as exact as the host has it. `INVAL` for an unknown
/// clock.
pub(crate) fn clock_time_get(
    _ctx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    id: u32,
    _precision: u64,
    time: Pointer,
) -> Result<(), Fail> {
    Ok(mem.write_u64(time, nanoseconds(clock_gettime(host_clock(id)?)))?)
}
