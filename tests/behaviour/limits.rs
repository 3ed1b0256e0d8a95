//! Limits: time, memory, stack. A guest that runs into one ends in an orderly way, whatever it was doing.

use std::time::Duration;

use crate::harness::{Outcome, Run, Scratch, WASMR, guest};
use crate::tiers::{Tier, on_every_tier};

/// How much later than its timeout a run may end on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Runs `loop.wasm HOW` with a timeout and an open standard input that never says anything.
#[track_caller]
fn timed_out(tier: Tier, option: &[&str], how: &str) -> Outcome {
    let mut running = Run::on(tier).words(option).guest("loop.wasm").word(how).start();
    // Keeps the pipe open until the run is over.
    let stdin = running.child.stdin.take();
    let outcome = running.end();
    drop(stdin);
    assert!(outcome.took >= Duration::from_millis(300), "too early: {:?}", outcome.took);
    assert!(outcome.took < SLACK, "too late: {:?}", outcome.took);
    outcome.exits(124).prints("ready\n").says("timeout")
}

on_every_tier! {
    fn a_timeout_ends_a_computation(tier) {
        timed_out(tier, &["--timeout", "300ms"], "spin");
    }

    fn a_timeout_ends_a_sleep(tier) {
        timed_out(tier, &["--timeout=300ms"], "sleep");
    }

    fn a_timeout_ends_a_blocked_read(tier) {
        timed_out(tier, &["-W", "timeout=300ms"], "read");
    }

    fn a_timeout_that_does_not_pass_changes_nothing(tier) {
        Run::on(tier).words(["--timeout", "1h"]).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
    }

    fn a_timeout_ends_a_blocked_write(tier) {
        // Nobody reads the pipe, so the guest blocks when it is full.
        let mut running = Run::on(tier).words(["--timeout", "500ms"]).guest("spew.wasm").start();
        let stdout = running.child.stdout.take();
        let outcome = running.end();
        drop(stdout);
        assert!(outcome.took < SLACK, "{:?}", outcome.took);
        outcome.exits(124);
    }

    fn memory_is_refused_beyond_its_limit(tier) {
        // The guest starts with 16 MiB of its own and asks for 64 more, one by one.
        let outcome = Run::on(tier).words(["--max-memory", "32MiB"]).guest("grow.wasm").end().exits(0).quietly();
        let got: u32 = outcome.stdout.strip_prefix("refused after ").and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
        assert!((4..=15).contains(&got), "{}", outcome.stdout);
        Run::on(tier).guest("grow.wasm").end().exits(0).prints("done after 64 MiB\n");
        Run::on(tier).words(["-W", "max-memory-size=32MiB"]).guest("grow.wasm").end().exits(0).prints(&outcome.stdout);
    }

    fn a_module_that_starts_with_too_much_memory_is_refused(tier) {
        Run::on(tier).words(["--max-memory", "1MiB"]).guest("hello.wasm").end().exits(1).prints("").says("memory");
    }

    fn the_largest_memory_costs_nothing_until_touched(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (memory 65536) (func (export "peek") (result i32)
            (i32.store (i32.const 0xfffffffc) (i32.const 7)) (i32.load (i32.const 0xfffffffc))))"#;
        Run::on(tier).words(["--invoke", "peek"]).word(scratch.file("m.wat", text)).end().exits(0).prints("7\n").quietly();
    }

    fn a_declared_maximum_of_memory_is_kept(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (memory 1 2) (func (export "grow") (result i32 i32 i32)
            (memory.grow (i32.const 1)) (memory.grow (i32.const 1)) (memory.size)))"#;
        Run::on(tier).words(["--invoke", "grow"]).word(scratch.file("m.wat", text)).end().exits(0).prints("1\n-1\n2\n");
    }

    fn a_small_address_space_changes_nothing(tier) {
        // No room to reserve what a 32-bit memory can address: accesses are checked instead.
        let limited = |module: &str, word: &str| {
            let script = "ulimit -v 200000 && exec \"$@\"";
            let run = Run::of("sh").words(["-c", script, "sh", WASMR, "run", "--mode", tier.0]);
            run.word(guest(module)).word(word).end()
        };
        limited("coremark.wasm", "20").exits(0);
        limited("trap.wasm", "load").exits(134).prints("before\n").says("out of bounds memory access");
        limited("grow.wasm", "1000").exits(0).quietly();
    }

    fn few_descriptors_are_an_error_not_a_crash(tier) {
        for descriptors in 4..8 {
            let script = format!("ulimit -n {descriptors} && exec \"$@\"");
            let run = Run::of("sh").words(["-c", &script, "sh", WASMR, "run", "--mode", tier.0, "--dir=."]);
            let outcome = run.word(guest("hello.wasm")).end();
            assert!([0, 1].contains(&outcome.code()), "{descriptors}: {outcome:?}");
        }
    }

    fn recursion_is_deep_by_default(tier) {
        Run::on(tier).guest("deep.wasm").word("10000").end().exits(0).prints("sum(10000) = 50005000\n").quietly();
    }

    fn recursion_is_as_deep_as_the_stack_allows(tier) {
        let run = Run::on(tier).words(["--max-stack", "64MiB"]).guest("deep.wasm").word("1000000");
        run.end().exits(0).prints("sum(1000000) = 1784293664\n").quietly();
        let run = Run::on(tier).words(["--max-stack", "16KiB"]).guest("deep.wasm").word("10000");
        run.end().exits(134).prints("").says("call stack exhausted");
        let run = Run::on(tier).words(["-W", "max-wasm-stack=16384"]).guest("deep.wasm").word("10000");
        run.end().exits(134).prints("").says("call stack exhausted");
    }

    fn endless_recursion_is_a_trap(tier) {
        Run::on(tier).guest("trap.wasm").word("stack").end().exits(134).prints("before\n").says("call stack exhausted");
    }

    fn endless_recursion_of_wide_functions_is_a_trap(tier) {
        // Many parameters and locals a frame, through an indirect call.
        let scratch = Scratch::new();
        let params = "i64 ".repeat(200);
        let args = "(i64.const 1)".repeat(200);
        let text = format!(
            "(module (type $t (func (param {params}))) (table funcref (elem $f))
              (func $f (type $t) (local {params}) (call_indirect (type $t) {args} (i32.const 0)))
              (func (export \"_start\") (call $f {args})))"
        );
        Run::on(tier).word(scratch.file("wide.wat", text)).end().exits(134).prints("").says("call stack exhausted");
    }

    fn tail_calls_take_no_stack(tier) {
        let scratch = Scratch::new();
        let text = r#"(module
            (func $even (param i32) (result i32)
              (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
              (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
            (func $odd (param i32) (result i32)
              (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
              (return_call $even (i32.sub (local.get 0) (i32.const 1))))
            (export "even" (func $even)))"#;
        let module = scratch.file("m.wat", text);
        Run::on(tier).words(["--max-stack", "64KiB", "--invoke", "even"]).word(module).word("3000001").end().exits(0).prints("0\n");
    }
}
