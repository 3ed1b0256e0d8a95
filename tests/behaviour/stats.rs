//! `--stats`, `WASMR_LOG` and `-C`: the resources that a run used and the reasons for its speed. These options change nothing
//! else.

use std::time::Duration;

use crate::golden::compare;
use crate::harness::{GUARDS_MEMORIES, Outcome, Run, WASMR};
use crate::tiers::{NO_CACHE, Tier, on_every_tier};

/// Returns the value of a key in the last line of standard error.
#[track_caller]
fn value<'a>(outcome: &'a Outcome, key: &str) -> &'a str {
    let line = outcome.stderr.lines().last().unwrap_or_default();
    let line = line.strip_prefix('{').and_then(|line| line.strip_suffix('}')).unwrap_or_else(|| panic!("{outcome:#?}"));
    let found = line.split(", ").find_map(|pair| pair.strip_prefix(&format!("\"{key}\": ")));
    found.unwrap_or_else(|| panic!("no {key}: {line}"))
}

#[track_caller]
fn number(outcome: &Outcome, key: &str) -> u64 {
    value(outcome, key).parse().unwrap_or_else(|e| panic!("{key}: {e}: {outcome:#?}"))
}

fn compiles(tier: Tier) -> bool {
    tier.0.contains(&"jit") || tier.0.contains(&"tier-up-after=0")
}

