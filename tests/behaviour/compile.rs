//! `wasmr compile`, and `wasmr run --allow-precompiled`: which file is written, when it is refused, and what is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::golden::compare;
use crate::harness::{Run, Scratch, WASMR, guest};
use crate::tiers::on_every_tier;

/// Returns `wasmr compile` in a directory, of a copy of a guest that is there.
fn compile(scratch: &Scratch, words: &[&str]) -> Run {
    scratch.file("hello.wasm", fs::read(guest("hello.wasm")).unwrap());
    Run::bare().words(["compile", "hello.wasm"]).words(words).current_dir(scratch.path())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

on_every_tier! {
    fn a_compiled_module_runs(tier) {
        let scratch = Scratch::new();
        compile(&scratch, &[]).end().exits(0).prints("").quietly();
        assert_eq!(names(scratch.path()), ["hello.cwasm", "hello.wasm"]);
        let run = || Run::on(tier).word("--allow-precompiled").current_dir(scratch.path());
        run().word("hello.cwasm").end().exits(0).prints("hello from wasm\n").quietly();
        let bytes = fs::read(scratch.path().join("hello.cwasm")).unwrap();
        run().word("-").stdin(bytes).end().exits(0).prints("hello from wasm\n").quietly();
        run().words(["--max-module-size", "1KiB", "hello.cwasm"]).end().exits(1).says("is too large");
    }

    /// The bytes of a pipe are gone once they were read.
    fn a_compiled_module_may_come_through_a_pipe(tier) {
        let scratch = Scratch::new();
        compile(&scratch, &[]).end().exits(0);
        let mut shell = Run::of("sh").words(["-c", "cat hello.cwasm | \"$@\" /dev/fd/0", "sh", WASMR, "run"]).words(tier.0);
        shell = shell.word("--allow-precompiled").current_dir(scratch.path());
        shell.end().exits(0).prints("hello from wasm\n").quietly();
    }
}

#[test]
fn the_module_is_never_overwritten() {
    let scratch = Scratch::new();
    let before = fs::read(guest("hello.wasm")).unwrap();
    std::os::unix::fs::symlink("hello.wasm", scratch.path().join("link.cwasm")).unwrap();
    for output in ["hello.wasm", "./hello.wasm", "link.cwasm"] {
        let refused = compile(&scratch, &["-o", output]).end().exits(2);
        refused.says("is the module, and the output would replace it");
        assert_eq!(fs::read(scratch.path().join("hello.wasm")).unwrap(), before, "{output}");
    }
}

#[test]
fn a_link_of_the_temporary_name_is_not_followed() {
    let scratch = Scratch::new();
    scratch.file("victim", "untouched");
    compile(&scratch, &[]).end().exits(0);
    // The shell has the number that `exec` leaves to wasmr.
    let script = r#"ln -s victim hello.cwasm.$$.tmp; exec "$@""#;
    let shell = Run::of("sh").words(["-c", script, "sh", WASMR, "compile", "hello.wasm"]);
    shell.current_dir(scratch.path()).end().exits(0).quietly();
    assert_eq!(fs::read(scratch.path().join("victim")).unwrap(), b"untouched");
    assert_eq!(names(scratch.path()), ["hello.cwasm", "hello.wasm", "victim"]);
}

#[test]
fn an_output_that_cannot_be_written_is_named_once() {
    let scratch = Scratch::new();
    compare("compile_full", "compile hello.wasm -o /dev/full", &compile(&scratch, &["-o", "/dev/full"]).end());
    compare("compile_no_folder", "compile hello.wasm -o no/x", &compile(&scratch, &["-o", "no/x"]).end());
    assert_eq!(names(scratch.path()), ["hello.wasm"]);
}

#[test]
fn the_reason_for_which_there_is_no_cache_is_named() {
    let scratch = Scratch::new();
    scratch.file("file", "");
    for (name, words) in [
        ("compile_cache_is_file", &["--into-cache", "--cache-dir", "file"][..]),
        ("compile_profile_without_cache", &["--profile", "--cache-dir", "file/below"]),
        ("compile_cache_is_off", &["--profile", "-C", "cache=n"]),
        ("compile_never_ran", &["--profile", "--cache-dir", "cache"]),
    ] {
        compare(name, &format!("compile hello.wasm {}", words.join(" ")), &compile(&scratch, words).end());
    }
    let homeless = compile(&scratch, &["--into-cache"]);
    let homeless =
        ["WASMR_CACHE_DIR", "XDG_CACHE_HOME", "HOME"].into_iter().fold(homeless, |run, name| run.env(name, ""));
    homeless.end().exits(1).says("there is no home directory: set HOME or WASMR_CACHE_DIR");
}

#[test]
fn a_damaged_file_is_refused_with_one_reason() {
    let scratch = Scratch::new();
    compile(&scratch, &[]).end().exits(0);
    let file = scratch.path().join("hello.cwasm");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..20]).unwrap();
    let run = Run::bare().words(["run", "--allow-precompiled", "hello.cwasm"]).current_dir(scratch.path());
    compare("precompiled_cut", "run --allow-precompiled hello.cwasm", &run.end());
}

