//! Complete messages as users see them, in golden files: the failure, its object, and the next step.

use crate::golden::{check, check_text, compare};
use crate::harness::{Run, Scratch, guest};
use crate::tiers::on_every_tier;

on_every_tier! {
    fn no_start(tier) {
        let text = r#"(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32) (i32.const 0)))"#;
        check_text(tier, "no_start", text, &["guest.wat"]);
    }

    fn no_start_with_invoke_too_late(tier) {
        let text = r#"(module (func (export "add") (param i32 i32) (result i32) (i32.const 0)))"#;
        check_text(tier, "no_start_late", text, &["guest.wat", "--invoke", "add", "1", "2"]);
        check_text(tier, "no_start_late_unknown", text, &["guest.wat", "--invoke=sub"]);
    }

    fn option_too_late(tier) {
        check(tier, "option_too_late", &["args_env.wasm", "--timeout", "1s", "--max-memory=1MiB"]);
    }

    fn invoke_unknown(tier) {
        check(tier, "invoke_unknown", &["--invoke", "fibonacci", "../../examples/fib.wat", "3"]);
    }

    fn invoke_arguments(tier) {
        check(tier, "invoke_arguments", &["--invoke", "fib", "../../examples/fib.wat"]);
        check(tier, "invoke_type", &["--invoke", "fib", "../../examples/fib.wat", "ten"]);
    }

    fn missing_imports(tier) {
        let text = r#"(module
            (import "env" "emscripten_resize_heap" (func (param i32) (result i32)))
            (import "mine" "f" (func (param i64 f32) (result i32 i32)))
            (import "mine" "memory" (memory 1 2))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "no_such_call" (func))
            (func (export "_start")))"#;
        check_text(tier, "missing_imports", text, &["guest.wat"]);
    }

    fn wasm_bindgen(tier) {
        let text = r#"(module (import "wbg" "__wbindgen_throw" (func (param i32 i32))) (func (export "_start")))"#;
        check_text(tier, "wasm_bindgen", text, &["guest.wat"]);
    }

    fn imports_come_before_the_missing_start(tier) {
        let text = r#"(module
            (import "wbg" "__wbindgen_throw" (func (param i32 i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (func (export "greet") (param i32 i32)))"#;
        check_text(tier, "wasm_bindgen_no_start", text, &["guest.wat"]);
        let text = r#"(module (import "gojs" "runtime.wasmExit" (func (param i32))) (func (export "run") (param i32 i32)))"#;
        check_text(tier, "go_js", text, &["--invoke", "main", "guest.wat"]);
    }

    fn imports_of_a_library(tier) {
        let text = r#"(module (import "lib" "f" (func)) (import "my lib" "g" (func)) (import "lib" "m" (memory 1)) (func (export "run")))"#;
        check_text(tier, "library_import", text, &["guest.wat"]);
        check_text(tier, "library_import_invoke", text, &["--invoke", "run", "guest.wat"]);
        let scratch = Scratch::new();
        scratch.file("guest.wat", text);
        scratch.file("lib.wat", r#"(module (func (export "other")))"#);
        let words = ["--preload", "lib=lib.wat", "guest.wat"];
        let outcome = Run::on(tier).words(words).current_dir(scratch.path()).end();
        compare("library_lacks_import", &format!("run {}", words.join(" ")), &outcome);
    }

    fn invalid_module_on_several_lines(tier) {
        let text = "(module\n  (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32)))\n  (func $fine)\n  \
                    (func $broken (param i32) (result i64)\n    (i64.add\n      (i64.const 1)\n      (local.get 0))))\n";
        check_text(tier, "invalid_module_lines", text, &["guest.wat"]);
        let text = "(module\n  (func (export \"_start\") (result i32)\n    nop)\n)\n";
        check_text(tier, "invalid_module_end", text, &["guest.wat"]);
    }

    fn truncated_file(tier) {
        let scratch = Scratch::new();
        let whole = std::fs::read(guest("hello.wasm")).unwrap();
        scratch.file("part.wasm", &whole[..whole.len() / 2]);
        let outcome = Run::on(tier).word("part.wasm").current_dir(scratch.path()).end();
        compare("truncated", "run part.wasm", &outcome);
    }

    fn own_stack_used_up(tier) {
        // A recursion as compilers translate it, with a frame in linear memory for each call, each below the one before.
        let text = r#"(module (memory 1) (global $sp (mut i32) (i32.const 65536))
            (func $walk (param i32) (result i32)
                (global.set $sp (i32.sub (global.get $sp) (i32.const 32)))
                (i32.store (global.get $sp) (local.get 0))
                (i32.add (call $walk (i32.add (local.get 0) (i32.const 1))) (i32.load (global.get $sp))))
            (func (export "_start") (drop (call $walk (i32.const 0)))))"#;
        check_text(tier, "own_stack", text, &["guest.wat"]);
    }

    fn exception_with_arguments(tier) {
        let text = r#"(module (tag (export "my error") (param i32 f64 externref)) (tag $other (param i64)) (tag (param v128 f32))
            (func (export "_start") (throw 0 (i32.const -1) (f64.const 0x1.8p0) (ref.null extern)))
            (func (export "other") (throw $other (i64.const 7)))
            (func (export "unnamed") (throw 2 (v128.const i32x4 1 2 3 4) (f32.const nan))))"#;
        check_text(tier, "exception_arguments", text, &["guest.wat"]);
        check_text(tier, "exception_named", text, &["--invoke", "other", "guest.wat"]);
        check_text(tier, "exception_unnamed", text, &["--invoke", "unnamed", "guest.wat"]);
    }

    fn exception_through_frames(tier) {
        // A handler for something else, a clause that throws the exception again, and a function small enough to be inlined.
        let text = r#"(module (tag $thrown (param i32)) (tag $other)
            (func $throw (param i32) (throw $thrown (local.get 0)))
            (func $again (param i32)
                (block $all (result exnref)
                    (try_table (catch $other 1) (catch_all_ref $all) (call $throw (local.get 0)))
                    (unreachable))
                (throw_ref))
            (func (export "_start") (block $other (try_table (catch $other $other) (call $again (i32.const 3))))))"#;
        check_text(tier, "exception_frames", text, &["guest.wat"]);
    }

    fn exception_at_instantiation(tier) {
        let library = r#"(module (tag $fatal (export "t") (param i64))
            (func (export "throw") (throw $fatal (i64.const 5)))
            (func $start (param i32)) (func $begin (if (i32.const 0) (then (throw $fatal (i64.const 6))))) (start $begin))"#;
        let guest = r#"(module (import "lib" "throw" (func $throw)) (start $throw) (func (export "_start")))"#;
        let scratch = Scratch::new();
        scratch.file("guest.wat", guest);
        scratch.file("lib.wat", library);
        let words = ["--preload", "lib=lib.wat", "guest.wat"];
        let outcome = Run::on(tier).words(words).current_dir(scratch.path()).end();
        compare("exception_start", &format!("run {}", words.join(" ")), &outcome);
        scratch.file("lib.wat", library.replace("(i32.const 0)", "(i32.const 1)"));
        let outcome = Run::on(tier).words(words).current_dir(scratch.path()).end();
        compare("exception_library", &format!("run {}", words.join(" ")), &outcome);
    }

    fn legacy_exceptions(tier) {
        let text = "(module (tag $e (param i32))\n  (func (export \"run\") (param i32) (result i32)\n    try (result i32)\n      \
                    local.get 0 throw $e\n    catch $e\n      i32.const 1 i32.add\n    end))\n";
        check_text(tier, "legacy_off", text, &["--invoke", "run", "guest.wat", "6"]);
        check_text(tier, "legacy_on", text, &["-W", "legacy-exceptions", "--invoke", "run", "guest.wat", "6"]);
    }

    fn unknown_log_topic(tier) {
        let outcome = Run::on(tier).env("WASMR_LOG", "bogus").word("hello.wasm");
        let guests = guest("hello.wasm").parent().unwrap().to_path_buf();
        compare("unknown_log_topic", "run hello.wasm", &outcome.current_dir(&guests).end());
    }

    fn directories_in_other_spellings(tier) {
        let scratch = Scratch::new();
        scratch.dir("app");
        scratch.file("guest.wat", "(module (func (export \"_start\")))");
        scratch.file("file.txt", "");
        for (name, spec) in [
            ("dir_one_colon", "app:/work"),
            ("dir_one_colon_reversed", "/no-such-directory:app"),
            ("dir_one_colon_marker", "app::/work:ro"),
            ("dir_marker_in_capitals", "app::/work::RO"),
            ("dir_named_as_a_marker", "ro::app"),
            ("dir_three_colons", "app:::/work"),
            ("dir_trailing_colon", "app:"),
            ("dir_empty_guest", "app::"),
            ("dir_guest_tilde", "app::~/work"),
            ("dir_guest_dotdot", "app::../work"),
            ("dir_reversed", "/no-such-directory::app::ro"),
            ("dir_tilde", "~/app::/work"),
            ("dir_is_file", "file.txt"),
        ] {
            let run = Run::on(tier).env("HOME", ".").words(["--dir", spec, "guest.wat"]).current_dir(scratch.path());
            compare(name, &format!("run --dir {spec} guest.wat"), &run.end());
        }
    }

    fn directories_that_hide_others(tier) {
        check(tier, "dir_hidden", &["--dir", "..::/", "--dir", ".", "hello.wasm"]);
        check(tier, "dir_same_name", &["--dir", ".::/x", "--dir", "..::/x::ro", "hello.wasm"]);
    }

    fn grants_of_the_network(tier) {
        for (name, value) in [
            ("net_no_address", "8080"),
            ("net_name", "example.com:443"),
            ("net_no_brackets", "connect:::1"),
            ("net_ports", "listen:127.0.0.1:http"),
            ("net_prefix", "10.1.2.3/8:80"),
        ] {
            check(tier, name, &["--net", value, "hello.wasm"]);
        }
    }

    fn keys_of_others(tier) {
        let accepted = [
            "-C", "compiler=cranelift", "-O", "opt-level=2", "-S", "cli,common=y,http=n", "-D", "debug-info=n,address-map", "-W", "component-model=n",
        ];
        Run::on(tier).words(accepted).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
        let run = Run::on(tier).env("FROM_HOST", "yes").words(["-S", "inherit-env=y"]).guest("args_env.wasm").end();
        assert!(run.exits(0).stdout.contains("env: FROM_HOST=yes\n"));
        for (name, letter, key) in [
            ("key_cache_config", "-C", "cache-config=x"),
            ("key_opt_level", "-O", "opt-level=0"),
            ("key_max_memories", "-W", "max-memories=1"),
            ("key_no_cli", "-S", "cli=n"),
            ("key_coredump", "-D", "coredump=x"),
            ("key_near", "-W", "max-memory=1MiB"),
        ] {
            check(tier, name, &[letter, key, "hello.wasm"]);
        }
    }

    fn invalid_module(tier) {
        let text = "(module (func $fine) (func $broken (param i32) (result i64) local.get 0) (func (export \"_start\")))";
        check_text(tier, "invalid_module", text, &["guest.wat"]);
    }

    fn text_that_does_not_parse(tier) {
        check_text(tier, "text_old_name", "(module (func (export \"_start\") (drop (i32.wrap/i64 (get_local 0)))))", &["guest.wat"]);
        check_text(tier, "text_legacy_try", "(module (tag $e)\n  (func (export \"_start\")\n    (try (do (throw $e)) (catch $e))))", &["guest.wat"]);
        check_text(tier, "text_error", "(module\n  (func (export \"_start\")\n    i32.cosnt 1\n    drop))\n", &["guest.wat"]);
    }

    fn not_a_module(tier) {
        check(tier, "not_a_module", &["hello.c"]);
    }

    fn missing_file(tier) {
        check(tier, "missing_file", &["no-such-file.wasm"]);
    }

    fn missing_directory(tier) {
        check(tier, "missing_directory", &["--dir", "no-such-directory::/data::ro", "hello.wasm"]);
    }

    fn feature_off(tier) {
        let text = "(module (func (export \"_start\") (drop (i8x16.splat (i32.const 1)))))";
        check_text(tier, "feature_off", text, &["-W", "simd=n", "guest.wat"]);
    }

    fn memory_limit(tier) {
        check(tier, "memory_limit", &["--max-memory", "1MiB", "hello.wasm"]);
    }

    fn table_limit(tier) {
        let text = "(module (table 100 funcref) (func (export \"_start\")))";
        check_text(tier, "table_limit", text, &["--max-table-elements", "99", "guest.wat"]);
    }

    fn instance_limit(tier) {
        check(tier, "instance_limit", &["--max-instances", "1", "--preload", "lib=hello.wasm", "hello.wasm"]);
    }

    fn descriptor_limit(tier) {
        check(tier, "descriptor_limit", &["--max-fds", "4", "--dir=.", "--dir=..", "hello.wasm"]);
    }

    fn module_size_limit(tier) {
        check(tier, "module_size_limit", &["--max-module-size", "1KiB", "hello.wasm"]);
    }

    fn unknown_key(tier) {
        check(tier, "unknown_key", &["-W", "speed=9", "hello.wasm"]);
    }

    fn data_segment_outside(tier) {
        let text = "(module (memory 1) (data (i32.const 65530) \"too long\") (func (export \"_start\")))";
        check_text(tier, "data_segment_outside", text, &["guest.wat"]);
    }

    fn a_component_is_named_as_such(tier) {
        let scratch = Scratch::new();
        scratch.file("component.wasm", b"\0asm\x0d\0\x01\0");
        let outcome = Run::on(tier).word("component.wasm").current_dir(scratch.path()).end();
        compare("component", "run component.wasm", &outcome);
    }
}