on_every_tier! {
    fn a_program_that_returns(tier) {
        let outcome = Run::on(tier).word("--stats=json").guest("hello.wasm").end().exits(0).prints("hello from wasm\n");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
        assert_eq!((value(&outcome, "program"), value(&outcome, "ended")), ("\"hello.wasm\"", "\"returned\""));
        assert_eq!(value(&outcome, "mode").trim_matches('"'), tier.0[1]);
        let phases: u64 = ["load_us", "instantiate_us", "run_us"].map(|phase| number(&outcome, phase)).iter().sum();
        assert!(number(&outcome, "load_us") > 0 && phases <= number(&outcome, "wall_us"), "{outcome:#?}");
        // The program has code of its tier, and pages of memory.
        let (functions, translated) = (number(&outcome, "functions"), number(&outcome, "translated"));
        let compiled =
            ["compiled_functions", "compiled_loops", "loaded_functions"].iter().map(|key| number(&outcome, key)).sum::<u64>();
        assert!(translated + compiled > 0 && translated <= functions, "{outcome:#?}");
        assert_eq!(compiled > 0, compiles(tier), "{outcome:#?}");
        let bytes = number(&outcome, "machine_code_bytes") + number(&outcome, "loaded_code_bytes");
        assert_eq!(bytes > 0, compiles(tier), "{outcome:#?}");
        assert_eq!(value(&outcome, "interpreted_because") == "null", compiles(tier), "{outcome:#?}");
        assert!(number(&outcome, "peak_memory_bytes") > 1 << 20, "{outcome:#?}");
        assert!(number(&outcome, "linear_memory_bytes") >= 64 << 10, "{outcome:#?}");
        assert_eq!(value(&outcome, "linear_memory_guarded") == "true", GUARDS_MEMORIES, "{outcome:#?}");
        assert_eq!((value(&outcome, "fuel_used"), value(&outcome, "fuel_left")), ("null", "null"));
    }

    fn a_program_that_exits(tier) {
        let outcome = Run::on(tier).word("--stats=json").guest("exit.wasm").word("3").end().exits(3);
        assert_eq!((value(&outcome, "ended"), value(&outcome, "detail")), ("\"exit\"", "\"3\""));
    }

    fn statistics_of_a_trap_follow_its_backtrace(tier) {
        let outcome = Run::on(tier).word("--stats=json").guest("trap.wasm").word("divide").end().exits(134);
        assert_eq!((value(&outcome, "ended"), value(&outcome, "detail")), ("\"trap\"", "\"integer divide by zero\""));
        outcome.says("wasm backtrace:");
    }

    fn an_uncaught_exception(tier) {
        let outcome = Run::on(tier).word("--stats=json").guest("throw.wasm").word("uncaught").end().exits(134);
        assert_eq!((value(&outcome, "ended"), value(&outcome, "detail")), ("\"exception\"", "null"));
    }

    fn a_timeout(tier) {
        let run = Run::on(tier).words(["--stats=json", "--timeout=300ms"]).guest("loop.wasm").word("spin");
        let outcome = run.end().exits(124).says("timeout");
        assert_eq!((value(&outcome, "ended"), value(&outcome, "detail")), ("\"timeout\"", "\"300ms\""));
        assert!(number(&outcome, "run_us") > 100_000, "{outcome:#?}");
        assert!(number(&outcome, "run_us") < Duration::from_secs(60).as_micros() as u64, "{outcome:#?}");
    }

    fn fuel_is_counted(tier) {
        let given = 50_000_000;
        let run = Run::on(tier).words(["--stats=json", "--fuel", &given.to_string()]).guest("hello.wasm");
        let outcome = run.end().exits(0);
        let used = number(&outcome, "fuel_used");
        assert!(used > 0 && used + number(&outcome, "fuel_left") == given, "{outcome:#?}");
    }

    fn a_run_that_does_not_start_has_no_statistics(tier) {
        for words in [&["--stats", "no-such-file.wasm"][..], &["--stats", "--invoke", "no_such_function"]] {
            let run = Run::on(tier).words(words);
            let run = if words.len() > 2 { run.guest("hello.wasm") } else { run };
            let outcome = run.end().exits(1);
            assert!(!outcome.stderr.contains("stats of"), "{outcome:#?}");
        }
    }

    fn memories_without_a_reservation(tier) {
        let script = "ulimit -v 1000000 && exec \"$@\"";
        let run = Run::of("sh").words(["-c", script, "sh", WASMR, "run"]).tier(tier);
        let run = run.env("WASMR_LOG", "fallback").word("--stats=json").guest("hello.wasm");
        let outcome = run.end().exits(0).prints("hello from wasm\n");
        assert_eq!(value(&outcome, "linear_memory_guarded"), "false");
        outcome.says("log: memory `memory` of `hello.wasm` has a bounds check at every access: the system reserved no address space for it\n");
    }

    fn every_compiled_function_is_logged(tier) {
        let run = || Run::on(Tier(tier.0, NO_CACHE)).word("--stats=json").env("WASMR_LOG", "compile");
        let outcome = run().guest("hello.wasm").end().exits(0);
        let lines = outcome.stderr.lines().filter(|line| line.starts_with("log: compiled ")).count() as u64;
        assert_eq!(lines, number(&outcome, "compiled_functions") + number(&outcome, "compiled_loops"), "{outcome:#?}");
        let all = number(&outcome, "functions");
        if compiles(tier) {
            outcome.says(" of `hello.wasm`: ");
        }
        // Every function is larger than this limit.
        let outcome = run().words(["-O", "max-compiled-size=0"]).guest("hello.wasm").end().exits(0);
        let lines = outcome.stderr.lines().filter(|line| line.starts_with("log: did not compile ")).count() as u64;
        assert_eq!(lines, number(&outcome, "refused"), "{outcome:#?}");
        assert_eq!((lines > 0, number(&outcome, "compiled_functions")), (compiles(tier), 0), "{outcome:#?}");
        assert_eq!(number(&outcome, "functions"), all);
        if compiles(tier) {
            assert_eq!(value(&outcome, "interpreted_because"), "\"the compiler refused all hot functions\"");
        }
    }
}

