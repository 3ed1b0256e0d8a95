//! The command line: positions of options, arguments and variables of the guest, sources of modules.

use std::fs;

use crate::harness::{Outcome, Run, Scratch, WASMR, guest};
use crate::tiers::{Tier, on_every_tier};

/// Runs `args_env.wasm` with words before and after the module. Returns the guest's arguments and variables.
#[track_caller]
fn seen(tier: Tier, before: &[&str], after: &[&str]) -> (Vec<String>, Vec<String>) {
    parts(Run::on(tier).words(before).guest("args_env.wasm").words(after).end())
}

#[track_caller]
fn parts(outcome: Outcome) -> (Vec<String>, Vec<String>) {
    parts_and_more(outcome.quietly())
}

/// Does the same as [`parts`], but permits text on standard error.
#[track_caller]
fn parts_and_more(outcome: Outcome) -> (Vec<String>, Vec<String>) {
    let outcome = outcome.exits(0);
    let args = outcome.stdout.lines().filter_map(|line| line.strip_prefix("arg ")?.split_once(": "));
    let env = outcome.stdout.lines().filter_map(|line| line.strip_prefix("env: "));
    (args.map(|(_, arg)| arg.to_string()).collect(), env.map(str::to_string).collect())
}

on_every_tier! {
    fn arguments_reach_the_guest_as_they_are(tier) {
        let words = ["a", "", "two words", "-x", "--flag=1", "日本", "\"'$*"];
        let (args, env) = seen(tier, &[], &words);
        assert_eq!(args[0], "args_env.wasm");
        assert_eq!(args[1..], words);
        assert!(env.is_empty(), "no variable may be inherited: {env:?}");
    }

    fn after_module_dir_and_env_are_ours_up_to_the_first_other_word(tier) {
        let words = ["--env", "A=1", "--env=B=2", "--dir=.", "x", "--env", "C=3", "--dir=."];
        let (args, env) = seen(tier, &[], &words);
        assert_eq!(args[1..], ["x", "--env", "C=3", "--dir=."]);
        assert_eq!(env, ["A=1", "B=2"]);
        let outcome = Run::on(tier).guest("args_env.wasm").words(["x", "--env", "C=3", "--dir=."]).end();
        let (args, env) = parts_and_more(outcome.says("note: `--env`, `--dir` after MODULE go to the program"));
        assert_eq!((&args[1..], env.len()), (["x", "--env", "C=3", "--dir=."].map(str::to_string).as_slice(), 0));
    }

    fn after_module_no_other_option_is_ours(tier) {
        let words = ["--timeout", "1s", "--nocapture", "--help", "-W", "x", "--invoke", "y", "--mode", "z"];
        let outcome = Run::on(tier).guest("args_env.wasm").words(words).end();
        assert_eq!(outcome.stderr.lines().count(), 1, "one note: {}", outcome.stderr);
        assert_eq!(parts_and_more(outcome.says("note: `--timeout`, `--invoke` after MODULE")).0[1..], words);
        assert_eq!(seen(tier, &[], &["-test.run=X"]).0[1..], ["-test.run=X"]);
    }

    fn options_that_went_to_the_guest_are_noted_unless_intended(tier) {
        let late = ["--timeout", "1s"];
        let noted = |before: &[&str], after: &[&str]| {
            let outcome = Run::on(tier).words(before).guest("args_env.wasm").words(after).words(late).end();
            outcome.exits(0).stderr.contains("note: `--timeout` after MODULE goes to the program")
        };
        assert!(noted(&[], &[]) && noted(&["--env=A=1"], &["input.txt"]) && noted(&[], &["--env=A=1"]));
        assert!(!noted(&["--timeout=9s"], &["input.txt"]), "an option before MODULE shows that the user knows its place");
        assert!(!noted(&["--"], &[]) && !noted(&[], &["--"]) && !noted(&[], &["--env=A=1", "--", "x"]));
        assert!(!noted(&[], &["x", "--"]), "`--` among the guest's arguments shows intent");
    }

    fn options_that_programs_often_have_are_not_noted(tier) {
        let words = ["--stats", "--mode", "fast", "--listen=80", "--env-file", "x", "--preload=y", "--help", "--version"];
        assert_eq!(seen(tier, &[], &words).0[1..], words);
    }

    fn values_may_start_with_a_dash(tier) {
        let (args, env) = seen(tier, &["--argv0", "-sh", "--env", "-x=1"], &["-1"]);
        assert_eq!((args.join(" ").as_str(), env), ("-sh -1", vec!["-x=1".to_string()]));
        let refused = |option, value, why| {
            Run::on(tier).words([option, value]).guest("hello.wasm").end().exits(2).prints("").says(why);
        };
        for option in ["--fuel", "--max-fds", "--max-instances", "--max-table-elements"] {
            refused(option, "-1", "a count cannot be negative; expected a whole number such as 1000 or 1e6");
        }
        for option in ["--max-memory", "--max-stack", "--max-output", "--max-module-size"] {
            refused(option, "-64KiB", "a size cannot be negative; expected a number of bytes such as 65536");
        }
        refused("--timeout", "-1s", "a time cannot be negative; expected a time such as 1s");
        refused("-W", "fuel=-1", "-W fuel=-1: a count cannot be negative");
        refused("-W", "-gc", "-W -gc: no such key");
        refused("--listen", "-1", "expected ADDR:PORT");
        // The message for a forgotten value names the missing value, not the option that stands in its place.
        refused("--dir", "--env=A=1", "a value is required for '--dir");
        let missing = Run::on(tier).words(["--dir", "-x"]).guest("hello.wasm").end().exits(1);
        missing.says("cannot grant the host directory `-x`");
    }

    fn two_dashes_after_module_end_options_and_are_dropped(tier) {
        let (args, env) = seen(tier, &[], &["--env=A=1", "--", "--env=B=2"]);
        assert_eq!((&args[1..], env), (&["--env=B=2".to_string()][..], vec!["A=1".to_string()]));
        assert_eq!(seen(tier, &[], &["--", "--", "x"]).0[1..], ["--", "x"]);
        assert_eq!(seen(tier, &[], &["x", "--", "y"]).0[1..], ["x", "--", "y"], "`--` ends options only as the first word after MODULE");
    }

    fn two_dashes_before_module_are_strict(tier) {
        let (args, env) = seen(tier, &["--env=A=1", "--"], &["--env", "B=2", "--", "x"]);
        assert_eq!((&args[1..], env), (&["--env", "B=2", "--", "x"].map(String::from)[..], vec!["A=1".to_string()]));
    }

    fn options_before_module_take_both_spellings(tier) {
        let (_, env) = seen(tier, &["--env", "A=1", "--env=B=x=y"], &[]);
        assert_eq!(env, ["A=1", "B=x=y"]);
    }

    fn argv0_is_the_base_name_unless_given(tier) {
        assert_eq!(seen(tier, &[], &[]).0, ["args_env.wasm"]);
        assert_eq!(seen(tier, &["--argv0", "tool"], &["a"]).0, ["tool", "a"]);
    }

    fn variables_come_only_as_asked(tier) {
        let run = |words: &[&str]| {
            let run = Run::on(tier).env("FROM_HOST", "yes").env("SECRET", "no").words(words);
            parts(run.guest("args_env.wasm").end()).1
        };
        assert!(run(&[]).is_empty());
        assert_eq!(run(&["--env", "FROM_HOST"]), ["FROM_HOST=yes"]);
        assert!(run(&["--env", "NOT_SET_ANYWHERE"]).is_empty());
        assert_eq!(run(&["--env", "FROM_HOST=own"]), ["FROM_HOST=own"]);
        let all = run(&["--inherit-env", "--env", "FROM_HOST=own", "--env", "EMPTY="]);
        assert!(all.contains(&"SECRET=no".to_string()) && all.contains(&"EMPTY=".to_string()));
        assert!(all.contains(&"FROM_HOST=own".to_string()) && !all.contains(&"FROM_HOST=yes".to_string()));
    }

    fn variables_come_from_a_file(tier) {
        let scratch = Scratch::new();
        let file = scratch.file("vars", "# a comment\n\nA=1\nB=two words\nFROM_HOST\n");
        let run = Run::on(tier).env("FROM_HOST", "yes").word("--env-file").word(&file).words(["--env", "A=2"]);
        assert_eq!(parts(run.guest("args_env.wasm").end()).1, ["A=2", "B=two words", "FROM_HOST=yes"]);
        let missing = Run::on(tier).words(["--env-file", "no-such-file"]).guest("args_env.wasm").end();
        missing.exits(1).prints("").says("no-such-file");
    }

    fn a_module_comes_from_standard_input(tier) {
        let binary = fs::read(guest("args_env.wasm")).unwrap();
        let outcome = Run::on(tier).words(["-", "x"]).stdin(binary).end();
        assert_eq!(parts(outcome).0, ["-", "x"]);
        let text = "(module (func (export \"_start\")))";
        Run::on(tier).word("-").stdin(text).end().exits(0).prints("").quietly();
        Run::on(tier).word("-").stdin("").end().exits(1).prints("");
    }

    fn a_module_may_be_text(tier) {
        Run::on(tier).guest("../../examples/hello.wat").end().exits(0).prints("hello from WebAssembly\n").quietly();
    }

    fn preloaded_modules_offer_their_exports(tier) {
        let scratch = Scratch::new();
        let library = scratch.file("library.wat", r#"(module (func (export "seven") (result i32) i32.const 7))"#);
        let program = scratch.file("program.wat", r#"(module
            (import "library" "seven" (func $seven (result i32)))
            (func (export "eight") (result i32) (i32.add (call $seven) (i32.const 1))))"#);
        let spec = format!("library={}", library.display());
        let run = Run::on(tier).words(["--preload", &spec, "--invoke", "eight"]).word(program);
        run.end().exits(0).prints("8\n").quietly();
    }

    fn features_can_be_switched_off(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (func (export "_start") (drop (i8x16.splat (i32.const 1)))))"#;
        let module = scratch.file("simd.wat", text);
        Run::on(tier).word(&module).end().exits(0).quietly();
        Run::on(tier).words(["-W", "simd=n"]).word(&module).end().exits(1).prints("");
    }

    fn unknown_imports_can_be_filled_in(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (import "x" "f" (func $f (param i32) (result i64)))
            (func (export "_start")) (func (export "call") (result i64) (call $f (i32.const 1))))"#;
        let module = scratch.file("m.wat", text);
        Run::on(tier).words(["-W", "unknown-imports-trap"]).word(&module).end().exits(0).quietly();
        Run::on(tier).words(["-W", "unknown-imports-trap", "--invoke", "call"]).word(&module).end().exits(134).prints("");
        Run::on(tier).words(["-W", "unknown-imports-default", "--invoke", "call"]).word(&module).end().exits(0).prints("0\n");
    }
}

