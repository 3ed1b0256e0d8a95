//! Paths: the results of each path call for odd, hostile and ordinary paths.

use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use wasmr_wasi::{Errno, WasiCtx};

use crate::support::{
    ALL, ALL_BUT_WRITE, APPEND, CREAT, DATA, DIRECTORY, EXCL, Guest, NONBLOCK, OUT, READ, ROOT, SYNC, TRUNC, WRITE,
    host_dir,
};

/// Returns a directory with a file `f`, an empty directory `d`, links `lf` and `ld` to them, a dangling link `dang`, and a
/// link `loop` to itself.
fn ordinary() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    guest.create("f", b"file");
    guest.mkdir("d").unwrap();
    for (target, name) in [("f", "lf"), ("d", "ld"), ("missing", "dang"), ("loop", "loop")] {
        guest.symlink(target, name).unwrap();
    }
    (dir, guest)
}

#[test]
fn stat_and_open_follow_the_rules_of_linux_at_the_end_of_a_path() {
    use Errno::*;
    let file = Ok(4);
    let dir = Ok(3);
    let link = Ok(7);
    // Path, status if links are followed, status if not.
    type Filetype = Result<u8, Errno>;
    let table: &[(&str, Filetype, Filetype)] = &[
        ("f", file, file),
        ("f/", Err(Notdir), Err(Notdir)),
        ("f/.", Err(Notdir), Err(Notdir)),
        ("f/..", Err(Notdir), Err(Notdir)),
        ("f/x", Err(Notdir), Err(Notdir)),
        ("d", dir, dir),
        ("d/", dir, dir),
        ("d///", dir, dir),
        ("d/.", dir, dir),
        ("d/..", dir, dir),
        ("d/x", Err(Noent), Err(Noent)),
        ("lf", file, link),
        ("lf/", Err(Notdir), Err(Notdir)),
        ("ld", dir, link),
        ("ld/", dir, dir),
        ("ld/.", dir, dir),
        ("ld/..", dir, dir),
        ("dang", Err(Noent), link),
        ("dang/", Err(Noent), Err(Noent)),
        ("loop", Err(Loop), link),
        ("loop/", Err(Loop), Err(Loop)),
        ("loop/x", Err(Loop), Err(Loop)),
        ("", Err(Noent), Err(Noent)),
        (".", dir, dir),
        ("./", dir, dir),
        ("././/.", dir, dir),
        ("..", Err(Perm), Err(Perm)),
        ("../", Err(Perm), Err(Perm)),
        ("d/../..", Err(Perm), Err(Perm)),
        ("/", Err(Perm), Err(Perm)),
        ("//", Err(Perm), Err(Perm)),
        ("/f", Err(Perm), Err(Perm)),
        ("missing", Err(Noent), Err(Noent)),
        ("missing/..", Err(Noent), Err(Noent)),
        ("f\0", Err(Inval), Err(Inval)),
        ("d/\0/f", Err(Inval), Err(Inval)),
    ];
    let (_dir, mut guest) = ordinary();
    for &(path, followed, itself) in table {
        assert_eq!(guest.stat(path).map(|s| s.filetype), followed, "stat {path:?}");
        assert_eq!(guest.lstat(path).map(|s| s.filetype), itself, "lstat {path:?}");
        let opened = guest.open(path, 0, READ).map(|fd| guest.fdstat(fd).unwrap().filetype);
        assert_eq!(opened, followed, "open {path:?}");
    }
}

#[test]
fn links_at_the_end_are_not_opened_unless_followed() {
    let (_dir, mut guest) = ordinary();
    let mut open = |path: &str, oflags| guest.open_full(ROOT, false, path.as_bytes(), oflags, (READ, ALL), 0);
    for name in ["lf", "ld", "dang", "loop"] {
        assert_eq!(open(name, 0), Err(Errno::Loop), "{name}");
        assert!(matches!(open(name, DIRECTORY), Err(Errno::Notdir | Errno::Loop)), "{name} as a directory");
        assert_eq!(open(name, CREAT | EXCL), Err(Errno::Exist), "{name} created anew");
    }
    assert!(open("ld/", 0).is_ok(), "a slash follows");
    assert!(open("f", 0).is_ok());
    assert_eq!(guest.open("ld", DIRECTORY, READ).map(drop), Ok(()));
    assert_eq!(guest.open("lf", DIRECTORY, READ), Err(Errno::Notdir));
    assert_eq!(guest.open("f", DIRECTORY, READ), Err(Errno::Notdir));
    assert_eq!(guest.open("missing", DIRECTORY, READ), Err(Errno::Noent));
}

