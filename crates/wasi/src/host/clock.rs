//! The host's clocks in nanoseconds.
//!
//! In: a clock of WASI Preview 1, by its number. Out: its time or its resolution.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::time::nanoseconds;

/// Returns the host's clock for a WASI clock id: realtime, monotonic, CPU time of the process, CPU time of the thread.
pub(crate) fn host_clock(id: u32) -> Result<ClockId, Errno> {
    match id {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        2 => Ok(ClockId::ProcessCPUTime),
        3 => Ok(ClockId::ThreadCPUTime),
        _ => Err(Errno::Inval),
    }
}

/// Returns the time in nanoseconds, with the host's full precision.
///
/// # Errors
/// `INVAL` for an unknown clock.
pub(crate) fn now(id: u32) -> Result<u64, Errno> {
    Ok(nanoseconds(clock_gettime(host_clock(id)?)))
}

/// Returns a clock's resolution in nanoseconds.
///
/// # Errors
/// `INVAL` for an unknown clock.
pub(crate) fn resolution(ctx: &mut WasiCtx, id: u32) -> Result<u64, Errno> {
    known_resolution(&mut ctx.resolutions, id, clock_getres)
}

/// Returns a clock's resolution in nanoseconds. The first call for a clock gets it from `ask` and keeps it in `known`.
fn known_resolution(
    known: &mut [Option<u64>; 4],
    id: u32,
    ask: impl FnOnce(ClockId) -> Timespec,
) -> Result<u64, Errno> {
    let clock = host_clock(id)?;
    let known = known.get_mut(id as usize).ok_or(Errno::Inval)?;
    Ok(*known.get_or_insert_with(|| nanoseconds(ask(clock))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_clock_is_asked_for_its_own_resolution_once() {
        let mut known = [None; 4];
        let mut asked = Vec::new();
        for _ in 0..3 {
            let all = [0, 1, 2, 3].map(|id| {
                known_resolution(&mut known, id, |clock| {
                    asked.push(clock);
                    Timespec { tv_sec: 0, tv_nsec: 100 + asked.len() as i64 }
                })
            });
            assert_eq!(all, [101, 102, 103, 104].map(Ok));
            assert_eq!(known_resolution(&mut known, 4, clock_getres), Err(Errno::Inval));
        }
        assert_eq!(asked, [0, 1, 2, 3].map(|id| host_clock(id).unwrap()));
    }
}
