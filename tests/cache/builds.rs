//! Two builds of wasmr that share a cache: neither uses the code of the other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Bed, End, WASMR, stat, wasmr_run_with};

/// Returns the range in an ELF file of the build id, which the linker writes as a note.
fn build_id(file: &[u8]) -> std::ops::Range<usize> {
    let number = |at: usize, len: usize| {
        file[at..at + len].iter().rev().fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    assert!(file.starts_with(b"\x7fELF\x02\x01"), "a little-endian ELF file of 64 bits");
    let (headers, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    for header in (0..count).map(|index| headers + index * size) {
        let is_note = number(header, 4) == 4;
        let (mut at, len) = (number(header + 8, 8), number(header + 32, 8));
        let end = at + len;
        while is_note && at + 12 < end {
            let (owner, len, kind) = (number(at, 4), number(at + 4, 4), number(at + 8, 4));
            let contents = at + 12 + owner.next_multiple_of(4);
            if kind == 3 && file[at + 12..].starts_with(b"GNU\0") {
                return contents..contents + len;
            }
            at = contents + len.next_multiple_of(4);
        }
    }
    panic!("{WASMR} has no build id");
}

/// Writes a copy of the binary after a change of its build id.
fn other_build(bed: &Bed, name: &str, change: impl FnOnce(&mut [u8])) -> PathBuf {
    let mut file = fs::read(WASMR).unwrap();
    let id = build_id(&file);
    change(&mut file[id]);
    let path = bed.path().join(name);
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn builds_in_turn() {
    let bed = Bed::new();
    let guest = bed.guest();
    let other = other_build(&bed, "other", |id| id[id.len() - 1] ^= 1);
    let run = |binary: &Path| {
        guest.check(|| wasmr_run_with(binary, &bed.cache(), &["--mode", "jit"]), &binary.display().to_string());
        bed.settle();
        let mut command = wasmr_run_with(binary, &bed.cache(), &["--mode", "jit", "--stats=json"]);
        guest.start_words(&mut command, &["run", "3000"]);
        End::of(command.output().unwrap())
    };
    for (turn, binary) in [Path::new(WASMR), &other].into_iter().cycle().take(6).enumerate() {
        let end = run(binary);
        assert_eq!((stat(&end, "cached_modules"), stat(&end, "compiled_functions")), (2, 0), "turn {turn}: {end:#?}");
        assert_eq!(bed.entries().len(), if turn == 0 { 2 } else { 4 });
    }
}

#[test]
fn a_precompiled_module_of_another_build_is_refused() {
    let bed = Bed::new();
    let other = other_build(&bed, "other", |id| id[0] ^= 0x80);
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/hello.wasm");
    let compiled = bed.path().join("hello.cwasm");
    let mut compile = std::process::Command::new(&other);
    compile.env("WASMR_CACHE_DIR", bed.cache()).arg("compile").arg(module).arg("-o").arg(&compiled);
    assert!(compile.status().unwrap().success());
    let run = |binary: &Path| {
        let mut command = wasmr_run_with(binary, &bed.cache(), &["--allow-precompiled"]);
        End::of(command.arg(&compiled).output().unwrap())
    };
    assert_eq!(run(&other).stdout, "hello from wasm\n");
    let refused = run(Path::new(WASMR));
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("another build of wasmr"), "{refused:#?}");
}

#[test]
fn a_build_without_an_id_has_no_cache() {
    let bed = Bed::new();
    let guest = bed.guest();
    // The note gets another type.
    let mut file = fs::read(WASMR).unwrap();
    let id = build_id(&file);
    file[id.start - 8] = 0x77;
    let path = bed.path().join("nameless");
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        guest.check(|| wasmr_run_with(&path, &bed.cache(), &["--mode", "jit"]), "without a build id");
        bed.settle();
        assert!(bed.entries().is_empty());
    }
}