#[test]
fn creation_through_links_stays_inside() {
    let (_dir, mut guest) = ordinary();
    assert!(guest.open("dang", CREAT, WRITE).is_ok(), "as Linux, a dangling link names the new file");
    assert_eq!(guest.lstat("missing").map(|s| s.filetype), Ok(4));
    assert_eq!(guest.open("lf", CREAT | EXCL, WRITE), Err(Errno::Exist));
    assert_eq!(guest.open("loop", CREAT, WRITE), Err(Errno::Loop));
    assert_eq!(guest.open("new/", CREAT, WRITE), Err(Errno::Isdir));
    assert_eq!(guest.open("d", CREAT, READ), Err(Errno::Isdir));
    assert_eq!(guest.open("d", 0, WRITE), Err(Errno::Isdir));
    assert_eq!(guest.open("d", TRUNC, READ), Err(Errno::Isdir));
    assert_eq!(guest.open("d", DIRECTORY, READ | WRITE), Err(Errno::Isdir));
    assert_eq!(guest.open("d", DIRECTORY | CREAT, READ), Err(Errno::Inval));
    assert_eq!(guest.open("nowhere", DIRECTORY | CREAT, READ), Err(Errno::Inval));
    assert_eq!(guest.stat("nowhere"), Err(Errno::Noent));
}

#[test]
fn opening_creates_and_truncates_without_a_right_to_write() {
    let (_dir, mut guest) = ordinary();
    let fd = guest.open("new", CREAT, 0).expect("no rights at all");
    assert_eq!(guest.fdstat(fd).unwrap().base, 0);
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(fd, 1), Err(Errno::Badf));
    assert_eq!(guest.stat("f").unwrap().size, 4);
    guest.open("f", TRUNC, 0).expect("truncate");
    assert_eq!(guest.stat("f").unwrap().size, 0);
}

#[test]
fn names_and_paths_have_limits() {
    let (_dir, mut guest) = ordinary();
    let name = "n".repeat(255);
    guest.create(&name, b"long");
    assert_eq!(guest.contents(&name), Ok(b"long".to_vec()));
    assert_eq!(guest.open(&"n".repeat(256), CREAT, WRITE), Err(Errno::Nametoolong));
    assert_eq!(guest.mkdir(&"n".repeat(256)), Err(Errno::Nametoolong));

    let fits = format!("{}f", "./".repeat(2047));
    assert_eq!(fits.len(), 4095);
    assert_eq!(guest.stat(&fits).map(|s| s.size), Ok(4));
    assert_eq!(guest.lstat(&fits).map(|s| s.size), Ok(4));
    let over = format!(".{fits}");
    assert_eq!(guest.stat(&over), Err(Errno::Nametoolong));
    assert_eq!(guest.open(&over, 0, READ), Err(Errno::Nametoolong));
    assert_eq!(guest.mkdir(&over), Err(Errno::Nametoolong));
    assert_eq!(guest.symlink(&over, "l"), Err(Errno::Nametoolong));
}

#[test]
fn long_chains_of_links_end() {
    let (_dir, mut guest) = ordinary();
    guest.create("l0", b"end");
    for i in 1..=50 {
        guest.symlink(&format!("l{}", i - 1), &format!("l{i}")).unwrap();
    }
    assert_eq!(guest.contents("l40"), Ok(b"end".to_vec()));
    assert_eq!(guest.open("l41", 0, READ), Err(Errno::Loop));
}

