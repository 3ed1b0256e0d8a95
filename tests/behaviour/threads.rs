//! Threads of wasi-threads: shared memory and descriptors, the end of the process by any thread, and limits.

use std::io::Write;
use std::time::Duration;

use crate::harness::{Outcome, Run, Scratch, WASMR};
use crate::tiers::{Tier, on_every_tier};

/// Time in which a run must end, on a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// Runs `threads.wasm` with an open, silent standard input.
#[track_caller]
fn threads(tier: Tier, options: &[&str], words: &[&str]) -> Outcome {
    let mut running = Run::on(tier).words(options).guest("threads.wasm").words(words).start();
    let stdin = running.child.stdin.take();
    let outcome = running.end();
    drop(stdin);
    assert!(outcome.took < SLACK, "too late: {:?}", outcome.took);
    outcome
}

on_every_tier! {
    fn a_parallel_sort_is_right(tier) {
        for count in ["1", "2", "8"] {
            let run = Run::on(tier).guest("psort.wasm").words(["20000", count]);
            run.end().exits(0).prints("sorted 20000: a79deef8d18ba306\n").quietly();
        }
    }

    fn posix_threads_work(tier) {
        for count in ["1", "3"] {
            let outcome = Run::on(tier).guest("pthreads.wasm").words(["all", count, "40"]).end().exits(0).quietly();
            let mut lines: Vec<&str> = outcome.stdout.lines().collect();
            lines.sort();
            let threads = (0..count.parse().unwrap()).map(|id: u32| format!("thread {id} of {count}"));
            assert_eq!(lines, ["0 wrong".to_string()].into_iter().chain(threads).collect::<Vec<_>>());
        }
        let run = Run::on(tier).guest("pthreads.wasm").words(["sort", "20000", "3"]);
        run.end().exits(0).prints("sorted 20000: a79deef8d18ba306\n").quietly();
    }

    fn threads_share_the_memory(tier) {
        threads(tier, &[], &["count", "16"]).exits(0).prints("16000\n").quietly();
    }

    fn threads_share_descriptors(tier) {
        let scratch = Scratch::new();
        let run = Run::on(tier).dir(scratch.path(), "/").guest("threads.wasm").word("files");
        run.end().exits(0).prints("descriptor 4: written\n").quietly();
        assert_eq!(std::fs::read(scratch.path().join("made.txt")).unwrap(), b"text");
    }

    fn no_line_of_any_thread_is_lost(tier) {
        let outcome = threads(tier, &[], &["lines"]).exits(0).quietly();
        for line in ["aaaaaaaaaa", "bbbbbbbbbb"] {
            assert_eq!(outcome.stdout.lines().filter(|other| *other == line).count(), 50, "{}", outcome.stdout);
        }
    }

    fn a_thread_that_reads_stops_no_other(tier) {
        let mut running = Run::on(tier).guest("threads.wasm").word("input").start();
        let mut stdin = running.child.stdin.take().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        stdin.write_all(b"x").unwrap();
        let outcome = running.end();
        outcome.exits(0).prints("others go on\nread a byte\n").quietly();
    }

    fn a_trap_of_any_thread_ends_the_process(tier) {
        let outcome = threads(tier, &[], &["trap"]).exits(134).prints("");
        let outcome = outcome.says("error: thread 3 of the program `threads.wasm` trapped\n  wasm trap: unreachable\n");
        outcome.says("threads.wasm!trap").says("threads.wasm!wasi_thread_start");
    }

    fn the_exit_of_any_thread_ends_the_process(tier) {
        threads(tier, &[], &["exit", "7"]).exits(7).prints("leaving\n").quietly();
        threads(tier, &[], &["exit", "0"]).exits(0).prints("leaving\n").quietly();
    }

    fn the_end_of_the_main_thread_ends_the_process(tier) {
        threads(tier, &[], &["exit-main", "5"]).exits(5).prints("done\n").quietly();
    }

    fn every_thread_has_a_stack_limit(tier) {
        let outcome = threads(tier, &["--max-stack", "64KiB"], &["overflow"]).exits(134).prints("");
        outcome.says("thread 1 of the program `threads.wasm` trapped\n  wasm trap: call stack exhausted\n");
    }

    fn a_timeout_ends_all_threads(tier) {
        for what in ["0", "1", "2", "3"] {
            let outcome = threads(tier, &["--timeout", "300ms"], &["hang", what]).exits(124).says("timeout");
            assert!(outcome.took >= Duration::from_millis(300), "too early: {:?}", outcome.took);
        }
    }

    fn fuel_is_that_of_all_threads(tier) {
        threads(tier, &["--fuel", "1e9"], &["count", "8"]).exits(0).prints("8000\n").quietly();
        threads(tier, &["--fuel", "3e6"], &["burn", "3"]).exits(134).says("all fuel consumed");
        threads(tier, &["--fuel", "2000"], &["hang", "0"]).exits(134).says("all fuel consumed");
    }

    fn the_number_of_threads_is_limited(tier) {
        let few = threads(tier, &["--max-threads", "3"], &["count", "12"]).exits(0);
        let count: u32 = few.stdout.trim().parse().unwrap();
        assert!((3000..=12000).contains(&count) && count.is_multiple_of(1000), "{count}");
        let none = threads(tier, &["--max-threads=0"], &["refused"]).exits(0).prints("refused\n");
        none.says("note: 1 thread did not start, because only 0 may exist at once (--max-threads)\n");
    }

    fn a_bomb_of_threads_does_no_harm(tier) {
        let outcome = threads(tier, &["--max-threads", "40", "--max-memory", "64MiB"], &["bomb"]).exits(0);
        outcome.prints("40 threads\n").says("did not start");
    }

    fn the_memory_limit_is_that_of_all_threads(tier) {
        threads(tier, &["--max-memory", "20MiB"], &["grow", "4"]).exits(0).prints("grown\n").quietly();
        let refused = threads(tier, &["--max-memory", "64KiB"], &["count"]).exits(1).prints("");
        refused.says("cannot allocate the memory that `threads.wasm` declares");
    }

    fn a_lack_of_address_space_only_refuses_threads(tier) {
        let script = "ulimit -v 800000 && exec \"$@\"";
        let run = Run::of("sh").words(["-c", script, "sh", WASMR, "run"]).tier(tier).guest("threads.wasm");
        let outcome = run.words(["count", "100"]).end().exits(0);
        let count: u32 = outcome.stdout.trim().parse().unwrap();
        assert!(count >= 1000 && count.is_multiple_of(1000), "{count}");
    }

    fn notifications_from_all_sides_wake_everyone(tier) {
        threads(tier, &["--timeout", "60s"], &["storm", "4"]).exits(0).prints("calm\n").quietly();
    }

    fn statistics_count_threads(tier) {
        let outcome = threads(tier, &["--stats", "--fuel", "1e9"], &["count", "5"]).exits(0).prints("5000\n");
        outcome.says("  guest threads 5 started, at most ").says("  ended         returned");
        let outcome = threads(tier, &["--stats=json"], &["trap"]).exits(134);
        outcome.says("\"ended\": \"trap\"").says("\"threads_started\": 3");
    }
}

