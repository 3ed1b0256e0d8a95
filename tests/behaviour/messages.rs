//! Messages as users see them, whole, in golden files: what failed, on what, and what to do.

use crate::golden::{check, check_text, compare};
use crate::harness::{Run, Scratch};
use crate::tiers::on_every_tier;

on_every_tier! {
    fn no_start(tier) {
        let text = r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32) (i32.const 0)))"#;
        check_text(tier, "no_start", text, &["guest.wat"]);
    }

    fn no_start_with_invoke_too_late(tier) {
        let text = r#"(module (func (export "add") (param i32 i32) (result i32) (i32.const 0)))"#;
        check_text(tier, "no_start_late", text, &["guest.wat", "--invoke", "add", "1", "2"]);
        check_text(tier, "no_start_late_unknown", text, &["guest.wat", "--invoke=sub"]);
    }

    fn option_too_late(tier) {
        check(tier, "option_too_late", &["args_env.wasm", "--timeout", "1s", "--max-memory=1MiB"]);
    }

    fn invoke_unknown(tier) {
        check(tier, "invoke_unknown", &["--invoke", "fibonacci", "../../examples/fib.wat", "3"]);
    }

    fn invoke_arguments(tier) {
        check(tier, "invoke_arguments", &["--invoke", "fib", "../../examples/fib.wat"]);
        check(tier, "invoke_type", &["--invoke", "fib", "../../examples/fib.wat", "ten"]);
    }

    fn missing_imports(tier) {
        let text = r#"(module
            (import "env" "emscripten_resize_heap" (func (param i32) (result i32)))
            (import "mine" "f" (func (param i64 f32) (result i32 i32)))
            (import "mine" "memory" (memory 1 2))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "no_such_call" (func))
            (func (export "_start")))"#;
        check_text(tier, "missing_imports", text, &["guest.wat"]);
    }

    fn wasm_bindgen(tier) {
        let text = r#"(module (import "wbg" "__wbindgen_throw" (func (param i32 i32))) (func (export "_start")))"#;
        check_text(tier, "wasm_bindgen", text, &["guest.wat"]);
    }

    fn invalid_module(tier) {
        let text = "(module (func $fine) (func $broken (param i32) (result i64) local.get 0) (func (export \"_start\")))";
        check_text(tier, "invalid_module", text, &["guest.wat"]);
    }

    fn text_that_does_not_parse(tier) {
        check_text(tier, "text_error", "(module\n  (func (export \"_start\")\n    i32.cosnt 1\n    drop))\n", &["guest.wat"]);
    }

    fn not_a_module(tier) {
        check(tier, "not_a_module", &["hello.c"]);
    }

    fn missing_file(tier) {
        check(tier, "missing_file", &["no-such-file.wasm"]);
    }

    fn missing_directory(tier) {
        check(tier, "missing_directory", &["--dir", "no-such-directory::/data::ro", "hello.wasm"]);
    }

    fn not_executed(tier) {
        // Refused before anything runs: nothing is printed.
        let text = r#"(module
            (type $pair (struct (field i32 i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func $make (result (ref $pair)) (struct.new $pair (i32.const 1) (i32.const 2)))
            (func (export "_start") (call $exit (i32.const 3)) (drop (call $make))))"#;
        check_text(tier, "not_executed", text, &["guest.wat"]);
        check_text(tier, "not_executed_switch", text, &["-W", "threads", "guest.wat"]);
    }

    fn feature_off(tier) {
        let text = "(module (func (export \"_start\") (drop (i8x16.splat (i32.const 1)))))";
        check_text(tier, "feature_off", text, &["-W", "simd=n", "guest.wat"]);
    }

    fn memory_limit(tier) {
        check(tier, "memory_limit", &["--max-memory", "1MiB", "hello.wasm"]);
    }

    fn table_limit(tier) {
        let text = "(module (table 100 funcref) (func (export \"_start\")))";
        check_text(tier, "table_limit", text, &["--max-table-elements", "99", "guest.wat"]);
    }

    fn instance_limit(tier) {
        check(tier, "instance_limit", &["--max-instances", "1", "--preload", "lib=hello.wasm", "hello.wasm"]);
    }

    fn descriptor_limit(tier) {
        check(tier, "descriptor_limit", &["--max-fds", "4", "--dir=.", "--dir=..", "hello.wasm"]);
    }

    fn module_size_limit(tier) {
        check(tier, "module_size_limit", &["--max-module-size", "1KiB", "hello.wasm"]);
    }

    fn unknown_key(tier) {
        check(tier, "unknown_key", &["-W", "speed=9", "hello.wasm"]);
    }

    fn data_segment_outside(tier) {
        let text = "(module (memory 1) (data (i32.const 65530) \"too long\") (func (export \"_start\")))";
        check_text(tier, "data_segment_outside", text, &["guest.wat"]);
    }

    fn a_component_is_named_as_such(tier) {
        let scratch = Scratch::new();
        scratch.file("component.wasm", b"\0asm\x0d\0\x01\0");
        let outcome = Run::on(tier).word("component.wasm").current_dir(scratch.path()).end();
        compare("component", "run component.wasm", &outcome);
    }
}

#[test]
fn help() {
    for (name, words) in [
        ("help", &["--help"][..]),
        ("help_run", &["run", "--help"]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_completions", &["completions", "--help"]),
        ("help_keys", &["run", "-W", "help", "m.wasm"]),
    ] {
        compare(name, &words.join(" "), &Run::bare().words(words).end());
    }
}
