//! Threads of wasi-threads: shared memory and descriptors, the end of the process by any thread, and limits.

use std::io::Write;
use std::time::Duration;

use crate::harness::{Outcome, Run, Scratch, WASMR};
use crate::tiers::{Tier, on_every_tier};

/// Time in which a run must end, on a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// A program with four threads, each of which has a list of more than 1 MiB until all have theirs.
const HEAPS: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (type $node (struct (field (ref null $node)) (field i64)))
    (func $add (param $at i32)
        (drop (i32.atomic.rmw.add (local.get $at) (i32.const 1)))
        (drop (memory.atomic.notify (local.get $at) (i32.const -1))))
    (func $await (param $at i32) (param $value i32) (local $now i32)
        (loop $again
            (local.set $now (i32.atomic.load (local.get $at)))
            (if (i32.ne (local.get $now) (local.get $value))
                (then
                    (drop (memory.atomic.wait32 (local.get $at) (local.get $now) (i64.const -1)))
                    (br $again)))))
    (func $work (local $list (ref null $node)) (local $left i32)
        (local.set $left (i32.const 50000))
        (loop $next
            (local.set $list (struct.new $node (local.get $list) (i64.const 1)))
            (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (call $add (i32.const 0))
        (call $await (i32.const 0) (i32.const 4))
        (if (i64.ne (struct.get $node 1 (local.get $list)) (i64.const 1)) (then unreachable))
        (call $add (i32.const 4)))
    (func (export "wasi_thread_start") (param i32 i32) (call $work))
    (func (export "_start")
        (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 0)))
        (call $work)
        (call $await (i32.const 4) (i32.const 4))))"#;

/// A program whose export `run` waits for a thread that returns, traps, or exits with 9.
const INVOKED: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (func (export "wasi_thread_start") (param i32) (param $what i32)
        (if (i32.eq (local.get $what) (i32.const 3)) (then (call $exit (i32.const 9))))
        (i32.atomic.store (i32.const 0) (i32.div_u (i32.const 42) (i32.and (local.get $what) (i32.const 1))))
        (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))
    (func (export "run") (param $what i32) (result i32)
        (drop (call $spawn (local.get $what)))
        (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
        (i32.atomic.load (i32.const 0))))"#;

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

    fn threads_use_files_at_the_same_time(tier) {
        let scratch = Scratch::new();
        let run = Run::on(tier).dir(scratch.path(), "/").guest("pthreads.wasm").words(["files", "4", "20"]);
        run.end().exits(0).prints("0 wrong\n").quietly();
        let lines = std::fs::read_to_string(scratch.path().join("lines")).unwrap();
        let mut lines: Vec<&str> = lines.lines().collect();
        lines.sort();
        let expected: Vec<_> = (0..80).map(|index| format!("line{:02}", index / 20)).collect();
        assert_eq!(lines, expected);
        assert_eq!(std::fs::metadata(scratch.path().join("file3")).unwrap().len(), 20 * 4096);
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

    fn a_trap_ends_threads_that_write(tier) {
        let outcome = threads(tier, &[], &["trap-writing"]).exits(134).says("trapped\n  wasm trap: unreachable\n");
        let (lines, rest) = outcome.stdout.rsplit_once('\n').unwrap();
        assert_eq!(rest, "", "the last line is whole");
        for line in lines.lines() {
            assert!(["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"].contains(&line), "{line}");
        }
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

    fn the_limit_of_the_heap_is_that_of_all_threads(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("program.wat", HEAPS);
        let run = |limit: &str| {
            Run::on(tier).words(["--max-gc-heap", limit, "--fuel", "1e9", "--stats"]).word(&program).end()
        };
        let outcome = run("16MiB").exits(0).prints("").says("guest threads 3 started");
        let heap = outcome.stderr.split_once("gc heap").unwrap().1.lines().next().unwrap().to_string();
        let most: f64 = heap.split_once("end, ").unwrap().1.split_once(" MiB").unwrap().0.trim().parse().unwrap();
        assert!((4.0..8.0).contains(&most), "four heaps of more than 1 MiB: {heap}");
        outcome.says("fuel");
        run("3MiB").exits(134).says("garbage-collected heap is full");
    }

    fn an_invoked_function_may_start_threads(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("program.wat", INVOKED);
        let run = |argument: &str| Run::on(tier).words(["--invoke", "run"]).word(&program).word(argument).end();
        run("1").exits(0).prints("42\n").quietly();
        run("2").exits(134).prints("").says("thread 1 of the program `program.wat` trapped\n  wasm trap: integer divide by zero");
        run("3").exits(9).prints("").quietly();
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
    run.word(program).end().exits(0).prints("-1\n").says("note: `program.wat` cannot start threads");
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
