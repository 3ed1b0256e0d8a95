//! `--plug` composes components: plugs provide imports by name and type, share what they import from WASI, and fail with their names.
//! `inspect --plug` shows what a run would do.

use std::path::Path;

use crate::golden::compare;
use crate::harness::{Outcome, Run, Scratch, WASMR};
use crate::tiers::{Tier, on_every_tier};

/// A library that calls the plug: `f(n)` makes a shape of `n` sides and returns twice their number.
const MAIN: &str = r#"(component
  (import "acme:shapes/shapes@1.0.0" (instance $shapes
    (export "shape" (type $shape (sub resource)))
    (export "[constructor]shape" (func (param "sides" u32) (result (own $shape))))
    (export "[method]shape.sides" (func (param "self" (borrow $shape)) (result u32)))
    (export "twice" (func (param "n" u32) (result u32)))))
  (alias export $shapes "shape" (type $shape))
  (core func $new (canon lower (func $shapes "[constructor]shape")))
  (core func $sides (canon lower (func $shapes "[method]shape.sides")))
  (core func $twice (canon lower (func $shapes "twice")))
  (core func $drop (canon resource.drop $shape))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "sides" (func $sides (param i32) (result i32)))
    (import "" "twice" (func $twice (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "f") (param i32) (result i32) (local $shape i32)
      (local.set $shape (call $new (local.get 0)))
      (call $twice (call $sides (local.get $shape)))
      (call $drop (local.get $shape))))
  (core instance $main (instantiate $main (with "" (instance
    (export "new" (func $new)) (export "sides" (func $sides)) (export "twice" (func $twice)) (export "drop" (func $drop))))))
  (func (export "f") (param "n" u32) (result u32) (canon lift (core func $main "f"))))"#;

/// A plug with a resource type. `twice` calls another plug; the destructor traps for shapes without sides.
const SHAPES: &str = r#"(component
  (import "acme:math/double@0.3.1" (instance $math (export "double" (func (param "n" u32) (result u32)))))
  (core func $double (canon lower (func $math "double")))
  (core module $main
    (import "" "double" (func $double (param i32) (result i32)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func $drop (export "drop") (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "twice") (param i32) (result i32) (call $double (local.get 0))))
  (core instance $main (instantiate $main (with "" (instance (export "double" (func $double))))))
  (type $shape (resource (rep i32) (dtor (core func $main "drop"))))
  (core func $own (canon resource.new $shape))
  (core module $new (import "" "own" (func $own (param i32) (result i32)))
    (func (export "new") (param i32) (result i32) (call $own (local.get 0))))
  (core instance $new (instantiate $new (with "" (instance (export "own" (func $own))))))
  (func $shape-new (param "sides" u32) (result (own $shape)) (canon lift (core func $new "new")))
  (func $shape-sides (param "self" (borrow $shape)) (result u32) (canon lift (core func $main "same")))
  (func $twice (param "n" u32) (result u32) (canon lift (core func $main "twice")))
  (component $interface
    (import "shape" (type $shape (sub resource)))
    (import "new" (func $new (param "sides" u32) (result (own $shape))))
    (import "sides" (func $sides (param "self" (borrow $shape)) (result u32)))
    (import "twice" (func $twice (param "n" u32) (result u32)))
    (export $out "shape" (type $shape))
    (export "[constructor]shape" (func $new) (func (param "sides" u32) (result (own $out))))
    (export "[method]shape.sides" (func $sides) (func (param "self" (borrow $out)) (result u32)))
    (export "twice" (func $twice)))
  (instance $out (instantiate $interface (with "shape" (type $shape)) (with "new" (func $shape-new))
    (with "sides" (func $shape-sides)) (with "twice" (func $twice))))
  (export "acme:shapes/shapes@1.2.0" (instance $out)))"#;

const MATH: &str = r#"(component
  (core module $main (func (export "double") (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 13)) (then unreachable))
    (i32.mul (local.get 0) (i32.const 2))))
  (core instance $main (instantiate $main))
  (func $double (param "n" u32) (result u32) (canon lift (core func $main "double")))
  (instance $out (export "double" (func $double)))
  (export "acme:math/double@0.3.1" (instance $out)))"#;