#[test]
fn names_are_bytes() {
    let (dir, mut guest) = ordinary();
    let host = |name: &[u8]| dir.path().join(std::ffi::OsStr::from_bytes(name));
    std::fs::write(host(b"\xff\xfe"), b"x").unwrap();
    symlink(std::ffi::OsStr::from_bytes(b"\xff\xfe"), dir.path().join("odd")).unwrap();
    let fd = guest.open_full(ROOT, true, b"\xff\xfe", 0, (READ, 0), 0).unwrap();
    assert_eq!(guest.read(fd, 9), Ok(b"x".to_vec()));
    assert_eq!(guest.contents("odd"), Ok(b"x".to_vec()));
    let [ptr, len] = guest.path("odd");
    guest.call("path_readlink", &[ROOT.into(), ptr, len, DATA.into(), 9, OUT.into()]).unwrap();
    assert_eq!(guest.bytes(DATA, guest.u32(OUT)), b"\xff\xfe");

    let fd = guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap();
    let (entries, used) = guest.readdir_once(fd, 4096, 0).unwrap();
    assert_eq!(entries.len(), 10, "{entries:?}");
    assert!(guest.bytes(DATA, used).windows(2).any(|bytes| bytes == b"\xff\xfe"));

    let root = u64::from(ROOT);
    let [old, old_len] = guest.path_bytes(0, b"\xff\xfe");
    guest.call("path_filestat_get", &[root, 0, old, old_len, OUT.into()]).unwrap();
    assert_eq!(guest.u64(OUT + 32), 1);
    let [new, new_len] = guest.path_bytes(1, b"d/\x80\xc0");
    guest.call("path_rename", &[root, old, old_len, root, new, new_len]).unwrap();
    assert!(host(b"d/\x80\xc0").exists());
    guest.call("path_unlink_file", &[root, new, new_len]).unwrap();
    assert!(!host(b"d/\x80\xc0").exists());
    for call in ["path_create_directory", "path_remove_directory"] {
        guest.call(call, &[root, old, old_len]).unwrap();
    }
    guest.open_full(ROOT, true, b"new\xff", CREAT, (READ, 0), 0).unwrap();
    assert!(host(b"new\xff").exists());
    guest.create("ünï", b"fine");
    assert_eq!(guest.contents("ünï"), Ok(b"fine".to_vec()));
}

#[test]
fn directories_are_made_and_removed() {
    let (_dir, mut guest) = ordinary();
    assert_eq!(guest.mkdir("new/"), Ok(()), "a slash is allowed");
    for path in ["new", "d", "d/", "f", "lf", "ld", "dang", ".", "d/."] {
        assert_eq!(guest.mkdir(path), Err(Errno::Exist), "mkdir {path}");
    }
    assert_eq!(guest.mkdir("d/.."), Err(Errno::Exist));
    assert_eq!(guest.mkdir("missing/x"), Err(Errno::Noent));
    assert_eq!(guest.mkdir("f/x"), Err(Errno::Notdir));

    assert_eq!(guest.mkdir("d/sub"), Ok(()));
    assert_eq!(guest.rmdir("d"), Err(Errno::Notempty));
    assert_eq!(guest.rmdir("d/sub/.."), Err(Errno::Notempty));
    assert_eq!(guest.rmdir("d/sub/."), Err(Errno::Inval));
    assert_eq!(guest.rmdir("d/sub/"), Ok(()));
    for path in ["f", "f/", "lf", "ld", "ld/", "dang"] {
        assert_eq!(guest.rmdir(path), Err(Errno::Notdir), "rmdir {path}");
    }
    assert_eq!(guest.rmdir("missing"), Err(Errno::Noent));
    assert_eq!(guest.rmdir("d"), Ok(()));
    assert_eq!(guest.stat("d"), Err(Errno::Noent));
}

