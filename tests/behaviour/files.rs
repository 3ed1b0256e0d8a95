//! Granted directories: a guest works with the files in them, and cannot reach files outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Run, Scratch, WASMR};
use crate::tiers::on_every_tier;

/// Returns the names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the lines in which `tree.wasm` reports its attempts to read files outside.
fn escapes(stdout: &str) -> Vec<&str> {
    stdout
        .lines()
        .filter(|line| ["read ../escape.txt", "read /etc/passwd", "read out"].iter().any(|p| line.starts_with(p)))
        .collect()
}

/// Returns a guest that makes a file and exits with the error number of `call`. Local 0 is the file's descriptor.
fn grows_a_file(call: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_allocate" (func $allocate (param i32 i64 i64) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\04\00\00\00") (data (i32.const 16) "file")
        (func (export "_start") (local i32)
            (drop (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1)
                (i64.const 0x1fffffff) (i64.const 0) (i32.const 0) (i32.const 32)))
            (local.set 0 (i32.load (i32.const 32)))
            (call $exit {call})))"#
    )
}

on_every_tier! {
    /// If wasmr did not ignore `SIGXFSZ`, the system would kill the process.
    fn a_file_beyond_the_limit_of_the_process_is_an_error(tier) {
        for call in [
            "(call $pwrite (local.get 0) (i32.const 0) (i32.const 1) (i64.const 1000000) (i32.const 32))",
            "(call $allocate (local.get 0) (i64.const 0) (i64.const 1000000))",
            "(call $set_size (local.get 0) (i64.const 1000000))",
        ] {
            let scratch = Scratch::new();
            let module = scratch.file("m.wat", grows_a_file(call));
            let script = r#"ulimit -f 16; exec "$0" run "$@""#;
            let run = Run::of("sh").words(["-c", script, WASMR]).tier(tier).dir(scratch.path(), "/").word(module);
            // FBIG is 22.
            run.end().exits(22).quietly();
        }
    }

    fn a_tree_is_edited_as_on_a_host(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        let expected = include_str!("../programs/c_tree.expected");
        Run::on(tier).dir(&dir, "/w").guest("tree.wasm").word("/w").end().exits(0).prints(expected).quietly();
        assert!(names(&dir).is_empty(), "the program cleans up: {:?}", names(&dir));
    }

    fn a_directory_keeps_its_name_unless_given_another(tier) {
        let scratch = Scratch::new();
        scratch.dir("d");
        let run = Run::on(tier).words(["--dir", "d"]).guest("tree.wasm").word("d").current_dir(scratch.path());
        assert!(run.end().exits(0).stdout.starts_with("mkdir t: ok\n"));
        let run = Run::on(tier).words(["--dir=."]).guest("tree.wasm").word("d").current_dir(scratch.path());
        assert!(run.end().exits(0).stdout.starts_with("mkdir t: ok\n"));
        assert!(names(&scratch.path().join("d")).is_empty());
    }

    fn nothing_outside_is_reached(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        scratch.file("escape.txt", "secret");
        symlink("../escape.txt", dir.join("link-out")).unwrap();
        symlink("/etc", dir.join("etc")).unwrap();
        // By paths of the program itself, which gets the directory as its current one.
        let outcome = Run::on(tier).dir(&dir, ".").guest("tree.wasm").end().exits(0);
        let tried = escapes(&outcome.stdout);
        assert_eq!(tried.len(), 3, "{}", outcome.stdout);
        assert!(tried.iter().all(|line| !line.contains('"')), "{tried:#?}");
        // Through links that were made on the host.
        for path in ["/w/link-out", "/w/etc/passwd", "/w/../escape.txt", "/w/./../escape.txt", "/etc/passwd", "/w/etc/../../escape.txt"] {
            let run = Run::on(tier).dir(&dir, "/w").word("--").guest("../../examples/wordcount.wasm").words([path, "/w/out"]);
            run.end().exits(1).prints("").says("cannot read");
        }
        // A link that leads outside does not permit writing either.
        symlink("../made", dir.join("new-out")).unwrap();
        scratch.file("d/in.txt", "word");
        let run = Run::on(tier).dir(&dir, "/w").word("--").guest("../../examples/wordcount.wasm").words(["/w/in.txt", "/w/new-out"]);
        run.end().exits(1).prints("").says("cannot write");
        assert_eq!(names(scratch.path()), ["d", "escape.txt"]);
        assert_eq!(fs::read_to_string(scratch.path().join("escape.txt")).unwrap(), "secret");
    }

    fn without_a_grant_there_are_no_files(tier) {
        let run = Run::on(tier).guest("../../examples/wordcount.wasm").words(["/etc/passwd", "out"]);
        run.end().exits(1).prints("").says("cannot read /etc/passwd");
    }

    fn read_only_refuses_every_change(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        scratch.file("d/in.txt", "one two two");
        fs::create_dir(dir.join("sub")).unwrap();
        let outcome = Run::on(tier).dir(&dir, "/w::ro").guest("tree.wasm").word("/w").end().exits(0);
        let changed = outcome.stdout.lines().filter(|line| line.ends_with(": ok") || line.contains(" bytes"));
        assert_eq!(changed.collect::<Vec<_>>(), Vec::<&str>::new());
        Run::on(tier).dir(&dir, "/w::ro").guest("fileio.wasm").word("/w").end();
        let run = Run::on(tier).dir(&dir, "/w::ro").guest("../../examples/wordcount.wasm").words(["/w/in.txt", "/w/out.txt"]);
        run.end().exits(1).prints("").says("cannot write /w/out.txt");
        let run = Run::on(tier).dir(&dir, "/w::ro").guest("../../examples/wordcount.wasm").words(["/w/in.txt", "/w/in.txt"]);
        run.end().exits(1).prints("").says("cannot write /w/in.txt");
        assert_eq!(names(&dir), ["in.txt", "sub"]);
        assert_eq!(fs::read_to_string(dir.join("in.txt")).unwrap(), "one two two");
    }

    fn one_directory_to_read_and_one_to_write(tier) {
        let scratch = Scratch::new();
        let (from, to) = (scratch.dir("from"), scratch.dir("to"));
        fs::write(from.join("in.txt"), "b a b").unwrap();
        let run = Run::on(tier).dir(&from, "/from::ro").dir(&to, "/to").guest("../../examples/wordcount.wasm");
        let outcome = run.words(["/from/in.txt", "/to/out.txt"]).end().exits(0).quietly();
        assert_eq!(outcome.stdout, "3 words, 2 different, written to /to/out.txt\n");
        assert_eq!(fs::read_to_string(to.join("out.txt")).unwrap(), "     2 b\n     1 a\n");
    }

    fn paths_begin_in_a_single_directory_whatever_its_name(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        scratch.file("d/in.txt", "b a b");
        scratch.file("secret", "a");
        let run = |guest: &str, words: [&str; 2]| {
            Run::on(tier).dir(&dir, guest).guest("../../examples/wordcount.wasm").words(words).end()
        };
        run("/w", ["in.txt", "out.txt"]).exits(0).prints("3 words, 2 different, written to out.txt\n").quietly();
        assert_eq!(fs::read_to_string(dir.join("out.txt")).unwrap(), "     2 b\n     1 a\n");
        run("/srv/data", ["./out.txt", "/srv/data/out2.txt"]).exits(0).quietly();
        run("/w::ro", ["in.txt", "no.txt"]).exits(1).says("cannot write no.txt");
        run("/w", ["../secret", "no.txt"]).exits(1).says("cannot read ../secret");
        run("/w", ["nosuch", "no.txt"]).exits(1).says("cannot read nosuch");
        assert_eq!(names(&dir), ["in.txt", "out.txt", "out2.txt"]);
        // A relative path that starts with the guest path's name leads to the directory, not to its entry of that name.
        let warning = "warning: relative paths that start with `d` lead to the guest path `";
        scratch.dir("d/d");
        scratch.file("d/d/in.txt", "a");
        run("d", ["d/in.txt", "out3.txt"]).exits(0).prints("3 words, 2 different, written to out3.txt\n").says(warning);
        run("/d/e::ro", ["d/in.txt", "no.txt"]).exits(1).says(warning).says("::/::ro\n");
        run("/w", ["d/in.txt", "out4.txt"]).exits(0).prints("1 words, 1 different, written to out4.txt\n").quietly();
        run("/", ["d/in.txt", "out4.txt"]).exits(0).prints("1 words, 1 different, written to out4.txt\n").quietly();
        // With two directories, a relative path is ambiguous and leads to neither.
        let run = Run::on(tier).dir(&dir, "/w").dir(&dir, "/v").guest("../../examples/wordcount.wasm");
        run.words(["in.txt", "no.txt"]).end().exits(1).says("cannot read in.txt");
    }

    fn absolute_links_lead_into_granted_directories(tier) {
        let scratch = Scratch::new();
        let (one, two) = (scratch.dir("one"), scratch.dir("two"));
        fs::write(two.join("in.txt"), "b a b").unwrap();
        // Links that hold a guest path, and the directory's path on the host.
        symlink("/two/in.txt", one.join("guest")).unwrap();
        symlink(one.join("real.txt"), one.join("host")).unwrap();
        fs::write(one.join("real.txt"), "a").unwrap();
        symlink("/etc/passwd", one.join("outside")).unwrap();
        let run = |name: &str| {
            let run = Run::on(tier).dir(&one, "/one").dir(&two, "/two::ro").guest("../../examples/wordcount.wasm");
            run.words([&format!("/one/{name}"), "/one/out.txt"]).end()
        };
        assert!(run("guest").exits(0).stdout.starts_with("3 words"));
        assert!(run("host").exits(0).stdout.starts_with("1 words"));
        run("outside").exits(1).prints("").says("cannot read");
        // The directory into which a link leads decides whether writing is permitted.
        symlink("/two/in.txt", one.join("read-only")).unwrap();
        let run = Run::on(tier).dir(&one, "/one").dir(&two, "/two::ro").guest("../../examples/wordcount.wasm");
        run.words(["/one/real.txt", "/one/read-only"]).end().exits(1).says("cannot write /one/read-only");
        assert_eq!(fs::read_to_string(two.join("in.txt")).unwrap(), "b a b");
    }

    fn opening_a_fifo_waits_for_its_other_end(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        let fifo = dir.join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let wordcount = |words: [&str; 2]| {
            Run::on(tier).dir(&dir, "/w").words(["--timeout", "100s"]).guest("../../examples/wordcount.wasm").words(words).start()
        };
        let late = Duration::from_millis(150);
        let reading = wordcount(["/w/fifo", "/w/out.txt"]);
        std::thread::sleep(late);
        fs::write(&fifo, "b a b").unwrap();
        reading.end().exits(0).prints("3 words, 2 different, written to /w/out.txt\n").quietly();
        let writing = wordcount(["/w/out.txt", "/w/fifo"]);
        std::thread::sleep(late);
        assert_eq!(fs::read_to_string(&fifo).unwrap(), "     1 a\n     1 b\n");
        assert_eq!(writing.end().exits(0).stderr, "");
        // No other process opens the FIFO.
        for words in [["/w/fifo", "/w/out.txt"], ["/w/out.txt", "/w/fifo"]] {
            let run = Run::on(tier).dir(&dir, "/w").words(["--timeout", "200ms"]).guest("../../examples/wordcount.wasm");
            run.words(words).end().exits(124).says("timeout");
        }
    }

    fn a_file_is_read_and_written_in_every_way(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("d");
        let outcome = Run::on(tier).dir(&dir, "/w").guest("fileio.wasm").word("/w").end();
        crate::golden::compare("fileio", "run --dir DIR::/w fileio.wasm /w", &outcome);
        assert!(names(&dir).is_empty());
    }

    fn a_rust_program_uses_files(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("w");
        let expected = include_str!("../programs/rust_hello.expected");
        let run = Run::on(tier).dir(&dir, "/w").words(["--env", "GREETING=hey"]).guest("rust_hello.wasm").word("/w");
        run.end().exits(0).prints(expected).quietly();
        assert!(names(&dir).is_empty());
    }

    fn a_directory_that_cannot_be_granted_names_everything(tier) {
        let scratch = Scratch::new();
        let file = scratch.file("file", "");
        for host in [scratch.path().join("absent"), file] {
            let outcome = Run::on(tier).dir(&host, "/data").guest("hello.wasm").end().exits(1).prints("");
            for part in ["--dir", host.to_str().unwrap(), "/data"] {
                assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
            }
        }
    }

    fn names_beyond_ascii_and_spaces(tier) {
        let scratch = Scratch::new();
        let dir = scratch.dir("gänge und wége 日本");
        fs::write(dir.join("ein gabe.txt"), "x").unwrap();
        let run = Run::on(tier).dir(&dir, "/ü").guest("../../examples/wordcount.wasm").words(["/ü/ein gabe.txt", "/ü/aus ✓"]);
        run.end().exits(0).quietly();
        assert_eq!(fs::read_to_string(dir.join("aus ✓")).unwrap(), "     1 x\n");
    }
}