/// A program that passes its standard output to a plug, which writes to it. The two name different versions of WASI.
const WRITER: &str = r#"(component
  (import "wasi:io/streams@0.2.0" (instance $streams (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $own (eq $outer)))
    (export "get-stdout" (func (result (own $own))))))
  (import "acme:greeting/greet" (instance $greet
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $to (eq $outer)))
    (export "greet" (func (param "to" (borrow $to)) (param "name" string)))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 16) "plug"))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $greet (canon lower (func $greet "greet") (memory (core memory $memory "memory"))))
  (core module $main
    (import "" "get" (func $get (result i32)))
    (import "" "greet" (func $greet (param i32 i32 i32)))
    (func (export "run") (result i32) (call $greet (call $get) (i32.const 16) (i32.const 4)) (i32.const 0)))
  (core instance $main (instantiate $main (with "" (instance (export "get" (func $get)) (export "greet" (func $greet))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $program (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $program)))"#;

const GREETER: &str = r#"(component
  (import "wasi:io/error@0.2.4" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.4" (instance $streams
    (alias outer 1 $error (type $outer))
    (export "error" (type $own-error (eq $outer)))
    (export "output-stream" (type $output (sub resource)))
    (type $failure (variant (case "last-operation-failed" (own $own-error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output))
  (core module $memory (memory (export "memory") 1) (data (i32.const 16) "hello, ")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 23)))
  (core instance $memory (instantiate $memory))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory "memory"))))
  (core func $drop (canon resource.drop $output))
  (core module $main
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "greet") (param i32 i32 i32)
      (call $write (local.get 0) (i32.const 16) (i32.add (i32.const 7) (local.get 2)) (i32.const 512))
      (call $drop (local.get 0))))
  (core instance $main (instantiate $main (with "" (instance (export "write" (func $write)) (export "drop" (func $drop))))))
  (func $greet (param "to" (borrow $output)) (param "name" string)
    (canon lift (core func $main "greet") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (component $interface
    (import "output-stream" (type $output (sub resource)))
    (import "greet" (func $greet (param "to" (borrow $output)) (param "name" string)))
    (export "output-stream" (type $output))
    (export "greet" (func $greet)))
  (instance $out (instantiate $interface (with "output-stream" (type $output)) (with "greet" (func $greet))))
  (export "acme:greeting/greet" (instance $out)))"#;

/// Returns a directory with the components.
fn files() -> Scratch {
    let scratch = Scratch::new();
    for (name, text) in [("main", MAIN), ("shapes", SHAPES), ("math", MATH), ("writer", WRITER), ("greeter", GREETER)] {
        scratch.file(&format!("{name}.wat"), text);
    }
    scratch.file("module.wat", "(module)");
    scratch
}

/// Runs words in a directory.
fn run(tier: Tier, dir: &Path, words: &str) -> Outcome {
    Run::on(tier).words(words.split(' ')).current_dir(dir).end()
}

on_every_tier! {
    fn plugs_are_composed_by_name_and_type(tier) {
        let files = files();
        for plugs in ["--plug shapes.wat --plug math.wat", "--plug math.wat --plug shapes.wat"] {
            run(tier, files.path(), &format!("{plugs} --invoke f(21) main.wat")).exits(0).prints("42\n").quietly();
        }
        run(tier, files.path(), "--plug math.wat --plug shapes.wat --invoke f main.wat 7").exits(0).prints("14\n");
    }

    fn parts_share_the_streams_of_the_host(tier) {
        let files = files();
        run(tier, files.path(), "--plug greeter.wat writer.wat").exits(0).prints("hello, plug").quietly();
    }

    fn a_trap_in_a_plug_names_its_module(tier) {
        let files = files();
        let outcome = run(tier, files.path(), "--plug shapes.wat --plug math.wat --invoke f(13) main.wat").exits(134);
        compare("plug_trap", "run --plug shapes.wat --plug math.wat --invoke f(13) main.wat", &outcome);
        // The destructor of a plug's resource type runs.
        let outcome = run(tier, files.path(), "--plug shapes.wat --plug math.wat --invoke f(0) main.wat").exits(134);
        outcome.says("shapes.wat:main!drop");
    }

    fn limits_count_all_parts(tier) {
        let files = files();
        let words = "--max-instances 3 --plug shapes.wat --plug math.wat --invoke f(1) main.wat";
        run(tier, files.path(), words).exits(1).says("only 3 instances allowed (--max-instances)");
        run(tier, files.path(), "--max-instances 4 --plug shapes.wat --plug math.wat --invoke f(1) main.wat").exits(0);
        // Each part has a memory of one page.
        run(tier, files.path(), "--max-memory 128KiB --plug greeter.wat writer.wat").exits(0).prints("hello, plug");
        run(tier, files.path(), "--max-memory 64KiB --plug greeter.wat writer.wat").exits(1).says("(--max-memory)");
        run(tier, files.path(), "--fuel 20 --plug shapes.wat --plug math.wat --invoke f(1) main.wat")
            .exits(134)
            .says("all fuel consumed");
        run(tier, files.path(), "--fuel 200 --plug shapes.wat --plug math.wat --invoke f(1) main.wat").exits(0);
    }
}

/// Runs the command in the directory of the components, and compares its end with a golden file.
fn golden(name: &str, words: &str) {
    let files = files();
    let outcome = Run::of(WASMR).env("WASMR_CACHE_DIR", "").words(words.split(' ')).current_dir(files.path()).end();
    compare(name, words, &outcome);
}

#[test]
fn what_does_not_fit_is_listed() {
    golden("plug_missing", "run --plug shapes.wat --invoke f(1) main.wat");
    golden("plug_unused", "run --plug math.wat --invoke f(1) main.wat");
    golden("plug_module", "run --plug module.wat --invoke f(1) main.wat");
    golden("plug_of_module", "run --plug math.wat module.wat");
    golden("plug_lost", "run --plug none.wat --invoke f(1) main.wat");
    golden("plug_standard_input", "run --plug - -");
    let files = files();
    let other = SHAPES.replace(r#"(param "n" u32) (result u32)"#, r#"(param "m" u32) (result u32)"#);
    files.file("shapes.wat", other.replace(r#"(export "acme:math"#, r#"(export "acme:maths"#));
    let words = "run --plug shapes.wat --plug math.wat --invoke f(1) main.wat";
    let outcome = Run::bare().words(words.split(' ')).current_dir(files.path()).end();
    compare("plug_types", words, &outcome);
}

#[test]
fn a_plug_that_is_no_wasm_file_is_no_core_module() {
    let files = files();
    for (content, what) in [("", "the file is empty"), ("#!/bin/sh\n", "it is a script")] {
        files.file("math.wat", content);
        let words = "run --plug shapes.wat --plug math.wat --invoke f(1) main.wat";
        Run::bare().words(words.split(' ')).current_dir(files.path()).end().exits(1).says(what);
    }
}

#[test]
fn comments_of_both_kinds_may_stand_before_the_first_word() {
    let files = files();
    for before in [";; (module)\n(", "(; (module) (; nested ;) ;) (", "(;;)(;;)\n( (; ;) ;; line\n "] {
        files.file("math.wat", MATH.replacen('(', before, 1));
        files.file("main.wat", MAIN.replacen('(', before, 1));
        let words = "run --plug shapes.wat --plug math.wat --invoke f(21) main.wat";
        Run::bare().words(words.split(' ')).current_dir(files.path()).end().exits(0).prints("42\n");
        // The end within a comment is a fault of the text, not a component.
        files.file("main.wat", &before[..before.len() - 1]);
        Run::bare().words(["validate", "main.wat"]).current_dir(files.path()).end().exits(1);
    }
}

#[test]
fn inspect_names_the_plug_that_cannot_be_loaded() {
    let files = files();
    files.file("broken.wat", "(component (core");
    let words = "inspect --plug broken.wat main.wat";
    let outcome = Run::bare().words(words.split(' ')).current_dir(files.path()).end();
    outcome.exits(1).says("cannot load `broken.wat`");
}

#[test]
fn inspect_shows_what_a_run_would_do() {
    golden("inspect_plug", "inspect --plug shapes.wat --plug math.wat main.wat");
    golden("inspect_plug_lacking", "inspect --plug shapes.wat main.wat");
    golden("inspect_plug_json", "inspect --json --plug shapes.wat main.wat");
    golden("inspect_plug_wit", "inspect --wit --plug greeter.wat writer.wat");
    golden("inspect_plug_module", "inspect --plug math.wat module.wat");
}