#[test]
fn invalid_options_are_refused() {
    Run::bare().words(["run", "--stats=xml"]).guest("hello.wasm").end().exits(2).prints("").says("text, json");
    Run::bare()
        .words(["run", "-C", "speed=9"])
        .guest("hello.wasm")
        .end()
        .exits(2)
        .prints("")
        .says("-C speed=9: no such key");
    let run = Run::bare().env("WASMR_LOG", "debug").guest("hello.wasm");
    run.end().exits(0).says("warning: WASMR_LOG has no topic `debug`; the topics are compile, fallback, cache, all\n");
    // After MODULE, the option is an argument of the guest.
    let outcome = Run::bare().word("run").guest("args_env.wasm").words(["--", "--stats"]).end().exits(0).quietly();
    assert!(outcome.stdout.contains("--stats"), "{outcome:#?}");
}

#[test]
fn the_list_of_code_keys() {
    compare("help_code_keys", "run -C help", &Run::bare().words(["run", "-C", "help"]).end());
}

/// Tables of builds with a compiler, which either interpret by the user's choice or have machine code.
#[cfg(feature = "jit")]
mod with_a_compiler {
    use super::number;
    use crate::golden::compare;
    use crate::harness::{Run, Scratch, guest};

    /// Replaces numbers and their units by `N`, so that a table is the same in each run.
    fn masked(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            out.push_str(&rest[..at]);
            rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let unit = ["ns", "µs", "ms", "s", " bytes", " KiB", " MiB"].iter().find(|unit| rest.starts_with(**unit));
            rest = &rest[unit.map_or(0, |unit| unit.len())..];
            out.push('N');
        }
        // Singular nouns become plural ones.
        let mut out = out + rest;
        for noun in ["function", "loop", "thread"] {
            out = out
                .replace(&format!("N {noun}"), &format!("N {noun}s"))
                .replace(&format!("N {noun}ss"), &format!("N {noun}s"));
        }
        out
    }

    #[test]
    fn numbers_are_masked() {
        assert_eq!(masked("3: 1.5ms, 12 KiB of 7 functions, 1 loop"), "N: N, N of N functions, N loops");
    }

    #[track_caller]
    fn check(name: &str, words: &[&str]) {
        let guests = guest("hello.wasm").parent().unwrap().to_path_buf();
        let mut outcome = Run::bare().word("run").words(words).current_dir(&guests).end();
        outcome.stderr = masked(&outcome.stderr);
        compare(name, &format!("run {}", words.join(" ")), &outcome);
    }

    #[test]
    fn tables_of_the_interpreter() {
        check("stats_interp", &["--stats", "--mode", "interp", "--fuel", "1000000", "hello.wasm"]);
        check("stats_json", &["--stats=json", "--mode", "interp", "exit.wasm", "3"]);
    }

    #[test]
    fn tables_of_modes_that_compile() {
        check("stats_jit", &["--stats", "--mode", "jit", "trap.wasm", "load"]);
        check("stats_tiered", &["--stats", "-O", "tier-up-delay=1h", "hello.wasm"]);
    }

    /// Without the guards there is less machine code, and its result is the same.
    #[test]
    fn spectre_guards_can_be_switched_off() {
        let scratch = Scratch::new();
        let text = r#"(module (memory i64 1) (table 2 funcref) (elem (i32.const 0) $f $f) (type $t (func (result i32)))
            (func $f (result i32) (i32.const 40))
            (func (export "get") (param i64 i32) (result i32)
                (i32.store (local.get 0) (i32.const 2))
                (i32.add (i32.load (local.get 0)) (call_indirect (type $t) (local.get 1)))))"#;
        let module = scratch.file("m.wat", text);
        let bytes = |keys: &str| {
            let run = Run::bare().words(["run", "--mode", "jit", "--stats=json", "-C", keys, "--invoke", "get"]);
            let outcome = run.word(&module).words(["65532", "1"]).end().exits(0).prints("42\n");
            number(&outcome, "machine_code_bytes")
        };
        let (with, without) = (bytes("spectre-guards"), bytes("spectre-guards=n"));
        assert!(without < with, "{without} of {with} bytes");
    }
}
