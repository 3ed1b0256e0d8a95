//! `wasi:clocks`: the monotonic clock and the wall clock. Pollables of times are in [`super::poll`].

use wasmr_canon::record;

use super::{End, Misuse, P2Ctx};
use crate::host::clock;
use crate::time::{SECOND, monotonic};

/// Number of the realtime clock in [`clock`].
const REALTIME: u32 = 0;

/// Number of the monotonic clock in [`clock`].
const MONOTONIC: u32 = 1;

record! {
    /// A `datetime`: time since 1970 in seconds and nanoseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Datetime "datetime" {
        /// Whole seconds.
        pub seconds "seconds": u64,
        /// Nanoseconds beyond the seconds, less than 10⁹.
        pub nanoseconds "nanoseconds": u32,
    }
}

impl Datetime {
    /// Returns a time that is given in nanoseconds.
    pub fn of(nanoseconds: u64) -> Datetime {
        Datetime { seconds: nanoseconds / SECOND, nanoseconds: (nanoseconds % SECOND) as u32 }
    }
}

/// `monotonic-clock#now`.
pub fn monotonic_now(_ctx: &mut P2Ctx) -> Result<u64, End> {
    Ok(monotonic())
}

/// `monotonic-clock#resolution`.
pub fn monotonic_resolution(ctx: &mut P2Ctx) -> Result<u64, End> {
    resolution(ctx, MONOTONIC)
}

/// `wall-clock#now`.
pub fn wall_now(_ctx: &mut P2Ctx) -> Result<Datetime, End> {
    Ok(Datetime::of(clock::now(REALTIME).map_err(|errno| Misuse::Host { function: "now", errno })?))
}

/// `wall-clock#resolution`.
pub fn wall_resolution(ctx: &mut P2Ctx) -> Result<Datetime, End> {
    Ok(Datetime::of(resolution(ctx, REALTIME)?))
}

fn resolution(ctx: &mut P2Ctx, id: u32) -> Result<u64, End> {
    Ok(clock::resolution(&mut ctx.wasi, id).map_err(|errno| Misuse::Host { function: "resolution", errno })?)
}
