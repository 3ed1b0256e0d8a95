//! The cache's directory: who names it, what is said if it cannot be used, and `wasmr cache`.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wasmr_cache::{Builder, Cache, Content};

use crate::golden::compare;
use crate::harness::{DEADLINE, Run, Scratch, guest};
use crate::tiers::on_every_tier;

/// Returns `wasmr WORDS` in a directory, where the variables name no cache.
fn wasmr(dir: &Path, words: &[&str]) -> Run {
    let unset = ["WASMR_CACHE_DIR", "XDG_CACHE_HOME", "HOME"];
    unset.into_iter().fold(Run::bare().words(words).current_dir(dir), |run, name| run.env(name, ""))
}

#[track_caller]
fn check(name: &str, dir: &Path, words: &[&str]) {
    compare(name, &words.join(" "), &wasmr(dir, words).end());
}

/// Stores two entries in a directory.
fn fill(dir: &Path) {
    let cache = Cache::open(dir).unwrap();
    for number in [1, 2] {
        let mut sections = Builder::new();
        sections.section(*b"some", Cow::Owned(vec![0; 1000]), false);
        assert!(cache.store(&Content::of(&[number]), b"key", None, &sections).unwrap());
    }
}

/// Waits until a run, which may have ended, has stored its entry. Returns the path of the entry.
fn wait_for_entry(dir: &Path) -> PathBuf {
    let begin = Instant::now();
    loop {
        let paths = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
        if let Some(path) = paths.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "wasmr")) {
            return path;
        }
        assert!(begin.elapsed() < DEADLINE, "no entry was stored");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn info_and_clean() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    check("cache_info_missing", dir, &["cache", "info", "--cache-dir", "my cache"]);
    check("cache_clean_missing", dir, &["cache", "clean", "--cache-dir", "my cache"]);
    assert!(!dir.join("my cache").exists(), "to ask for the size makes no directory");
    fill(&dir.join("my cache"));
    check("cache_info", dir, &["cache", "info", "--cache-dir", "my cache"]);
    check("cache_clean", dir, &["cache", "clean", "--cache-dir", "my cache"]);
    assert_eq!(Cache::open(&dir.join("my cache")).unwrap().info().unwrap().entries, 0);
    check("cache_no_directory", dir, &["cache", "info"]);
    fs::write(dir.join("file"), "").unwrap();
    check("cache_is_file", dir, &["cache", "clean", "--cache-dir", "file"]);
    check("cache_no_action", dir, &["cache"]);
}

#[test]
fn the_directory_is_that_of_the_option_the_variable_or_the_home() {
    let scratch = Scratch::new();
    let (dir, home) = (scratch.path(), scratch.dir("home"));
    let (home, xdg) = (home.to_str().unwrap(), scratch.dir("xdg"));
    let shown = |run: Run| {
        let outcome = run.end().exits(0).quietly();
        outcome.stdout.lines().next().unwrap().strip_prefix("directory  ").unwrap().to_owned()
    };
    let run = || wasmr(dir, &["cache", "info"]).env("HOME", home);
    assert_eq!(shown(run()), format!("{home}/.cache/wasmr"));
    let run = || wasmr(dir, &["cache", "info"]).env("HOME", home).env("XDG_CACHE_HOME", xdg.to_str().unwrap());
    assert_eq!(shown(run()), format!("{}/wasmr", xdg.to_str().unwrap()));
    let run = || wasmr(dir, &["cache", "info"]).env("HOME", home).env("WASMR_CACHE_DIR", "of the variable");
    assert_eq!(shown(run()), "of the variable");
    assert_eq!(shown(run().words(["--cache-dir", "of the option"])), "of the option");
}

#[test]
fn an_unusable_directory_is_named_with_its_fault() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let open = scratch.dir("open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    symlink("open", dir.join("link")).unwrap();
    check("cache_writable_by_others", dir, &["cache", "info", "--cache-dir", "open"]);
    check("cache_link", dir, &["cache", "info", "--cache-dir", "link/"]);
}

