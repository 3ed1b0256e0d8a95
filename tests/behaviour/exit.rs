//! Exit codes: the status of the process for each end of a guest.

use crate::harness::{Run, Scratch};
use crate::tiers::{Tier, on_every_tier};

#[track_caller]
fn code_of(tier: Tier, words: &[&str]) -> i32 {
    Run::on(tier).guest("exit.wasm").words(words).end().code()
}

on_every_tier! {
    fn returning_from_start_is_0(tier) {
        Run::on(tier).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
    }

    fn every_code_of_a_guest_is_kept(tier) {
        for code in [0, 1, 2, 3, 125, 126, 127, 134, 254, 255] {
            assert_eq!(code_of(tier, &[&code.to_string()]), code);
        }
    }

    fn larger_codes_keep_their_low_byte(tier) {
        assert_eq!(code_of(tier, &["256"]), 0);
        assert_eq!(code_of(tier, &["259"]), 3);
        assert_eq!(code_of(tier, &["-1"]), 255);
    }

    fn returning_a_code_from_main_exits_with_it(tier) {
        assert_eq!(code_of(tier, &["return", "7"]), 7);
        assert_eq!(code_of(tier, &["return", "0"]), 0);
    }

    fn an_exit_prints_nothing(tier) {
        Run::on(tier).guest("exit.wasm").word("9").end().exits(9).prints("").quietly();
    }

    fn a_trap_is_134(tier) {
        Run::on(tier).guest("trap.wasm").word("divide").end().exits(134).prints("before\n").says("integer divide by zero");
    }

    fn a_missing_module_is_1(tier) {
        Run::on(tier).word("no-such-file.wasm").end().exits(1).prints("").says("no-such-file.wasm");
    }

    fn a_directory_as_module_is_1(tier) {
        let scratch = Scratch::new();
        Run::on(tier).word(scratch.path()).end().exits(1).prints("");
    }

    fn an_empty_file_is_1(tier) {
        let scratch = Scratch::new();
        Run::on(tier).word(scratch.file("empty.wasm", "")).end().exits(1).prints("").says("empty.wasm");
    }

    fn an_invalid_module_is_1_and_nothing_runs(tier) {
        // The invalid body follows a valid one that would print, so that this test fails if execution begins before validation
        // ends.
        let scratch = Scratch::new();
        let text = r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const 99)))
            (func (result i32) i64.const 0))"#;
        Run::on(tier).word(scratch.file("bad.wat", text)).end().exits(1).prints("").says("bad.wat");
    }

    fn a_missing_import_is_1(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (import "mine" "missing" (func)) (func (export "_start")))"#;
        Run::on(tier).word(scratch.file("m.wat", text)).end().exits(1).prints("").says("missing");
    }

    fn a_bad_directory_is_1(tier) {
        Run::on(tier).words(["--dir", "no-such-directory"]).guest("hello.wasm").end().exits(1).prints("");
    }

    fn no_start_is_1(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (func (export "run") (param i32) (result i32) local.get 0))"#;
        let outcome = Run::on(tier).word(scratch.file("library.wat", text)).end().exits(1).prints("");
        outcome.says("_start").says("--invoke run");
    }
}

#[test]
fn usage_errors_are_2() {
    let cases: &[&[&str]] = &[
        &["run"],
        &["run", "--no-such-option", "m.wasm"],
        &["run", "--dir"],
        &["run", "--timeout", "soon", "m.wasm"],
        &["run", "--timeout", "-1s", "m.wasm"],
        &["run", "--max-memory", "lots", "m.wasm"],
        &["run", "--max-stack", "1", "m.wasm"],
        &["run", "--max-table-elements", "1k", "m.wasm"],
        &["run", "--max-instances", "-1", "m.wasm"],
        &["run", "--max-fds", "many", "m.wasm"],
        &["run", "--max-output", "1.5", "m.wasm"],
        &["run", "--max-module-size", "big", "m.wasm"],
        &["run", "--mode", "warp", "m.wasm"],
        &["run", "-W", "no-such-key", "m.wasm"],
        &["run", "-W", "gc=perhaps", "m.wasm"],
        &["run", "--env", "=x", "m.wasm"],
        &["run", "--preload", "nameonly", "m.wasm"],
        &["--no-such-option"],
        &["wast"],
        &["validate"],
    ];
    for words in cases {
        let outcome = Run::bare().words(*words).end();
        assert_eq!(outcome.code(), 2, "{words:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{words:?}");
    }
}
