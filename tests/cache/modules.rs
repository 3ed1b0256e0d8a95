//! Modules that change: between runs, during a run, within the resolution of a clock.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Bed, End, Random, end_with_input};

/// Returns a module of about this many bytes. Its export `run` waits for a byte of input, calls a function that was not called before,
/// and returns its result, `answer`. All modules of a size differ in the number alone.
fn module(answer: u8, size: usize) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\01\00\00\00!")
        (data (i32.const 16) "\0a")
        (func $answer (result i32) (i32.const {answer}))
        (func (export "run") (result i32)
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))
            (call $answer)))"#
    );
    let mut bytes = wat::parse_str(text).unwrap();
    // A custom section fills it up: id, size in five bytes of LEB128, name.
    let padding = size.saturating_sub(bytes.len());
    let len = padding as u32 + 2;
    bytes.push(0);
    bytes.extend((0..5).map(|at| (len >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 }));
    bytes.extend([1, b'x']);
    bytes.extend(std::iter::repeat_n(0, padding));
    bytes
}

/// Time after which a file counts as settled: its hash is kept, and it is mapped.
const SETTLING: Duration = Duration::from_millis(3100);

/// Sizes below and above that from which wasmr maps a module.
const SIZES: [usize; 2] = [1000, 3 << 20];

#[track_caller]
fn returns(bed: &Bed, path: &Path, options: &[&str], answer: u8, context: &str) {
    let mut command = bed.run(options);
    command.args(["--invoke", "run"]).arg(path);
    let end = end_with_input(command, b"x");
    let End { code, ref stdout, .. } = end;
    assert_eq!((code, &**stdout), (Some(0), &*format!("\n{answer}\n")), "{context}: {end:#?}");
}

/// Overwrites a file in place, as `cp` does.
fn overwrite(path: &Path, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_module_that_changes_in_place_is_another_module() {
    let bed = Bed::new();
    for size in SIZES {
        let path = bed.path().join("module.wasm");
        fs::write(&path, module(0, size)).unwrap();
        for turn in 0..20 {
            let answer = turn % 3;
            overwrite(&path, &module(answer, size));
            returns(&bed, &path, &["--mode", "jit"], answer, &format!("turn {turn}, {size} bytes"));
        }
        bed.settle();
    }
}

#[test]
fn a_module_with_an_old_time_is_another_module() {
    let bed = Bed::new();
    for size in SIZES {
        let path = bed.path().join("module.wasm");
        fs::write(&path, module(0, size)).unwrap();
        std::thread::sleep(SETTLING);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        for turn in 0..6 {
            returns(&bed, &path, &["--mode", "jit"], 0, &format!("turn {turn}, {size} bytes"));
            bed.settle();
        }
        overwrite(&path, &module(1, size));
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        returns(&bed, &path, &["--mode", "jit"], 1, &format!("{size} bytes"));
    }
}

/// Runs a module, and calls `change` with its path while it waits for input. That run may have any end.
fn change_during_run(bed: &Bed, path: &Path, options: &[&str], change: impl FnOnce()) {
    let mut command = bed.run(options);
    command.args(["--invoke", "run"]).arg(path);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut byte = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
    change();
    let _ = child.stdin.take().unwrap().write_all(b"x");
    child.wait_with_output().unwrap();
    bed.settle();
}

#[test]
fn a_module_that_changes_during_a_run_leaves_nothing_false() {
    let modes: [&[&str]; 3] = [&["--mode", "jit"], &["--mode", "tiered"], &["--mode", "interp"]];
    // Most of the time the threads wait for files to be settled.
    std::thread::scope(|scope| {
        for options in modes {
            for size in SIZES {
                scope.spawn(move || [false, true].map(|is_settled| check_change(options, size, is_settled)));
            }
        }
    });
}

fn check_change(options: &[&str], size: usize, is_settled: bool) {
    let bed = Bed::new();
    let path = bed.path().join("module.wasm");
    let context = format!("{options:?}, settled: {is_settled}, {size} bytes");
    let [before, after] = [module(1, size), module(2, size)];
    fs::write(&path, &before).unwrap();
    if is_settled {
        std::thread::sleep(SETTLING);
    }
    change_during_run(&bed, &path, options, || overwrite(&path, &after));
    for _ in 0..2 {
        returns(&bed, &path, options, 2, &format!("{context}, the new module"));
        bed.settle();
    }
    overwrite(&path, &before);
    returns(&bed, &path, options, 1, &format!("{context}, the old module"));
}

#[test]
fn an_invalid_module_is_not_taken_for_a_valid_one() {
    for size in SIZES {
        let bed = Bed::new();
        let path = bed.path().join("module.wasm");
        let valid = module(1, size);
        let mut invalid = valid.clone();
        // `i32.const` becomes `i64.const`, which leaves a value of the wrong type.
        let at = valid.windows(3).position(|window| window == [0x41, 1, 0x0b]).unwrap();
        invalid[at] = 0x42;
        fs::write(&path, &valid).unwrap();
        std::thread::sleep(SETTLING);
        change_during_run(&bed, &path, &["--mode", "tiered"], || overwrite(&path, &invalid));
        let mut command = bed.run(&["--mode", "jit"]);
        command.args(["--invoke", "run"]).arg(&path);
        let end = end_with_input(command, b"x");
        assert_eq!(end.code, Some(1), "{size} bytes: {end:#?}");
        assert!(end.stderr.contains("invalid"), "{end:#?}");
    }
}

#[test]
fn a_module_that_is_replaced_or_removed_during_a_run_does_no_harm() {
    let mut random = Random(7);
    for size in SIZES {
        let bed = Bed::new();
        let path = bed.path().join("module.wasm");
        fs::write(&path, module(0, size)).unwrap();
        for turn in 1..8 {
            let new = bed.path().join("new.wasm");
            fs::write(&new, module(turn, size)).unwrap();
            change_during_run(&bed, &path, &["--mode", "jit"], || {
                if random.below(2) == 0 {
                    fs::remove_file(&path).unwrap();
                }
                fs::rename(&new, &path).unwrap();
            });
            returns(&bed, &path, &["--mode", "jit"], turn, &format!("turn {turn}, {size} bytes"));
        }
        bed.settle();
    }
}