#[test]
fn the_short_form_notes_nothing() {
    Run::bare().word(guest("args_env.wasm")).words(["--timeout", "1s"]).end().exits(0).quietly();
}

#[test]
fn the_short_form_is_strict() {
    let module = guest("args_env.wasm");
    let words = ["--env", "A=1", "--", "--dir=.", "--help"];
    let (args, env) = parts(Run::bare().word(&module).words(words).end());
    assert_eq!(args[1..], words);
    assert!(env.is_empty());
    let (args, env) = parts(Run::bare().words(["--env", "A=1"]).word(&module).word("--env=B=2").end());
    assert_eq!((&args[1..], env), (&["--env=B=2".to_string()][..], vec!["A=1".to_string()]));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in [&["--help"][..], &["-h"], &["run", "--help"], &["wast", "--help"], &["validate", "--help"]] {
        let outcome = Run::bare().words(words).end().exits(0).quietly();
        assert!(outcome.stdout.contains("Usage:"), "{words:?}: {}", outcome.stdout);
    }
    let version = format!("wasmr {}\n", env!("CARGO_PKG_VERSION"));
    Run::bare().word("--version").end().exits(0).prints(&version).quietly();
    let keys = Run::bare().words(["run", "-W", "help", "m.wasm"]).end().exits(0).quietly();
    assert!(keys.stdout.contains("max-memory-size") && keys.stdout.contains("tail-call"), "{}", keys.stdout);
}

