//! Places that cannot be written, or from which code cannot be mapped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::support::{Bed, End, Guest, files, settle, stat, wasmr_after, wasmr_run};

/// A file system in memory, which only root can make.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(path: &'a Path, flags: MountFlags, options: &std::ffi::CStr) -> Option<Mounted<'a>> {
        fs::create_dir_all(path).unwrap();
        mount("none", path, "tmpfs", flags, options).ok().map(|()| Mounted(path))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}

/// Checks runs of which none can store anything.
fn check_unwritable(cache: &Path, guest: &Guest, what: &str) {
    let before = files(cache, "wasmr");
    for mode in ["jit", "tiered"] {
        for _ in 0..2 {
            guest.check(|| wasmr_run(cache, &["--mode", mode]), what);
        }
    }
    settle(cache);
    assert_eq!(files(cache, "wasmr"), before, "{what}");
    assert!(files(cache, "tmp").is_empty(), "{what}");
}

#[test]
fn a_limit_on_the_size_of_files() {
    let bed = Bed::new();
    let guest = bed.guest();
    // Of 512 bytes. The signal has its default action in the one case, and is ignored in the other.
    for script in ["ulimit -f 1", "trap '' XFSZ && ulimit -f 1"] {
        for _ in 0..2 {
            guest.check(|| wasmr_after(script, &bed.cache(), &["--mode", "jit"]), script);
        }
        bed.settle();
        assert!(bed.entries().is_empty() && files(&bed.cache(), "tmp").is_empty(), "{script}");
    }
    guest.check(|| bed.run(&["--mode", "jit"]), "without the limit");
    bed.settle();
    let entries = bed.entries();
    assert_eq!(entries.len(), 2);
    // An entry that cannot be replaced stays.
    guest
        .check(|| wasmr_after("ulimit -f 1", &bed.cache(), &["--mode", "jit", "--fuel", "1000000000"]), "with entries");
    bed.settle();
    assert_eq!(bed.entries(), entries);
}

#[test]
fn a_full_disk() {
    let bed = Bed::new();
    let guest = bed.guest();
    let dir = bed.path().join("small");
    // `a_limit_on_the_size_of_files` fails writes without a privilege.
    let Some(mounted) = Mounted::new(&dir, MountFlags::empty(), c"size=64k,mode=700") else { return };
    assert!(fs::write(dir.join("filler"), vec![1; 1 << 20]).is_err());
    check_unwritable(&dir, &guest, "a full disk");
    drop(mounted);
    let Some(_mounted) = Mounted::new(&dir, MountFlags::empty(), c"size=40k,mode=700") else { return };
    for turn in 0..4 {
        guest.check(|| wasmr_run(&dir, &["--mode", "jit"]), &format!("an almost full disk, turn {turn}"));
        settle(&dir);
    }
    assert!(files(&dir, "tmp").is_empty());
}

#[test]
fn directories_that_cannot_be_written() {
    let bed = Bed::new();
    let guest = bed.guest();
    guest.check(|| bed.run(&["--mode", "jit"]), "to have entries");
    bed.settle();
    let dir = bed.path().join("read-only");
    if let Some(_mounted) = Mounted::new(&dir, MountFlags::empty(), c"size=4m,mode=700") {
        for entry in bed.entries() {
            fs::copy(&entry, dir.join(entry.file_name().unwrap())).unwrap();
        }
        mount_remount(&dir, MountFlags::RDONLY, c"").unwrap();
        check_unwritable(&dir, &guest, "a file system that is read-only");
    }
    // Root can write there nevertheless, and others cannot.
    fs::set_permissions(bed.cache(), fs::Permissions::from_mode(0o500)).unwrap();
    guest.check(|| bed.run(&["--mode", "jit"]), "a directory without the permission to write");
    bed.settle();
    // Not the null device, which CI names as the cache of all its processes: the wait for processes of that cache would not end.
    for missing in ["/proc/no/such", "/dev/zero", "/dev/null/below", ""] {
        check_unwritable(Path::new(missing), &guest, missing);
    }
}