#[test]
fn files_are_unlinked() {
    let (_dir, mut guest) = ordinary();
    for path in ["d", "d/", ".", "d/..", "d/."] {
        assert_eq!(guest.unlink(path), Err(Errno::Isdir), "unlink {path}");
    }
    for path in ["f/", "lf/", "ld/"] {
        assert_eq!(guest.unlink(path), Err(Errno::Notdir), "unlink {path}");
    }
    assert_eq!(guest.unlink("missing"), Err(Errno::Noent));
    assert_eq!(guest.unlink("missing/"), Err(Errno::Noent));
    for path in ["lf", "ld", "dang", "loop", "f"] {
        assert_eq!(guest.unlink(path), Ok(()), "unlink {path}");
        assert_eq!(guest.lstat(path), Err(Errno::Noent));
    }
    assert_eq!(guest.stat("d").map(|s| s.filetype), Ok(3), "what a link led to stays");
}

#[test]
fn symlinks_are_made_and_read() {
    let (_dir, mut guest) = ordinary();
    assert_eq!(guest.symlink("f", "new"), Ok(()));
    assert_eq!(guest.readlink("new", 10), Ok("f".into()));
    assert_eq!(guest.symlink("abcdef", "six"), Ok(()));
    assert_eq!(guest.readlink("six", 4), Ok("abcd".into()), "cut where the buffer ends");
    assert_eq!(guest.readlink("six", 0), Ok(String::new()));
    for target in ["/", "/etc/passwd", "//x"] {
        assert_eq!(guest.symlink(target, "abs"), Err(Errno::Perm), "absolute");
    }
    assert_eq!(guest.symlink("", "empty"), Err(Errno::Noent));
    for path in ["f", "d", "d/", "lf", "dang", "."] {
        assert_eq!(guest.symlink("x", path), Err(Errno::Exist), "symlink at {path}");
    }
    assert_eq!(guest.symlink("x", "f/"), Err(Errno::Notdir));
    assert_eq!(guest.symlink("x", "none/"), Err(Errno::Noent));
    for path in ["f", "d", ".", "d/..", "ld/"] {
        assert_eq!(guest.readlink(path, 10), Err(Errno::Inval), "readlink {path}");
    }
    assert_eq!(guest.readlink("lf/", 10), Err(Errno::Notdir));
    assert_eq!(guest.readlink("none", 10), Err(Errno::Noent));
}

#[test]
fn renames_replace_as_rename_does() {
    let (_dir, mut guest) = ordinary();
    guest.create("g", b"g");
    assert_eq!(guest.rename("g", "f"), Ok(()));
    assert_eq!(guest.contents("f"), Ok(b"g".to_vec()));
    assert_eq!(guest.rename("f", "d"), Err(Errno::Isdir));
    assert_eq!(guest.rename("d", "f"), Err(Errno::Notdir));
    assert_eq!(guest.rename("missing", "x"), Err(Errno::Noent));
    guest.mkdir("e").unwrap();
    guest.create("e/x", b"");
    assert_eq!(guest.rename("d", "e"), Err(Errno::Notempty));
    guest.unlink("e/x").unwrap();
    assert_eq!(guest.rename("d", "e"), Ok(()), "an empty directory is replaced");
    assert_eq!(guest.rename("e/", "e2/"), Ok(()), "slashes are for directories");
    assert_eq!(guest.rename("f/", "x"), Err(Errno::Notdir));
    assert_eq!(guest.rename("f", "x/"), Err(Errno::Notdir));
    assert_eq!(guest.rename("ld/", "x"), Err(Errno::Notdir));
    assert_eq!(guest.rename("lf", "moved"), Ok(()), "a link itself is moved");
    assert_eq!(guest.readlink("moved", 9), Ok("f".into()));
    assert_eq!(guest.rename("e2", "e2/sub"), Err(Errno::Inval));
    for odd in [".", "e2/..", "e2/."] {
        assert_eq!(guest.rename(odd, "x"), Err(Errno::Busy), "rename {odd}");
        assert_eq!(guest.rename("e2", odd), Err(Errno::Busy), "rename to {odd}");
    }
}