#[test]
fn a_command_name_wins_over_a_file() {
    let scratch = Scratch::new();
    scratch.file("validate", "(module)");
    let outcome = Run::of(WASMR).word("validate").current_dir(scratch.path()).end();
    outcome.exits(2);
}

#[test]
fn validate_says_what_is_wrong_and_nothing_about_the_rest() {
    let scratch = Scratch::new();
    let bad = scratch.file("bad.wat", "(module (func $broken (result i32) i64.const 0))");
    Run::bare().word("validate").word(guest("hello.wasm")).end().exits(0).prints("").quietly();
    let outcome = Run::bare().word("validate").word(guest("hello.wasm")).word(&bad).end().exits(1).prints("");
    assert!(outcome.stderr.contains("bad.wat") && !outcome.stderr.contains("hello.wasm"), "{}", outcome.stderr);
}

#[test]
fn every_command_reads_standard_input() {
    let empty = Run::bare().words(["run", "-"]).stdin("").end();
    empty.exits(1).says("malformed module `-`: not a WebAssembly module");
    let module = r#"(module (func (export "f") (result i32) (i32.const 7)))"#;
    let run = |words: &[&str], stdin: &str| Run::bare().words(words).stdin(stdin).end();
    run(&["run", "--invoke", "f", "-"], module).exits(0).prints("7\n");
    run(&["validate", "-"], module).exits(0).prints("");
    assert!(run(&["inspect", "-"], module).exits(0).stdout.contains("f  (func (result i32))"));
    assert!(run(&["explore", "--func", "f", "-"], module).exits(0).stdout.contains("i32.const 7"));
    run(&["wast", "-"], &format!(r#"{module} (assert_return (invoke "f") (i32.const 7))"#))
        .exits(0)
        .prints("ok -: 2 directives\n");
    run(&["wast", "-"], "(module")
        .exits(1)
        .prints("-:1:8: cannot parse the script: expected `)`\nFAILED -: 1 of 1 directive\n");
    let old =
        "-:1:15: cannot parse the script: unknown operator or unexpected token; `get_local` is `local.get` today\n";
    assert!(run(&["wast", "-"], "(module (func get_local 0))").exits(1).stdout.starts_with(old));
    run(&["wast", "--mode", "-jit", "-"], "").exits(2).says("invalid value '-jit' for '--mode <MODE>'");
    run(&["wast", "-"], "\0asm").exits(1).says("cannot read `-`\n  the file is a binary module, not a script");
    let with_env = |env: &str| Run::bare().words(["run", "--env-file", "-"]).guest("args_env.wasm").stdin(env).end();
    assert!(with_env("A=1\n").exits(0).stdout.contains("env: A=1\n"));
    with_env("=").exits(1).says("cannot use `-` for --env-file\n  line 1: the variable has no name");
    for twice in [
        &["validate", "-", "-"][..],
        &["wast", "-", "-"],
        &["run", "--preload", "a=-", "-"],
        &["run", "--env-file=-", "-"],
    ] {
        run(twice, module).exits(2).prints("").says("error: `-` is standard input, which can be read only once");
    }
}

#[test]
fn wast_runs_scripts_and_reports_lines() {
    let scratch = Scratch::new();
    let good = scratch.file(
        "good.wast",
        "(module (func (export \"f\") (result i32) i32.const 1))\n(assert_return (invoke \"f\") (i32.const 1))\n",
    );
    let bad = scratch.file(
        "bad.wast",
        "(module (func (export \"f\") (result i32) i32.const 1))\n(assert_return (invoke \"f\") (i32.const 2))\n",
    );
    Run::bare().word("wast").word(&good).end().exits(0).quietly();
    let outcome = Run::bare().word("wast").word(&good).word(&bad).end().exits(1);
    assert!(outcome.stdout.contains("bad.wast:2"), "{}", outcome.stdout);
    let vectors = scratch.file("vectors.wast", "(module (func (result v128) (v128.const i32x4 0 0 0 0)))");
    Run::bare().word("wast").word(&vectors).end().exits(0).quietly();
    let outcome = Run::bare().words(["wast", "-W", "simd=n"]).word(&vectors).end().exits(1);
    assert!(outcome.stdout.contains("vectors.wast:1"), "{}", outcome.stdout);
}
