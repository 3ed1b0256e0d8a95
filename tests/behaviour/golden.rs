//! Compares the whole output of a run, and its exit code, with a file of `tests/golden/`.
//!
//! With `WASMR_BLESS=1`, the tests write the files instead; check the changes with `git diff`. The files hold no path and no
//! time: the runs start in the guests' directory, and [`steady`] replaces numbers that depend on the tier.

use std::path::{Path, PathBuf};

use crate::harness::{Outcome, Run, Scratch, guest};
use crate::tiers::{Tier, on_every_tier};

/// Runs `wasmr run WORDS` in the directory of the guests and compares with `NAME.txt`.
#[track_caller]
pub fn check(tier: Tier, name: &str, words: &[&str]) {
    let guests = guest("hello.wasm").parent().map(Path::to_path_buf).unwrap();
    let outcome = Run::on(tier).words(words).current_dir(&guests).end();
    compare(name, &format!("run {}", words.join(" ")), &outcome);
}

/// Does the same for a module given as text, which the run finds as `guest.wat`.
#[track_caller]
pub fn check_text(tier: Tier, name: &str, text: &str, words: &[&str]) {
    let scratch = Scratch::new();
    scratch.file("guest.wat", text);
    let outcome = Run::on(tier).words(words).current_dir(scratch.path()).end();
    compare(name, &format!("run {}", words.join(" ")), &outcome);
}

/// Compares a run with `NAME.txt`. The file shows the command line as `shown`.
#[track_caller]
pub fn compare(name: &str, shown: &str, outcome: &Outcome) {
    let actual = format!(
        "$ wasmr {shown}\n--- exit code {}\n--- standard output\n{}--- standard error\n{}",
        outcome.code(),
        steady(&outcome.stdout),
        steady(&outcome.stderr)
    );
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("WASMR_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &actual).unwrap();
        return;
    }
    let expected =
        std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}; WASMR_BLESS=1 writes it", file.display()));
    assert!(
        actual == expected,
        "{} differs (WASMR_BLESS=1 accepts what is printed)\n=== expected\n{expected}\n=== printed\n{actual}",
        file.display()
    );
}

/// Replaces the number of frames that the backtrace of a stack overflow leaves out, which depends on the tier.
fn steady(text: &str) -> String {
    let line = |line: &str| match line.strip_suffix(" more").and_then(|line| line.split_once("… ")) {
        Some((before, count)) if count.chars().all(|c| c.is_ascii_digit() || c == ' ') => format!("{before}… N more\n"),
        _ => format!("{line}\n"),
    };
    let mut out: String = text.lines().map(line).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        out.push_str("(no line feed)\n");
    }
    out
}

#[test]
fn numbers_of_frames_are_replaced() {
    assert_eq!(steady("a\n    … 31 998 more\nno more\n"), "a\n    … N more\nno more\n");
    assert_eq!(steady("a"), "a\n(no line feed)\n");
}

on_every_tier! {
    fn trap_unreachable(tier) { check(tier, "trap_unreachable", &["trap.wasm", "unreachable"]); }
    fn trap_divide(tier) { check(tier, "trap_divide", &["trap.wasm", "divide"]); }
    fn trap_overflow(tier) { check(tier, "trap_overflow", &["trap.wasm", "overflow"]); }
    fn trap_truncate(tier) { check(tier, "trap_truncate", &["trap.wasm", "truncate"]); }
    fn trap_load(tier) { check(tier, "trap_load", &["trap.wasm", "load"]); }
    fn trap_null(tier) { check(tier, "trap_null", &["trap.wasm", "null"]); }
    fn trap_type(tier) { check(tier, "trap_type", &["trap.wasm", "type"]); }
    fn trap_element(tier) { check(tier, "trap_element", &["trap.wasm", "element"]); }
    fn trap_stack(tier) { check(tier, "trap_stack", &["trap.wasm", "stack"]); }
    fn abort(tier) { check(tier, "abort", &["exit.wasm", "abort"]); }
    fn exception_uncaught(tier) { check(tier, "exception_uncaught", &["throw.wasm", "uncaught"]); }
    fn panic_in_rust(tier) { check(tier, "panic_in_rust", &["rust_hello.wasm", "panic"]); }

    fn trap_in_start_function(tier) {
        let text = "(module (func $main unreachable) (start $main) (func (export \"_start\")))";
        check_text(tier, "trap_in_start_function", text, &["guest.wat"]);
    }

    /// Names from a module must not bring control sequences to the terminal.
    fn hostile_names(tier) {
        let text = "(module (func (export \"_start\") (call $evil)) (func $evil (@name \"a\\1b[31mred\\0abell\\07\") unreachable))";
        check_text(tier, "hostile_names", text, &["guest.wat"]);
    }
}