#[test]
fn hard_links_are_made() {
    let (_dir, mut guest) = ordinary();
    assert_eq!(guest.link("f", "hard"), Ok(()));
    assert_eq!(guest.stat("hard").unwrap(), guest.stat("f").unwrap());
    assert_eq!(guest.stat("f").unwrap().nlink, 2);
    for new in ["hard", "f", "d", "ld", "dang", "d/", "."] {
        assert_eq!(guest.link("f", new), Err(Errno::Exist), "link to {new}");
    }
    assert_eq!(guest.link("f", "none/"), Err(Errno::Noent));
    assert_eq!(guest.link("f", "lf/"), Err(Errno::Notdir));
    assert_eq!(guest.link("f/", "x"), Err(Errno::Notdir));
    for old in ["d", "d/", ".", "d/.."] {
        assert_eq!(guest.link(old, "x"), Err(Errno::Perm), "link of {old}");
    }
    assert_eq!(guest.link("dang", "x"), Ok(()), "a link of a link");
    assert_eq!(guest.lstat("x").map(|s| s.filetype), Ok(7));
    assert_eq!(guest.link_between(ROOT, true, "lf", ROOT, "y"), Err(Errno::Inval));
}

#[test]
fn files_move_and_link_between_directories() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(one.path()), "/one", false).dir(host_dir(two.path()), "/two", false);
    let mut guest = Guest::new(builder.build().unwrap());
    guest.create("f", b"moved");
    assert_eq!(guest.link_between(3, false, "f", 4, "hard"), Ok(()));
    assert_eq!(guest.rename_between(3, "f", 4, "f"), Ok(()));
    assert_eq!(std::fs::read(two.path().join("f")).unwrap(), b"moved");
    assert_eq!(std::fs::read(two.path().join("hard")).unwrap(), b"moved");
    assert!(std::fs::read_dir(one.path()).unwrap().next().is_none());
}

#[test]
fn a_descriptor_that_is_no_directory_is_no_place_to_start() {
    let (_dir, mut guest) = ordinary();
    let file = guest.open("f", 0, ALL_BUT_WRITE).unwrap();
    for (fd, errno) in [(file, Errno::Notdir), (99, Errno::Badf), (u32::MAX, Errno::Badf), (0, Errno::Badf)] {
        assert_eq!(guest.open_full(fd, true, b"x", 0, (READ, 0), 0), Err(errno));
        assert_eq!(guest.stat_from(fd, "x", true), Err(errno));
        assert_eq!(guest.rename_between(fd, "f", ROOT, "x"), Err(errno));
        assert_eq!(guest.rename_between(ROOT, "f", fd, "x"), Err(errno));
        assert_eq!(guest.link_between(ROOT, false, "f", fd, "x"), Err(errno));
        assert_eq!(guest.readdir_once(fd, 64, 0), Err(errno));
    }
}