#[test]
fn options_and_commands_of_others() {
    let guests = guest("hello.wasm").parent().unwrap().to_path_buf();
    for (name, words) in [
        ("option_volume", &["run", "--volume", ".:/", "hello.wasm"][..]),
        ("option_mapdir", &["run", "--mapdir=/::.", "hello.wasm"]),
        ("option_mount", &["run", "-mount", ".:/", "hello.wasm"]),
        ("option_v", &["run", "-v", ".:/", "hello.wasm"]),
        ("option_v_value", &["run", "-v=.:/x:ro", "hello.wasm"]),
        ("option_debug", &["run", "-g", "hello.wasm"]),
        ("option_profile", &["--profile=guest", "hello.wasm"]),
        ("option_target", &["run", "--target", "x86_64", "hello.wasm"]),
        ("option_near", &["run", "--max-memroy", "1MiB", "hello.wasm"]),
        ("option_unknown", &["inspect", "--bogus", "hello.wasm"]),
        ("option_listen_port", &["run", "--listen", "8080", "hello.wasm"]),
        ("option_listen_name", &["run", "--listen=localhost:0", "hello.wasm"]),
        ("command_completion", &["completion"]),
        ("command_near", &["inspct", "hello.wasm"]),
        ("command_unknown", &["frobnicate"]),
        ("wast_binary", &["wast", "hello.wasm"]),
    ] {
        compare(name, &words.join(" "), &Run::bare().words(words).current_dir(&guests).end());
    }
}

