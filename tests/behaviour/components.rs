//! Components: programs that import WASI 0.2, and what is said about components that cannot be run.

use crate::golden::compare;
use crate::harness::{Outcome, Run, Scratch};
use crate::tiers::{Tier, on_every_tier};
use crate::wasi_guest::component;

/// Returns a component whose `run` is this body. It returns 0 for success and 1 for failure.
fn program(body: &str) -> String {
    component(&format!(r#"(data (i32.const 16) "hello from a component\n") (func (export "run") (result i32) {body})"#))
}

const HELLO: &str = "(call $blocking-write (call $stdout) (i32.const 16) (i32.const 23) (i32.const 64))";

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
        run(tier, "(call $poll (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 0)")
            .exits(134)
            .says("poll: the list of pollables is empty");
        run(tier, "(call $blocking-write (call $stdout) (i32.const 16) (i32.const 5000) (i32.const 64)) (i32.const 0)")
            .exits(134)
            .says("blocking-write-and-flush: 5000 bytes, but at most 4096 are allowed");
    }

    fn a_truncated_component_is_an_incomplete_download(tier) {
        let name = "name".repeat(40);
        let text = format!(
            r#"(component
            (type (func (param "{name}" u32)))
            (core module (memory (export "memory") 1) (data (i32.const 16) "hello from a component\n")))"#
        );
        let whole = wat::parse_str(text).unwrap();
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
fn a_wit_package_is_told_that_it_has_no_code() {
    let text = r#"(component
        (type $i (component
            (type $in (instance (type $f (func)) (export "f" (func (type $f)))))
            (export "a:b/i@1.0.0" (instance (type $in)))))
        (export "i" (type $i)))"#;
    refused(text).exits(1).says("is a WIT package: it describes interfaces and has no code");
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
        ("component_draft", "wasi:cli/exit@0.2.0-rc-2023-11-10", "wasi:cli/exit@0.2.0", "exit"),
        ("component_http", "wasi:http/types@0.2.13", "acme:one/a", "f"),
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