#[test]
fn times_are_set_on_links_or_through_them() {
    let (_dir, mut guest) = ordinary();
    let (atim, mtim) = (1_000_000_001, 2_000_000_003);
    guest.set_times("lf", true, atim, mtim, 1 | 4).unwrap();
    let stat = guest.stat("f").unwrap();
    assert_eq!((stat.atim, stat.mtim), (atim, mtim));
    assert_ne!(guest.lstat("lf").unwrap().mtim, mtim);

    guest.set_times("dang", false, atim, mtim, 1 | 4).unwrap();
    assert_eq!(guest.lstat("dang").unwrap().mtim, mtim);
    assert_eq!(guest.set_times("dang", true, atim, mtim, 1 | 4), Err(Errno::Noent));

    guest.set_times("ld/", false, atim, 77, 4).unwrap();
    assert_eq!(guest.stat("d").unwrap().mtim, 77, "a slash follows");
    guest.set_times(".", true, 5, 6, 1 | 4).unwrap();
    assert_eq!(guest.stat(".").unwrap().mtim, 6);

    guest.set_times("f", true, 0, 0, 2).unwrap();
    let stat = guest.stat("f").unwrap();
    assert!(stat.atim > 1_600_000_000_000_000_000, "now");
    assert_eq!(stat.mtim, mtim, "left alone");
    for flags in [1 | 2, 4 | 8, 15, 16, 0x1_0000, u32::MAX] {
        assert_eq!(guest.set_times("f", true, 1, 1, flags), Err(Errno::Inval), "flags {flags:#x}");
    }
    for time in [0, 1, 1 << 63, u64::MAX] {
        let _ = guest.set_times("f", true, time, time, 1 | 4);
        guest.stat("f").unwrap();
    }
    // Setting the times of a FIFO waits for no other end.
    rustix::fs::mkfifoat(rustix::fs::CWD, _dir.path().join("fifo"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    guest.set_times("fifo", true, atim, mtim, 1 | 4).unwrap();
    assert_eq!(guest.stat("fifo").unwrap().mtim, mtim);
}

#[test]
fn flags_that_do_not_exist_are_refused() {
    let (_dir, mut guest) = ordinary();
    let [ptr, len] = guest.path("f");
    let out = OUT.into();
    for (lookup, oflags, fdflags) in
        [(2, 0, 0), (0, 16, 0), (0, 0, 32), (u32::MAX, 0, 0), (0, 0x1_0000, 0), (0, 0, 0x8000_0000u32)]
    {
        let slots = [3, lookup.into(), ptr, len, oflags, READ, 0, fdflags.into(), out];
        assert_eq!(guest.call("path_open", &slots), Err(Errno::Inval));
    }
    assert_eq!(guest.call("path_filestat_get", &[3, 2, ptr, len, out]), Err(Errno::Inval));
}

#[test]
fn every_combination_of_open_flags_answers_at_once() {
    let (dir, mut guest) = ordinary();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("fifo"), rustix::fs::Mode::from_raw_mode(0o666)).unwrap();
    let _both_sides = std::fs::File::options().read(true).write(true).open(dir.path().join("fifo")).unwrap();
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    let begin = Instant::now();
    for oflags in 0..16 {
        for base in [0, READ, WRITE, READ | WRITE, ALL] {
            for follow in [false, true] {
                for name in ["f", "d", "fifo", "socket", "lf", "dang", "loop", "created"] {
                    for fdflags in [0, NONBLOCK, APPEND | SYNC] {
                        let opened = guest.open_full(ROOT, follow, name.as_bytes(), oflags, (base, ALL), fdflags);
                        if let Ok(fd) = opened {
                            guest.close(fd).unwrap();
                        }
                        if oflags & DIRECTORY != 0 && name != "d" {
                            assert!(opened.is_err(), "{name} is no directory: {oflags:#x}");
                        }
                        if name == "socket" {
                            assert!(opened.is_err(), "sockets are not opened by name: {oflags:#x}");
                        }
                    }
                }
                let _ = guest.unlink("created");
                let _ = guest.unlink("missing");
            }
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "nothing may hang");
}

#[test]
fn devices_open() {
    let mut guest = Guest::in_dir(Path::new("/dev"));
    let null = guest.open("null", 0, ALL).unwrap();
    assert_eq!(guest.fdstat(null).unwrap().filetype, 2);
    assert_eq!(guest.write(null, b"gone"), Ok(4));
    assert_eq!(guest.read(null, 4), Ok(vec![]));
    let zero = guest.open("zero", 0, READ).unwrap();
    assert_eq!(guest.read(zero, 4), Ok(vec![0; 4]));
}

#[test]
fn the_magic_links_of_proc_lead_nowhere() {
    let mut guest = Guest::in_dir(Path::new("/proc"));
    // The number of a file of this test: under any other number another test may have opened `/`, and the text of that link is the
    // guest's own root.
    let held = std::fs::File::open("/etc/passwd").unwrap();
    let held = &format!("self/fd/{}", held.as_raw_fd());
    for name in ["self/root", "self/cwd", "self/exe", "self/root/etc/passwd", "self/fd/0", "self/fd/1", held] {
        let opened = guest.open(name, 0, READ);
        assert!(opened.is_err(), "{name} must not open");
        assert!(guest.open(name, DIRECTORY, READ).is_err(), "{name} must not open as a directory");
        assert!(guest.stat(name).is_err(), "{name} must not be followed");
    }
    assert!(guest.open("self/status", 0, READ).is_ok(), "ordinary links work");
}