#[test]
fn other_commands_say_that_a_file_is_precompiled() {
    let scratch = Scratch::new();
    compile(&scratch, &[]).end().exits(0);
    let run = |words: &[&str]| Run::bare().words(words).word("hello.cwasm").current_dir(scratch.path()).end().exits(1);
    run(&["run"]).says("run it with `wasmr run --allow-precompiled`");
    run(&["validate"]).says("it is a precompiled module");
    run(&["compile", "-o", "x"]).says("it is a precompiled module");
    compare("inspect_precompiled", "inspect hello.cwasm", &run(&["inspect"]));
}

/// Others may write the file, so the cache knows no state that tells of every change; large files that may change are not mapped.
#[test]
fn a_large_precompiled_file_is_not_copied_into_memory() {
    let scratch = Scratch::new();
    let ballast = "x".repeat(32 << 20);
    let text = format!(r#"(module (func (export "_start")) (@custom "ballast" "{ballast}"))"#);
    scratch.file("large.wasm", wat::parse_str(text).unwrap());
    Run::bare().words(["compile", "large.wasm"]).current_dir(scratch.path()).end().exits(0);
    let file = scratch.path().join("large.cwasm");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let cache = scratch.path().join("cache");
    let run = Run::bare().words(["run", "--allow-precompiled", "--stats=json", "--cache-dir"]).word(&cache);
    let outcome = run.word(&file).end().exits(0);
    let peak = outcome.stderr.split("\"peak_memory_bytes\":").nth(1).expect("statistics have the peak");
    let peak: u64 = peak.split([',', '}']).next().unwrap().trim().parse().unwrap();
    assert!(peak < 32 << 20, "{peak} bytes");
}

#[cfg(feature = "component")]
#[test]
fn a_component_is_compiled_only_into_the_cache() {
    let scratch = Scratch::new();
    let text = r#"(component
        (core module $idle (func (export "f") unreachable))
        (core instance (instantiate $idle))
        (core module $m (func (export "answer") (result i32) (i32.const 42)))
        (core instance $m (instantiate $m))
        (func (export "answer") (result u32) (canon lift (core func $m "answer"))))"#;
    scratch.file("answer.wasm", wat::parse_str(text).unwrap());
    let compile =
        |words: &[&str]| Run::bare().word("compile").words(words).word("answer.wasm").current_dir(scratch.path()).end();
    compare("compile_component", "compile answer.wasm", &compile(&[]));
    compile(&["--profile", "--into-cache", "--cache-dir", "cache"]).exits(1).says("no earlier run left a profile");
    compile(&["--into-cache", "--cache-dir", "cache"]).exits(0).prints("").quietly();
    let run = Run::bare().words(["run", "--stats=json", "--cache-dir", "cache", "--invoke", "answer()", "answer.wasm"]);
    run.current_dir(scratch.path())
        .end()
        .exits(0)
        .prints("42\n")
        .says("\"cached_modules\": 2, \"loaded_functions\": 1,");
}
