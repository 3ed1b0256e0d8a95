//! One cache for runs with all kinds of settings, in turn: what one run left is used by another only if it is right there.

use std::process::Command;

use crate::support::{Bed, Guest, wasmr_after, wasmr_run, write_guest};

/// Options that change code, validation or the way to execute. Each must not see the others' code, or must be right with it.
const OPTIONS: [&[&str]; 13] = [
    &["--mode", "jit"],
    &["--mode", "jit", "--fuel", "1000000000"],
    &["--mode", "interp"],
    &["--mode", "tiered", "-O", "tier-up-after=0"],
    &["--mode", "jit", "-C", "spectre-guards=n"],
    &["--mode", "tiered", "--fuel", "1000000000", "-O", "tier-up-after=0"],
    &["--mode", "jit", "-W", "simd=n,relaxed-simd=n"],
    &["--mode", "tiered"],
    &["--mode", "jit", "-W", "gc=n"],
    &["--mode", "interp", "-O", "baseline-after=0"],
    &["--mode", "jit", "--max-memory", "1MiB", "--max-stack", "64KiB"],
    &["--mode", "tiered", "-O", "tier-up-after=0,dual-entry-from=1"],
    &["--mode", "jit", "-O", "max-compiled-size=60"],
];

fn in_turn(bed: &Bed, guests: &[&Guest]) {
    for turn in 0..2 {
        for options in OPTIONS {
            for guest in guests {
                guest.check(|| bed.run(options), &format!("turn {turn}, {options:?}"));
            }
            // With little address space there is no guard-paged memory.
            let little = || wasmr_after("ulimit -v 1000000", &bed.cache(), options);
            guests[0].check(little, &format!("turn {turn}, {options:?}, little address space"));
        }
        bed.settle();
    }
}

#[test]
fn settings_in_turn() {
    let bed = Bed::new();
    let (narrow, wide) = (bed.guest(), write_guest(bed.path(), "i64"));
    in_turn(&bed, &[&narrow, &wide]);
}

#[test]
fn modules_in_another_order_have_other_numbers_of_types() {
    let bed = Bed::new();
    let guest = bed.guest();
    let others = Guest { program: bed.path().join("types.wasm"), library: guest.library.clone() };
    // The types of this module come first, so that the library's types have other numbers.
    let types: String = (0..20).map(|number| format!("(type (func (param {})))", "i32 ".repeat(number + 1))).collect();
    let text = format!(
        "(module {types} (import \"library\" \"mix\" (func $mix (param i64 i64) (result i64)))
        (func (export \"run\") (param i32) (result i64) (call $mix (i64.const 1) (i64.const 2))))"
    );
    std::fs::write(&others.program, wat::parse_str(text).unwrap()).unwrap();
    let other = |cache: &std::path::Path| -> String {
        let mut command = wasmr_run(cache, &["--mode", "jit"]);
        others.start_words(&mut command, &["run", "1"]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let expected = other(std::path::Path::new("/dev/null"));
    assert!(expected.len() > 2);
    for turn in 0..4 {
        guest.check(|| bed.run(&["--mode", "jit"]), &format!("turn {turn}"));
        bed.settle();
        assert_eq!(other(&bed.cache()), expected, "turn {turn}");
        bed.settle();
        let mut alone: Command = bed.run(&["--mode", "jit", "--invoke", "mix"]);
        let end = crate::support::End::of(alone.arg(&guest.library).args(["1", "2"]).output().unwrap());
        assert_eq!(end.stdout, expected, "turn {turn}: {end:#?}");
        bed.settle();
    }
}

#[test]
fn a_copy_with_another_name_has_its_own_name_in_backtraces() {
    let bed = Bed::new();
    let module = wat::parse_str("(module (func $inner unreachable) (func (export \"run\") (call $inner)))").unwrap();
    for name in ["first.wasm", "second.wasm", "first.wasm"] {
        let path = bed.path().join(name);
        std::fs::write(&path, &module).unwrap();
        let mut command = bed.run(&["--mode", "jit", "--invoke", "run"]);
        let end = crate::support::End::of(command.arg(&path).output().unwrap());
        let mut plain = wasmr_run(std::path::Path::new("/dev/null"), &["--mode", "interp", "--invoke", "run"]);
        assert_eq!(end, crate::support::End::of(plain.arg(&path).output().unwrap()));
        assert!(end.stderr.contains(name) && end.stderr.contains("inner"), "{end:#?}");
        bed.settle();
    }
}

#[test]
fn loops_with_entries_of_their_own() {
    let text = r#"(module
        (func $both (param $n i32) (result i64) (local $i i32) (local $x i64)
            (loop $first
                (local.set $x (i64.add (i64.rotl (local.get $x) (i64.const 3)) (i64.extend_i32_u (local.get $i))))
                (br_if $first (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
            (loop $second
                (local.set $x (i64.xor (i64.rotl (local.get $x) (i64.const 5)) (i64.extend_i32_u (local.get $i))))
                (br_if $second (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (local.get $x))
        (func (export "run") (param $n i32) (result i64)
            (i64.sub (call $both (local.get $n)) (i64.rotl (call $both (i32.const 9)) (i64.const 20)))))"#;
    let module = wat::parse_str(text).unwrap();
    for keys in [
        "tier-up-after=0",
        "tier-up-after=0,dual-entry-from=1",
        "tier-up-after=1,sample-every=50,dual-entry-from=1,tier-up-delay=0s",
    ] {
        let bed = Bed::new();
        let path = bed.path().join("loops.wasm");
        std::fs::write(&path, &module).unwrap();
        let run = |mut command: Command| {
            crate::support::End::of(command.args(["--invoke", "run"]).arg(&path).arg("3000").output().unwrap())
        };
        let expected = run(wasmr_run(std::path::Path::new("/dev/null"), &["--mode", "interp"]));
        assert_eq!(expected.code, Some(0), "{expected:#?}");
        for turn in 0..4 {
            assert_eq!(run(bed.run(&["-O", keys])), expected, "{keys}, turn {turn}");
            bed.settle();
        }
    }
}

#[test]
fn loops_of_a_function_that_is_called_by_interpreted_code() {
    // The caller is too large to be compiled. The function is so small that interpreted callers interpret it too.
    let large = "(drop (i32.const 1))".repeat(100_000);
    let text = format!(
        r#"(module
        (func $small (param $n i32) (result i32) (local $i i32)
            (loop $first (br_if $first (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 3))) (local.get $n))))
            (loop $second (br_if $second (i32.gt_u (local.tee $i (i32.sub (local.get $i) (i32.const 2))) (i32.const 100))))
            (local.get $i))
        (func (export "run") (param $n i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 5)) (call $small (i32.add (local.get $n) (i32.const 30000)))))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
            {large} (i32.const 0)))"#
    );
    let bed = Bed::new();
    let path = bed.path().join("small.wasm");
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let run = |mut command: Command| {
        crate::support::End::of(command.args(["--invoke", "run"]).arg(&path).arg("200").output().unwrap())
    };
    let expected = run(wasmr_run(std::path::Path::new("/dev/null"), &["--mode", "interp"]));
    assert_eq!(expected.code, Some(0), "{expected:#?}");
    for keys in ["tier-up-after=0,dual-entry-from=1", "tier-up-after=2", "tier-up-after=1", "tier-up-after=2"] {
        assert_eq!(run(bed.run(&["-O", keys])), expected, "{keys}");
        bed.settle();
    }
}
