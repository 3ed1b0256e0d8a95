//! `--invoke` parses arguments by the function's signature, and prints one result a line and nothing else.

use crate::harness::{Outcome, Run, Scratch};
use crate::tiers::{Tier, on_every_tier};

const FUNCTIONS: &str = r#"(module
  (global $ready (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $ready (i32.add (global.get $ready) (i32.const 1))))
  (func (export "ready") (result i32) (global.get $ready))
  (func (export "nothing"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "bits") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
  (func (export "mixed") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "v128") (param v128) (result v128) (local.get 0))
  (func (export "lost") (param externref) (result i32) (ref.is_null (local.get 0)))
  (func (export "trap") (result i32) unreachable)
  (global (export "global") i32 (i32.const 5)))"#;

#[track_caller]
fn invoke(tier: Tier, name: &str, args: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    let module = scratch.file("functions.wat", FUNCTIONS);
    Run::on(tier).words(["--invoke", name]).word(module).words(args).end()
}

on_every_tier! {
    fn nans_are_canonical_if_asked_for(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (func (export "nan") (param f64) (result i64)
            (i64.reinterpret_f64 (f64.add (f64.div (local.get 0) (f64.const 0)) (f64.const nan:0x123)))))"#;
        let module = scratch.file("nan.wat", text);
        let run = Run::on(tier).words(["-W", "nan-canonicalization", "--invoke", "nan"]).word(module).word("0").end();
        run.exits(0).prints(&format!("{}\n", 0x7ff8_0000_0000_0000_u64)).quietly();
    }

    fn results_are_all_that_is_printed(tier) {
        invoke(tier, "add", &["2", "3"]).exits(0).prints("5\n").quietly();
        invoke(tier, "nothing", &[]).exits(0).prints("").quietly();
        invoke(tier, "mixed", &["1", "-2", "1.5", "-0.25"]).exits(0).prints("-0.25\n1.5\n-2\n1\n").quietly();
    }

    fn integers_take_the_signed_and_the_unsigned_range(tier) {
        for (word, printed) in [
            ("0", "0"), ("-1", "-1"), ("4294967295", "-1"), ("2147483648", "-2147483648"), ("-2147483648", "-2147483648"),
            ("0x10", "16"), ("0xffffffff", "-1"), ("-0x80000000", "-2147483648"),
        ] {
            invoke(tier, "i32", &[word]).exits(0).prints(&format!("{printed}\n"));
        }
        for (word, printed) in [
            ("18446744073709551615", "-1"), ("-9223372036854775808", "-9223372036854775808"), ("0x7fffffffffffffff", "9223372036854775807"),
        ] {
            invoke(tier, "i64", &[word]).exits(0).prints(&format!("{printed}\n"));
        }
    }

    fn numbers_out_of_range_are_refused(tier) {
        for (name, word) in [
            ("i32", "4294967296"), ("i32", "-2147483649"), ("i32", "0x100000000"), ("i32", "1.5"), ("i32", "1e3"), ("i32", ""),
            ("i32", "x"), ("i64", "18446744073709551616"), ("f64", "one"), ("f32", ""), ("lost", "1"),
        ] {
            let outcome = invoke(tier, name, &[word]).prints("");
            assert_eq!(outcome.code(), 2, "{name} {word:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains("(param "), "the message must show the signature: {}", outcome.stderr);
        }
    }

    fn floats_take_nan_and_inf(tier) {
        for (word, printed) in [
            ("1.5", "1.5"), ("-0", "-0"), ("0x1.8p1", "3"), ("1_000.5", "1000.5"), ("nan:0x1", "nan:0x1"), ("-nan:0x2", "-nan:0x2"), ("1e10", "10000000000"), ("inf", "inf"), ("-inf", "-inf"), ("nan", "nan"), ("0.1", "0.1"),
        ] {
            invoke(tier, "f32", &[word]).exits(0).prints(&format!("{printed}\n"));
            invoke(tier, "f64", &[word]).exits(0).prints(&format!("{printed}\n"));
        }
        invoke(tier, "bits", &["nan"]).prints(&format!("{}\n", 0x7fc0_0000));
        invoke(tier, "bits", &["-0"]).prints("-2147483648\n");
    }

    fn vectors_are_lanes(tier) {
        let printed = "i32x4:0x00000001,0x00000002,0x00000003,0xffffffff\n";
        for word in ["i32x4:1,2,3,-1", "i32x4 1 2 3 -1", "0xffffffff000000030000000200000001", printed.trim_end()] {
            invoke(tier, "v128", &[word]).exits(0).prints(printed).quietly();
        }
        invoke(tier, "v128", &["i32x4:1,2,3"]).exits(2).prints("").says("i32x4 has 4 lanes, got 3");
    }

    fn references_can_be_null(tier) {
        invoke(tier, "lost", &["null"]).exits(0).prints("1\n");
    }

    fn the_number_of_arguments_must_fit(tier) {
        for args in [&[][..], &["1"], &["1", "2", "3"]] {
            invoke(tier, "add", args).exits(2).prints("").says("(param i32 i32) (result i32)");
        }
    }

    fn a_program_gets_the_words_as_its_arguments_too(tier) {
        let words = ["a", "--flag", "1"];
        let outcome = Run::on(tier).words(["--invoke", "_start"]).guest("args_env.wasm").word("--").words(words).end();
        let printed = outcome.exits(0).quietly().stdout;
        assert!(printed.contains("arg 1: a\narg 2: --flag\narg 3: 1\n"), "{printed}");
    }

    fn a_function_with_parameters_gets_the_words_both_ways(tier) {
        let scratch = Scratch::new();
        let text = r#"(module
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "both") (param i32) (result i32 i32)
                (drop (call $sizes (i32.const 0) (i32.const 4))) (local.get 0) (i32.load (i32.const 0))))"#;
        let run = |words: &[&str]| {
            Run::on(tier).words(["--invoke", "both"]).word(scratch.file("m.wat", text)).words(words).end()
        };
        run(&["7"]).exits(0).prints("7\n2\n").quietly();
        run(&["7", "8"]).exits(2).prints("").says("expected 1 argument, got 2; signature: (func");
    }

    fn words_are_refused_if_no_parameter_takes_them(tier) {
        invoke(tier, "nothing", &["1"]).exits(2).prints("").says("expected 0 arguments, got 1");
    }

    fn initialize_runs_first_and_once(tier) {
        invoke(tier, "ready", &[]).exits(0).prints("1\n");
        invoke(tier, "_initialize", &[]).exits(0).prints("");
    }

    fn unknown_names_list_the_exports(tier) {
        for name in ["absent", "global", ""] {
            invoke(tier, name, &[]).exits(1).prints("").says("add").says("(param i32 i32) (result i32)");
        }
    }

    fn a_trap_prints_no_result(tier) {
        invoke(tier, "trap", &[]).exits(134).prints("").says("unreachable");
    }

    fn the_example_computes(tier) {
        Run::on(tier).words(["--invoke", "fib"]).guest("../../examples/fib.wat").word("20").end().exits(0).prints("6765\n");
        let outcome = Run::on(tier).words(["--invoke", "fib_loop"]).guest("../../examples/fib.wat").word("90").end();
        outcome.exits(0).prints("2880067194370816120\n");
    }
}
