//! `--preload`: the order in which libraries are instantiated and initialised, and the messages that name a library at fault.

use crate::harness::{Run, Scratch};
use crate::tiers::on_every_tier;

/// A program that exits with the result of `get` of module `lib`.
const ASKS: &str = r#"(module
    (import "lib" "get" (func $get (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (call $get))))"#;

/// Writes `text` to a file and returns the words of `--preload NAME=FILE` for it.
fn preload(scratch: &Scratch, name: &str, text: &str) -> [String; 2] {
    let file = scratch.file(&format!("{name}.wat"), text);
    ["--preload".to_string(), format!("{name}={}", file.display())]
}

/// Returns a library that imports a function from `module`.
fn imports(module: &str) -> String {
    format!(r#"(module (import "{module}" "f" (func $f)) (export "f" (func $f)))"#)
}

on_every_tier! {
    /// After MODULE, `--preload` is an argument of the program. If an import is missing then, the message says so.
    fn a_preload_after_the_program_gets_a_hint(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        let [option, value] = preload(&scratch, "lib", r#"(module (func (export "get") (result i32) (i32.const 7)))"#);
        let hint = format!("hint: --preload {value} goes to the program, because it comes after MODULE: put it before MODULE\n");
        let run = |words: &[&str]| Run::on(tier).word(&program).words(words).end().exits(1).prints("");
        run(&[&option, &value]).says(&hint);
        run(&["x", &format!("--preload={value}")]).says(&hint);
        run(&["--preload", "other=x.wat", &option, &value]).says(&hint);
        let elsewhere = "hint: `lib` is the name of another module: provide its file with --preload lib=FILE\n";
        for words in [&["x", "--", &option, &value][..], &["--preload", "other=x.wat"], &["--preload"], &["--preload", "lib"]] {
            run(words).says(elsewhere);
        }
        // The name `env` otherwise gets a hint about a toolchain, but not if the user gave it.
        let text = ASKS.replace(r#""lib""#, r#""env""#);
        let program = scratch.file("env.wat", text);
        let run = Run::on(tier).word(&program).words(["--preload", "env=lib.wat"]).end().exits(1);
        run.says("`env` `get`: (func (result i32))\n  hint: --preload env=lib.wat goes to the program");
    }

    fn a_library_is_initialised_once_before_anything_else_of_it(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        let text = r#"(module (global $g (mut i32) (i32.const 40))
            (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "get") (result i32) (global.get $g)))"#;
        Run::on(tier).words(preload(&scratch, "lib", text)).word(program).end().exits(41).quietly();
    }

    fn constructors_without_a_start_file_run_too(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (global $g (mut i32) (i32.const 40))
            (func (export "__wasm_call_ctors") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "get") (result i32) (global.get $g)))"#;
        let program = scratch.file("main.wat", ASKS);
        Run::on(tier).words(preload(&scratch, "lib", text)).word(program).end().exits(41).quietly();
        let library = scratch.file("lib.wat", text);
        Run::on(tier).words(["--invoke", "get"]).word(library).end().exits(0).prints("41\n");
        // `_initialize` and `_start` call the constructors themselves.
        for other in ["_initialize", "_start"] {
            let text = text.replacen("(func", &format!("(func (export \"{other}\")) (func"), 1);
            let library = scratch.file("other.wat", text);
            Run::on(tier).words(["--invoke", "get"]).word(library).end().exits(0).prints("40\n");
        }
    }

    fn the_program_of_a_library_does_not_run(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        let text = r#"(module (global $g (mut i32) (i32.const 7))
            (func (export "_start") unreachable) (func (export "get") (result i32) (global.get $g)))"#;
        Run::on(tier).words(preload(&scratch, "lib", text)).word(program).end().exits(7).quietly();
    }

    fn libraries_come_in_order_and_may_use_those_before(tier) {
        let scratch = Scratch::new();
        let a = r#"(module (global $g (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $g (i32.const 3)))
            (func (export "get") (result i32) (global.get $g)))"#;
        let lib = r#"(module (import "a" "get" (func $get (result i32))) (global $g (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $g (i32.mul (call $get) (i32.const 5))))
            (func (export "get") (result i32) (global.get $g)))"#;
        let (a, lib) = (preload(&scratch, "a", a), preload(&scratch, "lib", lib));
        let program = scratch.file("main.wat", ASKS);
        Run::on(tier).words(&a).words(&lib).word(&program).end().exits(15).quietly();
        let swapped = Run::on(tier).words(&lib).words(&a).word(&program).end().exits(1);
        swapped.says("cannot use --preload lib=").says("unknown import `a` `get`").says("hint: `a` comes later: put its --preload before");
        let (x, y, z) = (preload(&scratch, "x", &imports("y")), preload(&scratch, "y", &imports("x")), preload(&scratch, "z", &imports("x")));
        for libraries in [[&x, &y], [&y, &x]] {
            let run = Run::on(tier).words(libraries.into_iter().flatten()).word(&program).end().exits(1).prints("");
            run.says(" import from each other, so no order of --preload works: link them into one module\n");
        }
        // The hint concerns the first library, `z`, for which an order exists: after `x`. Only `x` and `y` import from each
        // other.
        let run = Run::on(tier).words(&z).words(&x).words(&y).word(&program).end().exits(1).prints("");
        run.says("hint: `x` comes later: put its --preload before this one\n");
        let (x, y) = (preload(&scratch, "x", &imports("y")), preload(&scratch, "y", &imports("z")));
        let run = Run::on(tier).words(&y).words(&x).words(&z).word(&program).end().exits(1).prints("");
        run.says("hint: `y`, `z` and `x` import from each other, so no order");
        let itself = preload(&scratch, "a", r#"(module (import "a" "get" (func)))"#);
        let itself = Run::on(tier).words(&itself).word(&program).end().exits(1);
        itself.says("hint: --preload a names this module itself, and a module cannot import from itself");
    }

    fn one_file_makes_two_instances(tier) {
        let scratch = Scratch::new();
        let text = r#"(module (global $g (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "next") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"#;
        let file = scratch.file("lib.wat", text);
        let program = scratch.file("main.wat", r#"(module
            (import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32)))
            (func (export "f") (result i32 i32 i32) (call $a) (call $a) (call $b)))"#);
        let spec = |name| format!("--preload={name}={}", file.display());
        let run = Run::on(tier).words([spec("a"), spec("b")]).words(["--invoke", "f"]).word(&program);
        run.end().exits(0).prints("2\n3\n2\n").quietly();
        let twice = Run::on(tier).words([spec("a"), spec("a")]).words(["--invoke", "f"]).word(&program).end();
        twice.exits(2).prints("").says("error: --preload gives the name `a` to `");
    }

    fn nothing_runs_unless_everything_is_there(tier) {
        let scratch = Scratch::new();
        let says = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\06\00\00\00") (data (i32.const 16) "first\n")
            (func (export "_initialize") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
        let first = preload(&scratch, "first", says);
        let fine = scratch.file("fine.wat", r#"(module (func (export "_start")))"#);
        let lacks = scratch.file("lacks.wat", r#"(module (import "lib" "no" (func)) (func (export "_start")))"#);
        let lib = |text| preload(&scratch, "lib", text);
        let run = |lib: [String; 2], program| Run::on(tier).words(&first).words(lib).word(program).end();
        run(lib("(module)"), &fine).exits(0).prints("first\n").quietly();
        run(lib("(module"), &fine).exits(1).prints("").says("error: cannot use --preload lib=");
        run(lib(r#"(module (import "x" "y" (func)))"#), &fine).exits(1).prints("").says("unknown import `x` `y`");
        run(lib(r#"(module (func (export "_initialize") (param i32)))"#), &fine).exits(1).prints("");
        run(lib("(module)"), &lacks).exits(1).prints("").says("the module of --preload lib has no export of that name");
        run(["--preload".into(), "first=fine.wat".into()], &fine).exits(2).prints("").says("gives the name `first` to `");
        run(["--preload".into(), "=fine.wat".into()], &fine).exits(2).prints("").says("the module has no name");
    }

    /// A library named as WASI's module replaces a function for the program, though an earlier library has imported WASI's
    /// own.
    fn a_library_may_stand_between_a_program_and_wasi(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "late" "get" (func $late (result i32)))
            (func (export "_start") (call $exit (i32.add (call $yield) (call $late)))))"#);
        let before = preload(&scratch, "before", r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (import "late" "get" (func (result i32))))"#);
        let shim = preload(&scratch, "wasi_snapshot_preview1", r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (func (export "sched_yield") (result i32) (i32.add (call $yield) (i32.const 40))))"#);
        let late = preload(&scratch, "late", r#"(module (func (export "get") (result i32) (i32.const 2)))"#);
        for libraries in [[&before, &shim, &late], [&late, &before, &shim], [&shim, &late, &before]] {
            let run = Run::on(tier).words(["-W", "unknown-imports-trap"]).words(libraries.into_iter().flatten());
            run.word(&program).end().exits(42).quietly();
        }
    }

    fn a_library_that_traps_or_exits_is_named(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        let library = |body: &str| format!(r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_initialize") {body})
            (func (export "get") (result i32) (i32.const 1)))"#);
        let run = |body| Run::on(tier).words(preload(&scratch, "lib", &library(body))).word(&program).end();
        let named = "error: the preloaded module `lib` (`";
        run("unreachable").exits(134).prints("").says(named).says("lib.wat`) trapped\n").says("lib.wat!_initialize");
        let exit = " ended the run with exit code 3 before the program started";
        run("(call $exit (i32.const 3))").exits(3).prints("").says(named).says(exit);
        run("(call $exit (i32.const 0))").exits(0).prints("").says(named).says("exit code 0");
        let start = r#"(module (func $s unreachable) (start $s) (func (export "get") (result i32) (i32.const 1)))"#;
        Run::on(tier).words(preload(&scratch, "lib", start)).word(&program).end().exits(134).says(named);
    }

    fn an_initialisation_of_another_type_is_refused_before_anything_runs(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        for export in [
            r#"(func (export "_initialize") (param i32))"#,
            r#"(func (export "_initialize") (result i32) (i32.const 0))"#,
            r#"(global (export "_initialize") i32 (i32.const 0))"#,
        ] {
            let text = format!(r#"(module (func $s unreachable) (start $s) {export} (func (export "get") (result i32) (i32.const 1)))"#);
            let run = Run::on(tier).words(preload(&scratch, "lib", &text)).word(&program).end().exits(1).prints("");
            run.says("error: cannot use --preload lib=").says("exports `_initialize` as (");
            let library = scratch.file("lib.wat", text);
            let run = Run::on(tier).words(["--invoke", "get"]).word(library).end().exits(1).prints("");
            run.says("error: cannot run `lib.wat`\n  `lib.wat` exports `_initialize` as (");
        }
        // With `--invoke _initialize`, the user calls it as any other function.
        let library = scratch.file("lib.wat", r#"(module (func (export "_initialize") (param i32) (result i32) (local.get 0)))"#);
        Run::on(tier).words(["--invoke", "_initialize"]).word(library).word("5").end().exits(0).prints("5\n").quietly();
    }

    fn a_program_with_an_initialisation_gets_it_first(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 9))))
            (func (export "get") (result i32) (global.get $g))
            (func (export "_start") (call $exit (global.get $g))))"#);
        Run::on(tier).word(&program).end().exits(9).quietly();
        Run::on(tier).words(["--invoke", "get"]).word(&program).end().exits(0).prints("9\n").quietly();
        Run::on(tier).words(["--invoke", "_start"]).word(&program).end().exits(9).quietly();
        Run::on(tier).words(["--invoke", "_initialize"]).word(&program).end().exits(0).prints("").quietly();
    }

    /// Each instance writes the text in its own memory, whatever instance calls it.
    fn system_calls_use_the_memory_of_the_instance_that_calls(tier) {
        let scratch = Scratch::new();
        let module = |text: &str, rest: &str| format!(r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            {rest}
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "{text}")
            (func $say (export "say") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#);
        let lib = module("lib.\\n", r#"(start $say) (export "_initialize" (func $say)) (export "write" (func $write))"#);
        let program = module("main\\n", r#"(import "lib" "say" (func $lib)) (import "lib" "write" (func $through (param i32 i32 i32 i32) (result i32)))
            (func (export "_start") (call $lib) (call $say)
                (drop (call $through (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#);
        let program = scratch.file("main.wat", program);
        let run = Run::on(tier).words(preload(&scratch, "lib", &lib)).word(program).end();
        run.exits(0).prints("lib.\nlib.\nlib.\nmain\nmain\n").quietly();
    }

    fn a_library_that_cannot_be_loaded_is_named_with_its_option(tier) {
        let scratch = Scratch::new();
        let program = scratch.file("main.wat", ASKS);
        let missing = Run::on(tier).words(["--preload", "lib=no/such.wat"]).word(&program).end().exits(1).prints("");
        missing.says("error: cannot use --preload lib=no/such.wat\n").says("cannot read `no/such.wat`");
        let broken = Run::on(tier).words(preload(&scratch, "lib", "(module (func")).word(&program).end().exits(1);
        broken.prints("").says("error: cannot use --preload lib=");
    }
}
