//! `wasmr inspect`: the contents of a module, as text and as JSON. It executes nothing, so no test depends on the tier.

use crate::golden::compare;
use crate::harness::{Run, Scratch, guest};

/// A module with an item of every kind.
const EVERYTHING: &str = r#"(module $everything
    (@producers (language "C17" "") (processed-by "clang" "17.0.6") (sdk "Emscripten" "3.1"))
    (@custom "notes" "hello\1b[31m")
    (type $pair (struct (field i32) (field (mut i8))))
    (type $binary (func (param i32 i32) (result i32)))
    (import "env" "callback" (func $callback (type $binary)))
    (import "env" "memory" (memory 1 4))
    (import "env" "table" (table 2 funcref))
    (import "env" "base" (global $base i32))
    (import "env" "tag" (tag $error (param i64 f32)))
    (func $small (result i32) (i32.const 1))
    (func $larger (export "run\0aevil\1b[2J") (param v128) (result i32 i64)
        (memory.fill 1 (i64.const 0) (i32.const 0) (i64.const 0))
        (throw $error (i64.const 1) (f32.const 2)))
    (func $init (global.set $counter (i64.const 5)))
    (start $init)
    (memory (export "big") i64 1)
    (table $own 3 10 externref)
    (global $counter (export "counter") (mut i64) (i64.const 0))
    (tag)
    (elem (table 0) (i32.const 0) func $small $larger)
    (data (memory 0) (i32.const 16) "some data")
    (data "and more"))"#;

fn inspect(name: &str, words: &[&str], text: &str) {
    let scratch = Scratch::new();
    scratch.file("module.wat", text);
    let words = [&["inspect"], words].concat();
    let outcome = Run::bare().words(&words).current_dir(scratch.path()).end().quietly();
    compare(name, &words.join(" "), &outcome);
}

#[test]
fn everything_for_people() {
    inspect("inspect_text", &["module.wat"], EVERYTHING);
}

#[test]
fn everything_for_tools() {
    inspect("inspect_json", &["--json", "module.wat"], EVERYTHING);
}

/// A module whose types refer to one another, with and without names.
const OBJECTS: &str = r#"(module
    (rec
        (type $node (sub (struct (field $value i32) (field $next (mut (ref null $node))))))
        (type $leaf (sub final $node (struct (field i32) (field (mut (ref null $node))) (field $bytes (ref $bytes)))))
        (type $bytes (array (mut i8))))
    (type (@name "no identifier") (array (ref null $leaf)))
    (type (func (param (ref 3)) (result (ref $node))))
    (import "env" "root" (global $root (ref null $node)))
    (table $leaves (export "leaves") 1 (ref null $leaf))
    (memory $heap 1)
    (tag $failed (param (ref $bytes)))
    (func (export "first") (type 4) (ref.as_non_null (array.get 3 (local.get 0) (i32.const 0)))))"#;

#[test]
fn objects_for_people() {
    inspect("inspect_objects", &["module.wat"], OBJECTS);
}

#[test]
fn objects_for_tools() {
    inspect("inspect_objects_json", &["module.wat", "--json"], OBJECTS);
}

#[test]
fn nothing() {
    inspect("inspect_empty", &["module.wat"], "(module)");
    inspect("inspect_empty_json", &["module.wat", "--json"], "(module)");
}

