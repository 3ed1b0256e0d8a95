//! Limits: time, memory, stack, tables, instances, descriptors, output, module size. A guest at a limit gets an error or stops
//! with a message, whatever it was doing.

use std::time::Duration;

use crate::harness::{Outcome, Run, Scratch, WASMR, guest};
use crate::tiers::{Tier, on_every_tier};

/// Time after the start of a run by which its timeout must have ended it, on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Runs `loop.wasm HOW` with a timeout and an open, silent standard input.
#[track_caller]
fn timed_out(tier: Tier, option: &[&str], how: &str) -> Outcome {
    let mut running = Run::on(tier).words(option).guest("loop.wasm").word(how).start();
    // Keeps the pipe open until the run is over.
    let stdin = running.child.stdin.take();
    let outcome = running.end();
    drop(stdin);
    assert!(outcome.took >= Duration::from_secs(1), "too early: {:?}", outcome.took);
    assert!(outcome.took < SLACK, "too late: {:?}", outcome.took);
    outcome.exits(124).prints("ready\n").says("timeout")
}

on_every_tier! {
    fn a_timeout_ends_a_computation(tier) {
        timed_out(tier, &["--timeout", "1s"], "spin");
    }

    fn a_timeout_ends_a_sleep(tier) {
        timed_out(tier, &["--timeout=1s"], "sleep");
    }

    fn a_timeout_ends_a_blocked_read(tier) {
        timed_out(tier, &["-W", "timeout=1s"], "read");
    }

    fn a_timeout_that_does_not_pass_changes_nothing(tier) {
        Run::on(tier).words(["--timeout", "1h"]).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
    }

    fn a_timeout_of_zero_is_none(tier) {
        for words in [&["--timeout", "0"][..], &["-W", "timeout=0ms"], &["--timeout=0", "-W", "timeout=1ms"]] {
            Run::on(tier).words(words).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
        }
    }

    fn numbers_have_powers_of_ten(tier) {
        let words = ["--fuel", "1e9", "--max-memory", "1e8", "--max-fds=1_00", "--max-output=1.5KiB"];
        Run::on(tier).words(words).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
        Run::on(tier).words(["--max-memory", "1e4"]).guest("hello.wasm").end().exits(1).prints("");
        Run::on(tier).words(["--fuel", "1e1"]).guest("hello.wasm").end().exits(134).prints("");
        Run::on(tier).words(["--fuel", "1.5"]).guest("hello.wasm").end().exits(2).prints("").says("1000 or 1e6");
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

    fn table_elements_are_refused_beyond_their_limit(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (table $a 10 funcref) (table $b 3 funcref) (func (export "grow") (result i32 i32 i32)
            (table.grow $a (ref.null func) (i32.const 2)) (table.grow $b (ref.null func) (i32.const 1)) (table.size $a)))"#;
        let module = scratch.file("m.wat", text);
        let grow = |options: &[&str]| Run::on(tier).words(["--invoke", "grow"]).words(options).word(&module).end();
        grow(&["--max-table-elements", "15"]).exits(0).prints("10\n-1\n12\n").quietly();
        grow(&["-W", "max-table-elements=16"]).exits(0).prints("10\n3\n12\n").quietly();
        grow(&[]).exits(0).prints("10\n3\n12\n").quietly();
        grow(&["--max-table-elements", "12"]).exits(1).prints("").says("the table that `m.wat` declares: 3 elements asked for, 12 allowed, 10 in use (--max-table-elements)\n");
    }

    fn instances_are_refused_beyond_their_limit(tier) {
        let scratch = Scratch::new();
        let library = scratch.file("library.wat", "(module (func (export \"f\") (result i32) (i32.const 7)))");
        let text = r#"(module (import "lib" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))"#;
        let program = scratch.file("program.wat", text);
        let preload = format!("--preload=lib={}", library.display());
        let run = |options: &[&str]| Run::on(tier).words(options).words([&preload, "--invoke=g"]).word(&program).end();
        run(&["--max-instances", "1"]).exits(1).prints("").says("cannot instantiate `program.wat`: only 1 instance allowed (--max-instances)\n");
        run(&["-W", "max-instances=1"]).exits(1).prints("").says("cannot instantiate `program.wat`: only 1 instance allowed (--max-instances)\n");
        run(&["--max-instances", "2"]).exits(0).prints("7\n").quietly();
    }

    fn descriptors_are_refused_beyond_their_limit(tier) {
        // Opens the granted directory again until that fails, and returns the last descriptor and the error.
        let text = r#"(module
            (import "wasi_snapshot_preview1" "path_open"
              (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) ".")
            (func (export "open") (result i32 i32) (local $errno i32)
              (loop $again
                (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2)
                  (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8)))
                (br_if $again (i32.eqz (local.get $errno))))
              (i32.load (i32.const 8)) (local.get $errno)))"#;
        let scratch = Scratch::new();
        let module = scratch.file("m.wat", text);
        let open = |options: &[&str]| {
            let run = Run::on(tier).words(["--invoke", "open"]).words(options).dir(scratch.path(), "/");
            run.word(&module).end()
        };
        let mfile = 33;
        open(&["--max-fds", "8"]).exits(0).prints(&format!("7\n{mfile}\n")).quietly();
        open(&["--max-fds", "5"]).exits(0).prints(&format!("4\n{mfile}\n")).quietly();
        open(&["--max-fds", "3"]).exits(1).prints("").says("need 4 descriptors, but the limit is 3");
    }

    fn output_is_refused_beyond_its_limit(tier) {
        let spew = |options: &[&str]| Run::on(tier).words(options).guest("spew.wasm").word("20").end();
        let all = spew(&[]).exits(0).quietly().stdout;
        assert_eq!(all.len(), 150);
        // The guest's own error message has no room either, because the limit counts both streams.
        spew(&["--max-output", "100"]).exits(4).prints(&all[..100]).quietly();
        spew(&["--max-output", "0"]).exits(4).prints("").quietly();
        spew(&["--max-output", "150"]).exits(0).prints(&all).quietly();
        // Results of --invoke and messages of wasmr do not count.
        let fib = Run::on(tier).words(["--max-output", "0", "--invoke", "fib"]).guest("../../examples/fib.wat").word("10");
        fib.end().exits(0).prints("55\n");
        let trap = Run::on(tier).words(["--max-output", "7"]).guest("trap.wasm").word("divide");
        trap.end().exits(134).prints("before\n").says("integer divide by zero");
    }

    fn the_guest_learns_that_its_output_has_no_room(tier) {
        let text = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\06\00\00\00") (data (i32.const 16) "abcdef")
            (func $try (param $fd i32) (result i32 i32)
              (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.load (i32.const 8)))
            (func (export "write") (result i32 i32 i32 i32 i32 i32)
              (call $try (i32.const 1)) (call $try (i32.const 2)) (call $try (i32.const 1))))"#;
        let scratch = Scratch::new();
        let run = Run::on(tier).words(["--max-output", "8", "--invoke", "write"]).word(scratch.file("m.wat", text)).end();
        // Writes six bytes, then two of six on the other stream, and then fails with NOSPC (51).
        let outcome = run.exits(0).prints("abcdef0\n6\n0\n2\n51\n2\n");
        assert_eq!(outcome.stderr, "ab");
    }

    fn a_module_that_is_too_large_is_refused(tier) {
        let hello = guest("hello.wasm");
        let size = std::fs::metadata(&hello).unwrap().len();
        let run = |limit: u64| Run::on(tier).words(["--max-module-size", &limit.to_string()]);
        run(size).word(&hello).end().exits(0).prints("hello from wasm\n").quietly();
        let message = format!("is too large: a module may have at most {} bytes", size - 1);
        run(size - 1).word(&hello).end().exits(1).prints("").says("hello.wasm").says(&message);
        let bytes = std::fs::read(&hello).unwrap();
        run(size - 1).word("-").stdin(bytes.clone()).end().exits(1).prints("").says("standard input").says(&message);
        run(size).word("-").stdin(bytes).end().exits(0).prints("hello from wasm\n").quietly();
        // An endless source is read only up to the limit.
        Run::on(tier).words(["--max-module-size", "1MiB"]).word("/dev/zero").end().exits(1).says("at most 1 MiB");
    }

    fn a_small_address_space_changes_nothing(tier) {
        // The address space is too small for a guard-paged memory, so memories are checked.
        let limited = |kib: u32, module: &str, word: &str| {
            let script = format!("ulimit -v {kib} && exec \"$@\"");
            let run = Run::of("sh").words(["-c", &script, "sh", WASMR, "run"]).tier(tier);
            run.word(guest(module)).word(word).end()
        };
        limited(200_000, "coremark.wasm", "20").exits(0);
        limited(200_000, "trap.wasm", "load").exits(134).prints("before\n").says("out of bounds memory access");
        // The guest grows its memory until growing fails. The address space that is left must suffice for the host.
        for kib in (205_000..=230_000).step_by(1000) {
            limited(kib, "grow.wasm", "1000").exits(0).quietly();
        }
    }

    fn few_descriptors_are_an_error_not_a_crash(tier) {
        for descriptors in 4..8 {
            let script = format!("ulimit -n {descriptors} && exec \"$@\"");
            let run = Run::of("sh").words(["-c", &script, "sh", WASMR, "run"]).tier(tier).word("--dir=.");
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
        // Each frame has many parameters and locals. The call is indirect.
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

    fn fuel_is_a_limit_on_execution(tier) {
        let run = Run::on(tier).words(["--fuel", "1000000"]).guest("loop.wasm");
        run.end().exits(134).prints("ready\n").says("all fuel consumed");
        Run::on(tier).words(["-W", "fuel=100000000"]).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
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