on_every_tier! {
    fn a_run_makes_its_cache(tier) {
        let scratch = Scratch::new();
        let dir = scratch.path().join("a/b");
        Run::on(tier).word("--cache-dir").word(&dir).guest("hello.wasm").end().exits(0).prints("hello from wasm\n").quietly();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    }

    fn a_damaged_entry_is_as_good_as_none(tier) {
        let scratch = Scratch::new();
        let dir = scratch.path().join("cache");
        let run = || Run::on(tier).word("--cache-dir").word(&dir).guest("mandel.wasm").end().exits(0).quietly().stdout;
        let first = run();
        let entry = wait_for_entry(&dir);
        let bytes = fs::read(&entry).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 4) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&entry, damaged).unwrap();
            assert_eq!(run(), first, "{at}");
        }
    }

    fn a_run_without_a_cache_touches_none(tier) {
        for switch in [&["--no-cache"][..], &["-C", "cache=n"], &["-C", "cache", "--no-cache"]] {
            let scratch = Scratch::new();
            let dir = scratch.path().join("cache");
            let run = Run::on(tier).words(switch).word("--cache-dir").word(&dir).env("WASMR_CACHE_DIR", "also here");
            run.guest("hello.wasm").current_dir(scratch.path()).end().exits(0).quietly();
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{switch:?}");
        }
    }

    fn an_unusable_cache_is_worth_a_warning_only_if_it_was_named(tier) {
        let scratch = Scratch::new();
        scratch.file("file", "");
        let hello = guest("hello.wasm");
        let run = || Run::on(tier).current_dir(scratch.path());
        let named = run().words(["--cache-dir", "file"]).word(&hello).end();
        compare("cache_warning", "run --cache-dir file hello.wasm", &named);
        run().env("WASMR_CACHE_DIR", "file").word(&hello).end().exits(0).prints("hello from wasm\n").quietly();
        let logged = run().env("WASMR_CACHE_DIR", "file").env("WASMR_LOG", "cache").word(&hello).end().exits(0);
        assert_eq!(logged.stderr, "log: no cache: cannot use `file`: it is no directory\n");
        run().words(["--no-cache", "--cache-dir", "file"]).word(&hello).end().exits(0).quietly();
    }
}

#[test]
fn without_a_home_there_is_no_cache() {
    let scratch = Scratch::new();
    let run = wasmr(scratch.path(), &["run"]).env("WASMR_LOG", "cache").guest("hello.wasm").end().exits(0);
    assert_eq!(run.stderr, "log: no cache: there is no home directory: set HOME or WASMR_CACHE_DIR\n");
}

/// Returns a module of more than 1 MiB that prints a line and waits for the end of its input, and a module of the same length that is
/// not valid.
fn valid_and_invalid() -> (Vec<u8>, Vec<u8>) {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\06\00\00\00") (data (i32.const 16) "ready\n")
            (func (export "other") (result i32) (i32.const 0xffffff))
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))
            (@custom "large" "{}"))"#,
        " ".repeat(1 << 20)
    );
    let valid = wat::parse_str(text).unwrap();
    let body = [0x41, 0xff, 0xff, 0xff, 0x07, 0x0b];
    let at = valid.windows(body.len()).position(|window| window == body).unwrap();
    let mut invalid = valid.clone();
    // An `f32.const`, whose operand is as long.
    invalid[at] = 0x43;
    (valid, invalid)
}

#[test]
fn a_module_that_is_overwritten_while_it_runs_does_not_pass_as_valid_later() {
    let (valid, invalid) = valid_and_invalid();
    // A file that was just written may change again without a new time. One that has settled is mapped.
    for age in [Duration::ZERO, Duration::from_millis(3500)] {
        let scratch = Scratch::new();
        let file = scratch.file("module.wasm", &valid);
        let cache = scratch.path().join("cache");
        std::thread::sleep(age);
        let run = || Run::bare().words(["run", "--cache-dir"]).word(&cache).word(&file);
        let mut running = run().start();
        running.wait_for_output("ready\n");
        fs::File::options().write(true).open(&file).unwrap().write_all_at(&invalid, 0).unwrap();
        drop(running.child.stdin.take());
        running.end().exits(0).quietly();
        // The run may store an entry after its end, but not for the new bytes.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(1) && fs::read_dir(&cache).unwrap().count() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        run().end().exits(1).says("type mismatch");
    }
}

#[test]
fn options_of_programs_get_no_note() {
    let run = Run::bare().words(["run", "tests/guests/args_env.wasm", "--no-cache", "--cache-dir", "x"]);
    run.end().exits(0).quietly();
}
