//! Components: programs that import WASI 0.2, and what is said about components that cannot be run.

use std::time::{Duration, Instant};

use crate::golden::compare;
use crate::harness::{Outcome, Run, Scratch};
use crate::tiers::{Tier, on_every_tier};

/// Imports of the program in [`program`], and the lowered functions `get`, `write`, `exit`, `sleep` and `poll`.
const IMPORTS: &str = r#"
    (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $error-type))
    (import "wasi:io/poll@0.2.4" (instance $poll
        (export "pollable" (type $pollable (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
        (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $outer))
        (export "pollable" (type $own (eq $outer)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $error-type (type $outer))
        (export "error" (type $error (eq $outer)))
        (export "output-stream" (type $output (sub resource)))
        (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $failure)))
        (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
    (alias export $streams "output-stream" (type $output))
    (import "wasi:cli/stdout@0.2.10" (instance $stdout
        (alias outer 1 $output (type $outer))
        (export "output-stream" (type $own (eq $outer)))
        (export "get-stdout" (func (result (own $own))))))
    (import "wasi:cli/exit@0.2.12" (instance $exit
        (export "exit" (func (param "status" (result))))
        (export "exit-with-code" (func (param "status-code" u8)))))
    (core module $memory-module (memory (export "memory") 1) (data (i32.const 16) "hello from a component\n"))
    (core instance $memory (instantiate $memory-module))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
        (memory (core memory $memory "memory"))))
    (core func $exit (canon lower (func $exit "exit-with-code")))
    (core func $sleep (canon lower (func $clock "subscribe-duration")))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core module $realloc-module (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
    (core instance $realloc (instantiate $realloc-module))
    (core func $poll (canon lower (func $poll "poll") (memory (core memory $memory "memory")) (realloc (core func $realloc "realloc"))))
"#;

/// Returns a component whose `run` is this body. It returns 0 for success and 1 for failure.
fn program(body: &str) -> String {
    format!(
        r#"(component {IMPORTS}
    (core module $main
        (import "" "get" (func $get (result i32)))
        (import "" "write" (func $write (param i32 i32 i32 i32)))
        (import "" "exit" (func $exit (param i32)))
        (import "" "sleep" (func $sleep (param i64) (result i32)))
        (import "" "block" (func $block (param i32)))
        (import "" "poll" (func $poll (param i32 i32 i32)))
        (func (export "run") (result i32)
            {body}))
    (core instance $main (instantiate $main (with "" (instance
        (export "get" (func $get))
        (export "write" (func $write))
        (export "exit" (func $exit))
        (export "sleep" (func $sleep))
        (export "block" (func $block))
        (export "poll" (func $poll))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $program (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $program)))"#
    )
}

const HELLO: &str = "(call $write (call $get) (i32.const 16) (i32.const 23) (i32.const 512))";

/// Runs a component with this body to its end.
fn run(tier: Tier, body: &str) -> Outcome {
    let scratch = Scratch::new();
    Run::on(tier).word(scratch.file("program.wat", program(body))).end()
}

on_every_tier! {
    fn a_program_prints(tier) {
        run(tier, &format!("{HELLO} (i32.const 0)")).exits(0).prints("hello from a component\n").quietly();
    }

    fn exit_codes_are_those_of_modules(tier) {
        run(tier, "(i32.const 1)").exits(1).prints("").quietly();
        run(tier, "(call $exit (i32.const 9)) (i32.const 0)").exits(9).prints("").quietly();
        run(tier, "(call $exit (i32.const 0)) unreachable").exits(0).quietly();
        run(tier, &format!("{HELLO} unreachable")).exits(134).prints("hello from a component\n").says("unreachable");
    }

    fn a_broken_rule_of_an_interface_is_a_trap(tier) {
        run(tier, "(call $poll (i32.const 0) (i32.const 0) (i32.const 512)) (i32.const 0)")
            .exits(134)
            .says("poll: the list of pollables is empty");
        run(tier, "(call $write (call $get) (i32.const 16) (i32.const 5000) (i32.const 512)) (i32.const 0)")
            .exits(134)
            .says("blocking-write-and-flush: 5000 bytes, but at most 4096 are allowed");
    }

    fn a_timeout_ends_a_wait(tier) {
        let began = Instant::now();
        let body = "(call $block (call $sleep (i64.const 60000000000))) (i32.const 0)";
        run(tier, "nop (i32.const 0)").exits(0);
        let scratch = Scratch::new();
        let file = scratch.file("program.wat", program(body));
        Run::on(tier).words(["--timeout", "300ms"]).word(file).end().exits(124);
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    fn a_truncated_component_is_an_incomplete_download(tier) {
        let whole = wat::parse_str(program(&format!("{HELLO} (i32.const 0)"))).unwrap();
        let module = whole.windows(8).position(|bytes| bytes == b"\0asm\x01\0\0\0").unwrap();
        for (name, size) in [("component_truncated", 100), ("component_truncated_module", module + 20)] {
            let scratch = Scratch::new();
            scratch.file("part.wasm", &whole[..size]);
            let outcome = Run::on(tier).word("part.wasm").current_dir(scratch.path()).end();
            compare(name, "run part.wasm", &outcome);
        }
    }

    fn limits_on_output_and_fuel_hold(tier) {
        let scratch = Scratch::new();
        let file = scratch.file("program.wat", program(&format!("{HELLO} (i32.const 0)")));
        Run::on(tier).words(["--max-output", "5"]).word(&file).end().exits(0).prints("hello");
        Run::on(tier).words(["--fuel", "1"]).word(&file).end().exits(134).says("all fuel consumed");
    }
}

fn refused(text: &str) -> Outcome {
    let scratch = Scratch::new();
    let file = scratch.file("component.wat", text);
    Run::bare().word("run").word(file).end()
}

#[test]
fn a_component_without_run_is_told_what_it_exports() {
    let text = r#"(component
        (core module $m (func (export "f") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (func $f (result u32) (canon lift (core func $i "f")))
        (instance $api (export "answer" (func $f)))
        (export "get" (func $f))
        (export "acme:api/numbers@1.0.0" (instance $api)))"#;
    refused(text)
        .exits(1)
        .says("is a library: it exports no `wasi:cli/run`")
        .says("acme:api/numbers@1.0.0#answer: func() -> u32")
        .says("wasmr run --invoke get");
    refused("(component)").exits(1).says("exports no `wasi:cli/run` and no other function");
}

/// A component that imports functions of two interfaces, the first of which has many.
fn importer(many: &str, one: &str, function: &str) -> String {
    let functions: String = (0..8).map(|index| format!("(export \"f{index}\" (func))")).collect();
    let lowered: String =
        (0..8).map(|index| format!("(core func $f{index} (canon lower (func $a \"f{index}\")))")).collect();
    let imports: String = (0..8).map(|index| format!("(import \"\" \"f{index}\" (func))")).collect();
    let exports: String = (0..8).map(|index| format!("(export \"f{index}\" (func $f{index}))")).collect();
    format!(
        r#"(component
        (import "{many}" (instance $a {functions}))
        (import "{one}" (instance $b (export "{function}" (func (param "x" u8)))))
        {lowered}
        (core func $g (canon lower (func $b "{function}")))
        (core module $main {imports} (import "" "g" (func (param i32))))
        (core instance (instantiate $main (with "" (instance {exports} (export "g" (func $g)))))))"#
    )
}

#[test]
fn a_newer_interface_is_told_from_an_unknown_one() {
    let scratch = Scratch::new();
    for (name, many, one, function) in [
        ("component_newer", "wasi:cli/exit@0.2.13", "wasi:io/poll@0.2.99", "poll-all"),
        ("component_track", "wasi:cli/exit@0.3.0", "wasi:cli/exit@0.2.0", "exit-with-cod"),
        ("component_http", "wasi:http/types@0.2.0", "acme:one/a", "f"),
    ] {
        scratch.file("part.wat", importer(many, one, function));
        let outcome = Run::bare().words(["run", "part.wat"]).current_dir(scratch.path()).end();
        compare(name, "run part.wat", &outcome);
    }
}

#[test]
fn missing_imports_are_all_listed() {
    let text = r#"(component
        (import "acme:one/a" (instance $a (export "f" (func (param "x" u32)))))
        (import "wasi:http/types@0.2.0" (instance $b (export "http-error-code" (func (result string)))))
        (core module $memory (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $memory (instantiate $memory))
        (core func $f (canon lower (func $a "f")))
        (core func $g (canon lower (func $b "http-error-code") (memory (core memory $memory "m")) (realloc (core func $memory "r"))))
        (core module $main (import "" "f" (func (param i32))) (import "" "g" (func (param i32))))
        (core instance (instantiate $main (with "" (instance (export "f" (func $f)) (export "g" (func $g)))))))"#;
    refused(text)
        .exits(1)
        .says("cannot link `")
        .says("acme:one/a")
        .says("wasi:http/types@0.2.0")
        .says("`wasi:http` is not there yet");
}

#[test]
fn options_for_modules_alone_are_refused() {
    let scratch = Scratch::new();
    let file = scratch.file("program.wat", program("(i32.const 0)"));
    Run::bare().words(["run", "--preload", "a=b.wasm"]).word(&file).end().exits(2).says("--preload links core modules");
}
