//! Standard streams of components: bytes from end to end, the end of input, and the rules whose breach is a trap.

use std::process::Stdio;

use crate::harness::{Outcome, Run, Scratch, WASMR};
use crate::tiers::{Tier, on_every_tier};
use crate::wasi_guest::{LISTS, component};

/// Returns a program with this body of `run`, and with standard input and output in `$in` and `$out`.
fn program(body: &str) -> String {
    component(&format!(
        r#"(func (export "run") (result i32)
        (local $in i32) (local $out i32) (local $pollable i32) (local $at i32)
        (local.set $in (call $stdin))
        (local.set $out (call $stdout))
        {body})"#
    ))
}

/// Copies the input to the output until that is closed.
fn copy() -> String {
    program(
        "(loop $more
            (call $blocking-splice (local.get $out) (local.get $in) (i64.const 100000) (i32.const 64))
            (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
        (i32.ne (i32.load8_u (i32.const 72)) (i32.const 1))",
    )
}

/// Copies four bytes, however many there are.
fn copy_four() -> String {
    program(
        "(call $blocking-read (local.get $in) (i64.const 4) (i32.const 64))
        (call $blocking-write (local.get $out) (i32.load (i32.const 68)) (i32.load (i32.const 72)) (i32.const 64))
        (i32.load8_u (i32.const 64))",
    )
}

/// Succeeds if every operation on the input finds its end, and a poll does too.
fn find_end() -> String {
    let is_closed = |call: &str, case: u32| {
        format!(
            "{call} (if (i32.ne (i32.add (i32.load8_u (i32.const 64)) (i32.load8_u (i32.const {case}))) (i32.const 2))
                (then (return (i32.const 1))))"
        )
    };
    let read = |name: &str| format!("(call ${name} (local.get $in) (i64.const 9) (i32.const 64))");
    program(&format!(
        "(i32.store (i32.const 4096) (call $at (i64.const -1)))
        (i32.store (i32.const 4100) (call $subscribe-input (local.get $in)))
        (call $poll (i32.const 4096) (i32.const 2) (i32.const 64))
        (if (i32.ne (i32.load (i32.const 68)) (i32.const 1)) (then (return (i32.const 1))))
        (if (i32.ne (i32.load (i32.load (i32.const 64))) (i32.const 1)) (then (return (i32.const 1))))
        {} {} {} {}
        (call $block (i32.load (i32.const 4100)))
        (i32.const 0)",
        is_closed(&read("blocking-read"), 68),
        is_closed(&read("read"), 68),
        is_closed(&read("blocking-skip"), 72),
        is_closed("(call $blocking-splice (local.get $out) (local.get $in) (i64.const 9) (i32.const 64))", 72),
    ))
}

/// Runs `script` in a shell, in which `"$@"` runs the program.
fn in_shell(tier: Tier, script: &str, program: &str, input: &str) -> Outcome {
    let scratch = Scratch::new();
    let file = scratch.file("program.wat", program);
    scratch.file("input", input);
    let run = Run::of("sh").words(["-c", script, "sh", WASMR, "run"]).tier(tier).word(file);
    run.current_dir(scratch.path()).stdin(input).end()
}

on_every_tier! {
    fn input_reaches_output(tier) {
        let scratch = Scratch::new();
        let file = scratch.file("program.wat", copy());
        let input: String = (0..400_000).map(|number| format!("{number}\n")).collect();
        let outcome = Run::on(tier).word(file).stdin(input.clone()).end().exits(0).quietly();
        assert!(outcome.stdout == input, "{} of {} bytes", outcome.stdout.len(), input.len());
    }

    fn input_that_a_program_does_not_ask_for_is_left_to_the_next(tier) {
        for script in ["\"$@\"; cat", "{ \"$@\"; cat; } < input"] {
            in_shell(tier, script, &copy_four(), "abcdefgh").exits(0).prints("abcdefgh").quietly();
        }
    }

    fn the_end_of_input_is_found_by_every_operation(tier) {
        for script in ["\"$@\"", "\"$@\" < /dev/null", "\"$@\" < input", "\"$@\" <&-"] {
            in_shell(tier, script, &find_end(), "").exits(0).prints("").quietly();
        }
    }

    fn a_reader_that_goes_away_closes_the_output(tier) {
        let scratch = Scratch::new();
        let file = scratch.file(
            "program.wat",
            program(
                "(call $blocking-write (local.get $out) (i32.const 16) (i32.const 4) (i32.const 64))
                (if (i32.eqz (i32.load8_u (i32.const 64))) (then (return (i32.const 1))))
                (if (i32.load8_u (i32.const 68)) (then (return (i32.const 1))))
                ;; An error once, and then the end.
                (call $check-write (local.get $out) (i32.const 64))
                (i32.ne (i32.add (i32.load8_u (i32.const 64)) (i32.load8_u (i32.const 72))) (i32.const 2))",
            ),
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Run::on(tier).word(file).start_with_stdout(Stdio::from(writer)).end().exits(0).quietly();
    }

    fn a_poll_may_name_one_pollable_often_but_not_without_limit(tier) {
        let poll = |count: u32| {
            let (list, end) = (2 * LISTS, 2 * LISTS + 4 * count);
            program(&format!(
                "(drop (memory.grow (i32.const 512)))
                (local.set $pollable (call $after (i64.const 0)))
                (local.set $at (i32.const {list}))
                (loop $more
                    (i32.store (local.get $at) (local.get $pollable))
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br_if $more (i32.lt_u (local.get $at) (i32.const {end}))))
                (global.set $next (i32.const {end}))
                (call $poll (i32.const {list}) (i32.const {count}) (i32.const 64))
                (i32.ne (i32.load (i32.const 68)) (i32.const {count}))"
            ))
        };
        in_shell(tier, "\"$@\"", &poll(1 << 18), "").exits(0).quietly();
        in_shell(tier, "\"$@\"", &poll(3 << 20), "").exits(134).says("larger than the host allows");
    }

    fn a_broken_rule_of_a_stream_is_a_trap(tier) {
        for (body, message) in [
            (
                "(call $write (local.get $out) (i32.const 16) (i32.const 1) (i32.const 64))",
                "write: 1 bytes, but check-write permitted 0",
            ),
            (
                "(call $check-write (local.get $out) (i32.const 64))
                 (call $write (local.get $out) (i32.const LISTS) (i32.load (i32.const 72)) (i32.const 64))
                 (call $write (local.get $out) (i32.const 16) (i32.const 1) (i32.const 64))",
                "write: 1 bytes, but check-write permitted 0",
            ),
            (
                "(call $blocking-zeroes (local.get $out) (i64.const 4097) (i32.const 64))",
                "blocking-write-zeroes-and-flush: 4097 bytes, but at most 4096 are allowed",
            ),
            (
                "(drop (call $subscribe-input (local.get $in))) (call $drop-input (local.get $in))",
                "the input-stream was dropped, but 1 pollable of it is left",
            ),
        ] {
            let body = format!("{} (i32.const 0)", body.replace("LISTS", &LISTS.to_string()));
            in_shell(tier, "\"$@\" > /dev/null", &program(&body), "").exits(134).says(message);
        }
    }
}