#[test]
fn only_libraries_without_functions_permit_threads() {
    let scratch = Scratch::new();
    let library = scratch.file("library.wat", "(module (memory (export \"memory\") 257 16384 shared))");
    let run = Run::bare().word("run").word("--preload").word(format!("env={}", library.display()));
    let outcome = run.guest("threads.wasm").word("refused").end().exits(0).prints("started\n");
    outcome.quietly();
    let library = scratch.file("library.wat", "(module (func (export \"f\")))");
    let program = scratch.file(
        "program.wat",
        r#"(module (import "library" "f" (func)) (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "env" "memory" (memory 1 1 shared))
            (func (export "wasi_thread_start") (param i32 i32))
            (func (export "spawn") (result i32) (call $spawn (i32.const 0))))"#,
    );
    let run =
        Run::bare().words(["run", "--invoke", "spawn", "--preload"]).word(format!("library={}", library.display()));
    run.word(program).end().exits(0).prints("-1\n").says("note: a program cannot start threads with --preload\n");
}

#[test]
fn a_program_without_the_entry_of_threads_starts_none() {
    let scratch = Scratch::new();
    for entry in ["", "(func (export \"wasi_thread_start\") (param i32))"] {
        let text = format!(
            r#"(module (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
                (import "env" "memory" (memory 1 1 shared)) {entry}
                (func (export "spawn") (result i32) (call $spawn (i32.const 0))))"#
        );
        let program = scratch.file("program.wat", text);
        Run::bare().words(["run", "--invoke", "spawn"]).word(program).end().exits(0).prints("-1\n").quietly();
    }
}

#[test]
fn a_thread_whose_start_function_traps_ends_the_process() {
    let scratch = Scratch::new();
    let program = scratch.file(
        "program.wat",
        r#"(module (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "env" "memory" (memory 1 1 shared))
            (func $start (if (i32.atomic.rmw.add (i32.const 0) (i32.const 1)) (then unreachable)))
            (start $start)
            (func (export "wasi_thread_start") (param i32 i32))
            (func (export "_start")
                (drop (call $spawn (i32.const 0)))
                (loop (br_if 0 (i32.eqz (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1)))))))"#,
    );
    Run::bare().word("run").word(program).end().exits(134).says("thread 1 of the program `program.wat` trapped");
}
