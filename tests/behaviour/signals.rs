//! SIGINT and SIGTERM, while the guest computes, sleeps and reads.

use std::time::Duration;

use crate::harness::Run;
use crate::tiers::{Tier, on_every_tier};

#[track_caller]
fn interrupted(tier: Tier, how: &str, signal: &str, code: i32) {
    let mut running = Run::on(tier).guest("loop.wasm").word(how).start();
    let stdin = running.child.stdin.take();
    running.wait_for_output("ready\n");
    // Past the print, into the loop or the call.
    std::thread::sleep(Duration::from_millis(50));
    running.signal(signal);
    let outcome = running.end();
    drop(stdin);
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
    outcome.exits(code);
}

on_every_tier! {
    fn sigint_is_130(tier) {
        for how in ["spin", "sleep", "read"] {
            interrupted(tier, how, "INT", 130);
        }
    }

    fn sigterm_is_143(tier) {
        for how in ["spin", "sleep", "read"] {
            interrupted(tier, how, "TERM", 143);
        }
    }
}
