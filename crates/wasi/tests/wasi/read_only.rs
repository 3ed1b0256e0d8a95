//! Directories granted read-only: no call changes anything below them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wasmr_wasi::{Errno, WasiCtx};

use crate::support::{ALL, ALL_BUT_WRITE, CREAT, DIRECTORY, EXCL, Guest, READ, ROOT, TRUNC, WRITE, host_dir};

/// Returns everything below `dir`, with the parts that must not change.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let contents = if meta.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        all.insert(path.clone(), format!("{} {} {} {times:?} {contents}", meta.ino(), meta.mode(), meta.nlink()));
        if meta.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all
}

fn populated() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("d/sub")).unwrap();
    std::fs::write(dir.path().join("f"), "contents").unwrap();
    std::fs::write(dir.path().join("d/g"), "below").unwrap();
    std::os::unix::fs::symlink("f", dir.path().join("l")).unwrap();
    dir
}

#[test]
fn every_change_is_refused() {
    let dir = populated();
    let before = snapshot(dir.path());
    let mut guest = Guest::in_read_only_dir(dir.path());
    for path in ["f", "d", "l", "d/g", "d/sub", "missing", "d/missing", "d/"] {
        for follow in [false, true] {
            assert_eq!(guest.set_times(path, follow, 1, 1, 5), Err(Errno::Rofs), "times of {path}");
        }
        assert_eq!(guest.mkdir(path), Err(Errno::Rofs));
        assert_eq!(guest.rmdir(path), Err(Errno::Rofs));
        assert_eq!(guest.unlink(path), Err(Errno::Rofs));
        assert_eq!(guest.symlink("x", path), Err(Errno::Rofs));
        assert_eq!(guest.link(path, "new"), Err(Errno::Rofs));
        assert_eq!(guest.link("f", path), Err(Errno::Rofs));
        assert_eq!(guest.rename(path, "new"), Err(Errno::Rofs));
        assert_eq!(guest.rename("f", path), Err(Errno::Rofs));
        for oflags in [0, CREAT, TRUNC, CREAT | TRUNC, CREAT | EXCL] {
            for base in [WRITE, READ | WRITE, ALL] {
                assert_eq!(guest.open(path, oflags, base), Err(Errno::Rofs), "{path} {oflags:#x} {base:#x}");
            }
        }
        assert_eq!(guest.open(path, TRUNC, READ), Err(Errno::Rofs));
        assert_eq!(guest.open(path, TRUNC, 0), Err(Errno::Rofs));
    }
    assert_eq!(guest.open("missing", CREAT, READ), Err(Errno::Rofs));
    assert_eq!(guest.open("missing", CREAT | EXCL, READ), Err(Errno::Rofs));
    assert_eq!(guest.open("f", CREAT | EXCL, READ), Err(Errno::Exist));
    assert_eq!(guest.open("missing", 0, READ), Err(Errno::Noent));

    assert_eq!(guest.open("f", CREAT, READ).and_then(|fd| guest.read(fd, 99)), Ok(b"contents".to_vec()));
    let file = guest.open("f", 0, ALL & !WRITE).unwrap();
    for (call, rest) in
        [("fd_filestat_set_size", &[0][..]), ("fd_filestat_set_times", &[1, 1, 5]), ("fd_allocate", &[0, 4096])]
    {
        let slots: Vec<u64> = [u64::from(file)].iter().chain(rest).copied().collect();
        assert_eq!(guest.call(call, &slots), Err(Errno::Rofs), "{call}");
    }
    assert_eq!(guest.write(file, b"x"), Err(Errno::Badf));
    assert_eq!(guest.pwrite(file, b"x", 0), Err(Errno::Badf));
    assert_eq!(guest.call("fd_filestat_set_times", &[ROOT.into(), 1, 1, 5]), Err(Errno::Rofs));
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_directory_opened_below_is_read_only_too() {
    let dir = populated();
    let before = snapshot(dir.path());
    let mut guest = Guest::in_read_only_dir(dir.path());
    let d = guest.open("d", DIRECTORY, ALL_BUT_WRITE).unwrap();
    let through = guest.open_full(d, true, b"..", 0, (ALL_BUT_WRITE, ALL), 0);
    assert_eq!(through, Err(Errno::Perm), "a directory is a root of its own");
    assert_eq!(guest.open_full(d, true, b"g", 0, (WRITE, 0), 0), Err(Errno::Rofs));
    assert_eq!(guest.open_full(d, true, b"new", CREAT, (READ, 0), 0), Err(Errno::Rofs));
    assert_eq!(guest.rename_between(d, "g", d, "h"), Err(Errno::Rofs));
    assert_eq!(guest.call("fd_filestat_set_times", &[d.into(), 1, 1, 5]), Err(Errno::Rofs));
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn nothing_moves_or_links_across_the_border() {
    let (ro, rw) = (populated(), populated());
    let before = snapshot(ro.path());
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(ro.path()), "/ro", true).dir(host_dir(rw.path()), "/rw", false);
    let mut guest = Guest::new(builder.build().unwrap());
    let (ro_fd, rw_fd) = (3, 4);
    for (from, to) in [(ro_fd, rw_fd), (rw_fd, ro_fd), (ro_fd, ro_fd)] {
        assert_eq!(guest.link_between(from, false, "f", to, "new"), Err(Errno::Rofs), "link {from} {to}");
        assert_eq!(guest.rename_between(from, "f", to, "new"), Err(Errno::Rofs), "rename {from} {to}");
        assert_eq!(guest.rename_between(from, "d", to, "new"), Err(Errno::Rofs), "rename {from} {to}");
    }
    assert_eq!(guest.link_between(rw_fd, false, "f", rw_fd, "new"), Ok(()));
    assert_eq!(guest.rename_between(rw_fd, "new", rw_fd, "newer"), Ok(()));
    assert_eq!(snapshot(ro.path()), before);
}

#[test]
fn reading_works() {
    let dir = populated();
    let mut guest = Guest::in_read_only_dir(dir.path());
    assert_eq!(guest.contents("l"), Ok(b"contents".to_vec()));
    assert_eq!(guest.readlink("l", 9), Ok("f".into()));
    assert_eq!(guest.stat("d/g").unwrap().size, 5);
    assert_eq!(guest.readdir_once(ROOT, 4096, 0).unwrap().0.len(), 5);
    let rights = guest.fdstat(ROOT).unwrap();
    assert_ne!(rights.inheriting & WRITE, 0, "a guest can ask for writing, and the call then fails");
}
