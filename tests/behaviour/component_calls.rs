//! `--invoke` calls functions of components: names, arguments in WAVE and as words, results, and what is said about mistakes.

use crate::harness::{Outcome, Run, Scratch};
use crate::tiers::on_every_tier;

const LIBRARY: &str = r#"(component
  (core module $code
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))
      (local.get $at))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
    (func (export "same") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "area") (param f64 f64) (result f64) (f64.mul (local.get 0) (local.get 1)))
    (func (export "kind") (param i32) (result i32) (local.get 0))
    (func (export "maybe") (param i32 i32) (result i32)
      (i32.store8 (i32.const 32) (local.get 0))
      (i32.store (i32.const 36) (local.get 1))
      (i32.const 32))
    (func (export "nothing"))
    (func (export "trap") unreachable))
  (core instance $code (instantiate $code))
  (type $size' (record (field "width" f64) (field "height" f64)))
  (export $size "size" (type $size'))
  (type $kind' (enum "none" "some-kind" "other"))
  (export $kind "kind-type" (type $kind'))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $code "add")))
  (func $sub (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $code "sub")))
  (func $echo (param "text" string) (result string)
    (canon lift (core func $code "same") (memory (core memory $code "memory")) (realloc (core func $code "realloc"))))
  (func $bytes (param "data" (list u8)) (result (list u8))
    (canon lift (core func $code "same") (memory (core memory $code "memory")) (realloc (core func $code "realloc"))))
  (func $area (param "of" $size) (result f64) (canon lift (core func $code "area")))
  (func $kind-of (param "of" $kind) (result $kind) (canon lift (core func $code "kind")))
  (func $maybe (param "number" (option u32)) (result (option u32))
    (canon lift (core func $code "maybe") (memory (core memory $code "memory"))))
  (func $nothing (canon lift (core func $code "nothing")))
  (func $trap (canon lift (core func $code "trap")))
  (instance $basic (export "add" (func $add)) (export "sub" (func $sub)))
  (instance $more (export "sub" (func $sub)))
  (export "echo" (func $echo))
  (export "bytes" (func $bytes))
  (export "area" (func $area))
  (export "kind" (func $kind-of))
  (export "maybe" (func $maybe))
  (export "nothing" (func $nothing))
  (export "trap" (func $trap))
  (export "acme:math/basic@1.2.0" (instance $basic))
  (export "acme:math/more@1.2.0" (instance $more)))"#;

#[track_caller]
fn invoke(run: Run, call: &str, args: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    let file = scratch.file("library.wat", LIBRARY);
    run.words(["--invoke", call]).word(file).words(args).end()
}

#[track_caller]
fn refuses(code: i32, call: &str, args: &[&str], words: &[&str]) {
    let mut outcome = invoke(Run::bare().word("run"), call, args).exits(code).prints("");
    for word in words {
        outcome = outcome.says(word);
    }
}

on_every_tier! {
    fn arguments_stand_in_parentheses_or_are_words(tier) {
        for (call, args, printed) in [
            ("echo(\"a b\")", &[][..], "\"a b\"\n"),
            ("echo", &["a b"], "\"a b\"\n"),
            ("echo", &["\"a b\""], "\"a b\"\n"),
            ("echo", &[""], "\"\"\n"),
            ("bytes([1, 2, 0xff])", &[], "[1, 2, 255]\n"),
            ("bytes", &["[]"], "[]\n"),
            ("area({height: 2, width: 1.5})", &[], "3\n"),
            ("area", &["{width: 2.5, height: 1}"], "2.5\n"),
            ("kind(%none)", &[], "%none\n"),
            ("kind", &["some-kind"], "some-kind\n"),
            ("maybe(7)", &[], "some(7)\n"),
            ("maybe()", &[], "none\n"),
            ("maybe", &[], "none\n"),
            ("maybe", &["none"], "none\n"),
            ("nothing()", &[], ""),
            ("nothing", &[], ""),
            ("add", &["2", "3"], "5\n"),
        ] {
            invoke(Run::on(tier), call, args).exits(0).prints(printed).quietly();
        }
    }

    fn functions_of_interfaces_have_long_and_short_names(tier) {
        for name in [
            "acme:math/basic@1.2.0#sub", "acme:math/basic@1.0.0#sub", "acme:math/basic#sub", "basic#sub", "acme:math/more#sub",
        ] {
            invoke(Run::on(tier), name, &["2", "3"]).exits(0).prints("-1\n").quietly();
            invoke(Run::on(tier), &format!("{name}(2, 3)"), &[]).exits(0).prints("-1\n").quietly();
        }
    }

    fn a_trap_has_the_exit_code_of_traps(tier) {
        invoke(Run::on(tier), "trap", &[]).exits(134).prints("").says("unreachable");
    }
}

#[test]
fn a_function_that_is_missing_is_answered_with_those_that_there_are() {
    refuses(
        1,
        "ecko",
        &[],
        &[
            "exports no function `ecko` for --invoke",
            "did you mean `echo`?",
            "acme:math/basic@1.2.0#add: func(a: u32, b: u32) -> u32",
        ],
    );
    refuses(1, "acme:math/basic@2.0.0#add", &[], &["exports no function"]);
    refuses(
        1,
        "sub",
        &["1", "2"],
        &["is the name of several functions", "acme:math/basic@1.2.0#sub", "acme:math/more@1.2.0#sub"],
    );
}

#[test]
fn wrong_arguments_show_the_signature() {
    let add = "signature: func(a: u32, b: u32) -> u32";
    refuses(2, "add", &["1"], &["expected 2 arguments, got 1", add]);
    refuses(2, "add", &["1", "2", "3"], &["expected 2 arguments, got 3", add]);
    refuses(2, "add(1)", &[], &["expected 2 arguments, got 1", add]);
    refuses(2, "add(1, 2, 3)", &[], &["expected 2 arguments, got more", add]);
    refuses(2, "add(1, 2)", &["3"], &["`3` after the file is one too many", add]);
    refuses(2, "add", &["1", "x"], &["argument 2 `b` is `x`: expected an integer of type u32, found `x`", add]);
    refuses(
        2,
        "add(1, -2)",
        &[],
        &["argument 2 `b`: -2 is out of the range of u32 (at `-2)`, character 5 of the arguments)", add],
    );
    refuses(2, "add(1, 2", &[], &["expected `,` or `)`, found the end", add]);
    refuses(2, "add(1, 2) x", &[], &["expected nothing after the arguments, found `x`", add]);
    refuses(
        2,
        "area({width: 1, height: x})",
        &[],
        &[
            "argument 1 `of.height`: expected a number",
            "signature: func(of: record { width: f64, height: f64 }) -> f64",
        ],
    );
    refuses(2, "echo(bob)", &[], &["expected a string in double quotes, found `bob`"]);
}

#[test]
fn a_library_without_a_call_says_what_to_type() {
    let scratch = Scratch::new();
    let file = scratch.file("library.wat", LIBRARY);
    let outcome = Run::bare().word("run").word(&file).end().exits(1);
    outcome.says("is a library: it exports no `wasi:cli/run`").says("wasmr run --invoke echo").says("TEXT");
    let late = Run::bare().word("run").word(&file).words(["--invoke", "add"]).end().exits(1);
    late.says("--invoke after the file goes to the program; put it before");
}
