//! Components: the next run has the code of all core modules, and a component that changes is another component.
#![cfg(feature = "component")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Bed, End, LIBRARY, program, stat, wasmr_run};

/// Calls of exports, each with its argument: one returns, the other traps.
const CALLS: [[&str; 2]; 2] = [["run", "3000"], ["fail", "40"]];

/// Writes a component with the program and its library inside.
fn write_component(bed: &Bed) -> PathBuf {
    let core = |text: &str| text.replacen("(module", "(core module", 1);
    let text = format!(
        r#"(component
        {library}
        (core instance $library (instantiate $library))
        {program}
        (core instance $program (instantiate $program (with "library" (instance $library))))
        (func (export "run") (param "n" s32) (result s64) (canon lift (core func $program "run")))
        (func (export "fail") (param "n" s32) (result s64) (canon lift (core func $program "fail"))))"#,
        library = core(LIBRARY),
        program = core(&program("i32")),
    );
    let path = bed.path().join("component.wasm");
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

/// Runs a component with a cache.
fn end(cache: &Path, options: &[&str], path: &Path, [export, argument]: [&str; 2]) -> End {
    End::of(wasmr_run(cache, options).args(["--invoke", export]).arg(path).arg(argument).output().unwrap())
}

#[test]
fn the_next_run_of_a_component_compiles_nothing() {
    let bed = Bed::new();
    let path = write_component(&bed);
    for call in CALLS {
        let expected = end(Path::new("/dev/null"), &["--mode", "interp"], &path, call);
        assert_eq!(expected.code, Some(if call[0] == "run" { 0 } else { 134 }), "{expected:#?}");
        for turn in 0..3 {
            assert_eq!(end(&bed.cache(), &["--mode", "jit"], &path, call), expected, "turn {turn}");
            bed.settle();
        }
        assert_eq!(bed.entries().len(), 2, "one for each core module");
        let end = end(&bed.cache(), &["--mode", "jit", "--stats=json"], &path, call);
        assert_eq!(["cached_modules", "compiled_functions"].map(|name| stat(&end, name)), [2, 0], "{end:#?}");
        assert!(stat(&end, "loaded_functions") > 0, "{end:#?}");
        bed.settle();
    }
}

/// Returns a component with a core module that executes many functions which are not worth compiling in one run.
fn long_to_learn() -> Vec<u8> {
    let body = "(i32.add (i32.popcnt (local.get 0))) (i32.rotl (local.get 0))\n".repeat(400);
    let functions: String =
        (0..50).map(|number| format!("(func $f{number} (param i32) (result i32) (i32.const 1) {body})\n")).collect();
    let calls: String = (0..50).map(|number| format!("(drop (call $f{number} (i32.const 1)))\n")).collect();
    let text = format!(
        r#"(component
        (core module $idle (func (export "f")))
        (core instance (instantiate $idle))
        (core module $main {functions} (func (export "run") (result i32) (local $i i32)
            (loop $again {calls} (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 200)))) (i32.const 42)))
        (core instance $main (instantiate $main))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn functions_of_a_component_are_compiled_after_the_run() {
    let bed = Bed::new();
    let path = bed.path().join("long.wasm");
    fs::write(&path, long_to_learn()).unwrap();
    let run = |options: &[&str]| {
        let end = End::of(bed.run(options).args(["--stats=json", "--invoke", "run()"]).arg(&path).output().unwrap());
        assert_eq!((end.code, &*end.stdout), (Some(0), "42\n"), "{end:#?}");
        bed.settle();
        end
    };
    let first = run(&[]);
    assert_eq!(["cached_modules", "loaded_functions"].map(|name| stat(&first, name)), [0, 0], "{first:#?}");
    let second = run(&[]);
    let numbers = ["loaded_functions", "compiled_functions", "cached_modules"].map(|name| stat(&second, name));
    assert!(numbers[0] >= 50 && numbers[1..] == [0, 1], "{second:#?}");
    // With other settings, it is another entry.
    assert_eq!(stat(&run(&["--fuel", "1000000000"]), "loaded_functions"), 0);
}

#[test]
fn functions_of_a_plug_are_compiled_after_the_run() {
    let bed = Bed::new();
    let library = bed.path().join("library.wasm");
    fs::write(&library, long_to_learn()).unwrap();
    let program = bed.path().join("program.wasm");
    let text = r#"(component
        (import "run" (func $run (result u32)))
        (core func $run' (canon lower (func $run)))
        (core module $m (import "" "run" (func $run (result i32))) (func (export "twice") (result i32)
            (i32.add (call $run) (call $run))))
        (core instance $m (instantiate $m (with "" (instance (export "run" (func $run'))))))
        (func (export "twice") (result u32) (canon lift (core func $m "twice"))))"#;
    fs::write(&program, wat::parse_str(text).unwrap()).unwrap();
    let run = || {
        let mut command = bed.run(&["--stats=json", "--invoke", "twice()", "--plug"]);
        let end = End::of(command.arg(&library).arg(&program).output().unwrap());
        assert_eq!((end.code, &*end.stdout), (Some(0), "84\n"), "{end:#?}");
        bed.settle();
        end
    };
    assert_eq!(stat(&run(), "loaded_functions"), 0);
    assert!(stat(&run(), "loaded_functions") >= 50);
}

#[test]
fn a_component_that_is_ended_stores_nothing() {
    let bed = Bed::new();
    let path = bed.path().join("endless.wasm");
    let text = r#"(component
        (core module $m (func (export "spin") (loop $again (br $again))))
        (core instance $i (instantiate $m))
        (func (export "spin") (canon lift (core func $i "spin"))))"#;
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let mut command = bed.run(&["--mode", "jit", "--timeout", "300ms", "--invoke", "spin()"]);
    let end = End::of(command.arg(&path).output().unwrap());
    assert_eq!(end.code, Some(124), "{end:#?}");
    bed.settle();
    assert!(bed.entries().is_empty());
}

#[test]
fn a_component_that_changes_in_place_is_another_component() {
    let bed = Bed::new();
    let path = bed.path().join("answer.wasm");
    for turn in 0..12 {
        let text = format!(
            r#"(component
            (core module $m (func (export "answer") (result i32) (i32.const {})))
            (core instance $i (instantiate $m))
            (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#,
            turn % 3
        );
        fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        let end = End::of(bed.run(&["--mode", "jit", "--invoke", "answer()"]).arg(&path).output().unwrap());
        assert_eq!((end.code, end.stdout), (Some(0), format!("{}\n", turn % 3)), "turn {turn}: {}", end.stderr);
        bed.settle();
    }
    assert_eq!(bed.entries().len(), 3);
}