#[test]
fn code_is_copied_from_where_it_cannot_be_mapped() {
    let bed = Bed::new();
    let dir = bed.path().join("noexec");
    let Some(_mounted) = Mounted::new(&dir, MountFlags::NOEXEC, c"size=16m,mode=700") else { return };
    let module = bed.path().join("large.wasm");
    fs::write(&module, large_code()).unwrap();
    let plain = wasmr_run(Path::new("/dev/zero"), &["--mode", "interp", "--invoke", "run"]).arg(&module).output();
    let expected = End::of(plain.unwrap()).stdout;
    let run = || {
        let mut command = wasmr_run(&dir, &["--mode", "jit", "--stats=json", "--invoke", "run"]);
        let end = End::of(command.arg(&module).output().unwrap());
        settle(&dir);
        assert_eq!((end.code, &end.stdout), (Some(0), &expected), "{end:#?}");
        end
    };
    assert_eq!(stat(&run(), "loaded_functions"), 0);
    let second = run();
    assert!(stat(&second, "loaded_code_bytes") > 64 << 10, "{second:#?}");
    assert_eq!(stat(&second, "compiled_functions"), 0, "{second:#?}");
}

/// Returns a module with so much code that it is mapped as a rule.
fn large_code() -> Vec<u8> {
    let body = "(local.tee 0) (i32.popcnt) (i32.add (local.get 0)) (i32.rotl (local.get 0))\n".repeat(400);
    let functions: String = (0..60)
        .map(|number| format!("(func $f{number} (param i32) (result i32) (i32.const {number}) {body})\n"))
        .collect();
    let calls: String = (0..60).map(|number| format!("(i32.add (call $f{number} (i32.const 77)))\n")).collect();
    let text = format!("(module {functions} (func (export \"run\") (result i32) (i32.const 0) {calls}))");
    wat::parse_str(text).unwrap()
}

#[test]
fn homes_that_cannot_have_a_cache() {
    let bed = Bed::new();
    let guest = bed.guest();
    let no_home = bed.path().join("missing");
    let file = bed.path().join("file");
    fs::write(&file, "").unwrap();
    let of_others = bed.path().join("open");
    fs::create_dir_all(of_others.join(".cache/wasmr")).unwrap();
    fs::set_permissions(of_others.join(".cache/wasmr"), fs::Permissions::from_mode(0o777)).unwrap();
    for home in [Path::new("/proc"), Path::new("/dev/zero"), &file, &of_others, Path::new(""), Path::new("relative")] {
        let run = || {
            let mut command = bed.run(&["--mode", "jit"]);
            command.env_remove("WASMR_CACHE_DIR").env_remove("XDG_CACHE_HOME").env("HOME", home);
            command
        };
        guest.check(run, &format!("home {home:?}"));
    }
    assert!(fs::read_dir(of_others.join(".cache/wasmr")).unwrap().next().is_none());
    // Without a home there is none to make.
    let mut command = bed.run(&["--mode", "jit"]);
    command.env_remove("WASMR_CACHE_DIR").env_remove("XDG_CACHE_HOME").env_remove("HOME");
    guest.start_words(&mut command, &["run", "3000"]);
    assert_eq!(End::of(command.output().unwrap()), guest.expected()[0]);
    assert!(!no_home.exists());
}

#[test]
fn a_directory_that_vanishes_during_the_run() {
    let bed = Bed::new();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/cat.wasm");
    for is_back in [false, true] {
        let mut command = bed.run(&["--mode", "jit"]);
        let mut child = command.arg(&guest).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut pipe, b"x").unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        fs::remove_dir_all(bed.cache()).unwrap();
        if is_back {
            fs::create_dir(bed.cache()).unwrap();
        }
        drop(pipe);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
        bed.settle();
        assert!(bed.entries().is_empty(), "the directory that was opened is gone");
        let _ = fs::remove_dir_all(bed.cache());
    }
}