#[test]
fn help_and_version_are_commands_too() {
    let printed = |words: &[&str]| Run::bare().words(words).end().exits(0).quietly().stdout;
    assert_eq!(printed(&["help"]), printed(&["--help"]));
    assert_eq!(printed(&["help", "run"]), printed(&["run", "--help"]));
    assert_eq!(printed(&["help", "inspect"]), printed(&["inspect", "--help"]));
    assert_eq!(printed(&["version"]), printed(&["--version"]));
    compare("help_unknown", "help nosuch", &Run::bare().words(["help", "nosuch"]).end());
}

#[test]
fn help() {
    for (name, words) in [
        ("help", &["--help"][..]),
        ("help_run", &["run", "--help"]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_cache", &["cache", "--help"]),
        ("help_completions", &["completions", "--help"]),
        ("help_keys", &["run", "-W", "help", "m.wasm"]),
        ("help_wasi_keys", &["run", "-S", "help"]),
        ("help_debug_keys", &["run", "-D", "help"]),
    ] {
        compare(name, &words.join(" "), &Run::bare().words(words).end());
    }
}

#[test]
fn a_message_shows_few_of_many_imports() {
    let scratch = Scratch::new();
    let imports: String = (0..40).map(|index| format!("(import \"h\" \"f{index}\" (func))")).collect();
    let file = scratch.file("many.wat", format!("(module {imports} (func (export \"_start\")))"));
    for options in [&["run"][..], &["run", "--preload", "other=examples/fib.wat"]] {
        let outcome = Run::bare().words(options).word(&file).end().exits(1).prints("");
        let outcome = outcome.says("unknown import `h` `f9`: (func)\n").says("and 30 more imports\n  hint: ");
        assert!(!outcome.stderr.contains("`f10`"), "{}", outcome.stderr);
    }
}