#[test]
fn long_lists_are_cut_for_people_only() {
    let globals = "(global (mut i32) (i32.const 0))".repeat(1234);
    let scratch = Scratch::new();
    let module = scratch.file("m.wat", format!("(module {globals})"));
    let text = Run::bare().word("inspect").word(&module).end().exits(0).stdout;
    assert!(text.contains("… 1 214 more; --json lists all\n") && text.lines().count() < 40, "{text}");
    let json = Run::bare().word("inspect").word("--json").word(&module).end().exits(0).stdout;
    assert_eq!(json.matches(r#""type": "(global (mut i32))""#).count(), 1234);
}

#[test]
fn the_largest_functions_come_first() {
    let funcs: String = (0..30).map(|n| format!("(func $f{n} {})", "nop ".repeat(n * 7 % 30))).collect();
    let scratch = Scratch::new();
    let json = Run::bare().words(["inspect", "--json"]).word(scratch.file("m.wat", format!("(module {funcs})"))).end();
    let largest: Vec<usize> = json
        .exits(0)
        .stdout
        .split("\"name\": \"f")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    let mut expected: Vec<usize> = (0..30).collect();
    expected.sort_by_key(|n| std::cmp::Reverse(n * 7 % 30));
    assert_eq!(largest, expected[..10]);
}

#[test]
fn modules_come_from_standard_input_too() {
    let bytes = std::fs::read(guest("hello.wasm")).unwrap();
    let outcome = Run::bare().words(["inspect", "-"]).stdin(bytes).end().exits(0).quietly();
    assert!(outcome.stdout.contains("  required features: bulk-memory, reference-types\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("wasi_snapshot_preview1 fd_write "), "{}", outcome.stdout);
}

#[test]
fn modules_that_wasmr_cannot_run_can_be_inspected() {
    let scratch = Scratch::new();
    let cases = [("(module (memory 1 (pagesize 1)))", "custom-page-sizes", "the feature custom-page-sizes is off")];
    for (text, features, why) in cases {
        let module = scratch.file("m.wat", text);
        Run::bare().word("validate").word(&module).end().exits(1).says(why);
        let run = Run::bare().word("run").word(&module).end().exits(1).says(why);
        Run::bare().words(["explore", "--func", "0"]).word(&module).end().exits(1).says(why);
        let outcome = Run::bare().word("inspect").word(&module).end().exits(0).quietly();
        assert!(outcome.stdout.contains(&format!("  required features: {features}\n")), "{}", outcome.stdout);
        let refusal = outcome.stdout.lines().find(|line| line.starts_with("  cannot be run: "));
        let refusal = refusal.and_then(|line| line.strip_prefix("  cannot be run: ")).unwrap_or_default();
        assert!(refusal.contains(why), "{}", outcome.stdout);
        assert!(run.stderr.contains(refusal), "a run must refuse with `{refusal}`: {}", run.stderr);
        let json = Run::bare().words(["inspect", "--json"]).word(&module).end().exits(0).quietly().stdout;
        assert!(json.contains("\"refusal\": \"") && json.contains(why), "{json}");
    }
}

#[test]
fn other_files_are_errors() {
    let scratch = Scratch::new();
    let bad = scratch.file("bad.wat", "(module (func (result i32)))");
    Run::bare().word("inspect").word(bad).end().exits(1).prints("").says("type mismatch");
    Run::bare().words(["inspect", "no-such-file.wasm"]).end().exits(1).prints("").says("no-such-file.wasm");
    Run::bare().word("inspect").end().exits(2).prints("");
}

/// A component with core modules, an interface, a function and a resource type.
#[cfg(feature = "component")]
const COMPONENT: &str = r#"(component
    (import "test:host/files@1.2.0" (instance $files
        (export "file" (type $file (sub resource)))
        (type $mode (enum "read" "write")) (export "mode" (type $mode' (eq $mode)))
        (export "[constructor]file" (func (param "path" string) (param "mode" $mode') (result (own $file))))
        (export "[method]file.size" (func (param "self" (borrow $file)) (result (result u64 (error string)))))))
    (alias export $files "file" (type $file))
    (import "log" (func $log (param "text" string)))
    (core module $libc
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
    (core module $main
        (import "libc" "memory" (memory 1))
        (func (export "f") (param i32) (result i64 ) (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)) (i64.const 1)))
    (core instance $libc (instantiate $libc))
    (core instance $main (instantiate $main (with "libc" (instance $libc))))
    (func $run (param "x" u32) (result u64) (canon lift (core func $main "f")))
    (instance $run (export "run" (func $run)))
    (export "test:guest/runner" (instance $run)))"#;

#[cfg(feature = "component")]
#[test]
fn a_component_for_people() {
    inspect("inspect_component", &["module.wat"], COMPONENT);
}

#[cfg(feature = "component")]
#[test]
fn a_component_for_tools() {
    inspect("inspect_component_json", &["--json", "module.wat"], COMPONENT);
}

#[cfg(feature = "component")]
#[test]
fn a_component_as_wit() {
    inspect("inspect_component_wit", &["--wit", "module.wat"], COMPONENT);
}

#[test]
fn wit_is_for_components() {
    let scratch = Scratch::new();
    scratch.file("module.wat", "(module)");
    let outcome = Run::bare().words(["inspect", "--wit", "module.wat"]).current_dir(scratch.path()).end();
    compare("inspect_wit_of_module", "inspect --wit module.wat", &outcome);
}
