//! Rights that descriptors have, pass on, and lose.

use wasmr_wasi::rights::{self, *};
use wasmr_wasi::{Errno, Stdin, Stdout, WasiCtx};

use crate::support::{ALL, CREAT, DIRECTORY, Guest, OUT, READ, ROOT, TRUNC, WRITE};

fn guest() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    guest.create("f", b"contents");
    guest.mkdir("d").unwrap();
    (dir, guest)
}

fn set_rights(guest: &mut Guest, fd: u32, base: u64, inheriting: u64) -> Result<(), Errno> {
    guest.call("fd_fdstat_set_rights", &[fd.into(), base, inheriting])
}

/// Returns calls on a file of eight bytes, other than reading and writing, that do not change its contents.
fn calls_on_a_file(file: u32) -> [(&'static str, Vec<u64>); 10] {
    let f = u64::from(file);
    [
        ("fd_advise", vec![f, 0, 0, 0]),
        ("fd_allocate", vec![f, 0, 1]),
        ("fd_datasync", vec![f]),
        ("fd_sync", vec![f]),
        ("fd_fdstat_set_flags", vec![f, 0]),
        ("fd_filestat_get", vec![f, OUT.into()]),
        ("fd_filestat_set_size", vec![f, 8]),
        ("fd_filestat_set_times", vec![f, 0, 0, 0]),
        ("fd_seek", vec![f, 0, 0, OUT.into()]),
        ("fd_tell", vec![f, OUT.into()]),
    ]
}

#[test]
fn nothing_is_granted_by_default() {
    let mut guest = Guest::new(WasiCtx::builder().build().unwrap());
    for fd in 0..16u32 {
        assert_eq!(guest.call("fd_prestat_get", &[fd.into(), OUT.into()]), Err(Errno::Badf));
        assert_eq!(guest.fdstat(fd), Err(Errno::Badf));
        assert_eq!(guest.open_full(fd, true, b".", 0, (0, 0), 0), Err(Errno::Badf));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
        assert_eq!(guest.read(fd, 1), Err(Errno::Badf));
    }
    for call in ["args_sizes_get", "environ_sizes_get"] {
        guest.put(OUT, &[0xaa; 8]);
        guest.call(call, &[OUT.into(), (OUT + 4).into()]).unwrap();
        assert_eq!(guest.bytes(OUT, 8), [0; 8], "{call}");
    }
}

#[test]
fn one_directory_grants_only_itself() {
    let (_dir, mut guest) = guest();
    assert!(guest.fdstat(ROOT).is_ok());
    assert_eq!(guest.fdstat(ROOT + 1), Err(Errno::Badf));
    let fdstat = guest.fdstat(ROOT).unwrap();
    assert_eq!((fdstat.base, fdstat.inheriting), (rights::DIRECTORY, rights::ALL));
    assert_eq!(fdstat.base & (FD_READ | FD_WRITE | FD_SEEK | FD_FILESTAT_SET_SIZE), 0);
}

#[test]
fn kinds_have_only_rights_that_make_sense() {
    let (_dir, mut guest) = guest();
    let file = guest.open_full(ROOT, true, b"f", 0, (ALL, ALL), 0).unwrap();
    let fdstat = guest.fdstat(file).unwrap();
    assert_eq!((fdstat.base, fdstat.inheriting), (rights::FILE, 0));
    let dir = guest.open_full(ROOT, true, b"d", DIRECTORY, (ALL & !WRITE, FD_READ), 0).unwrap();
    let fdstat = guest.fdstat(dir).unwrap();
    assert_eq!((fdstat.base, fdstat.inheriting), (rights::DIRECTORY, FD_READ));
}

#[test]
fn the_same_rights_again_open_the_same_directory() {
    let (_dir, mut guest) = guest();
    let fdstat = guest.fdstat(ROOT).unwrap();
    let again = guest.open_full(ROOT, false, b".", 0, (fdstat.base, fdstat.inheriting), 0).unwrap();
    assert_eq!(guest.fdstat(again).unwrap(), fdstat);
    assert_eq!(guest.open_full(ROOT, false, b".", 0, (!WRITE, u64::MAX), 0).map(drop), Ok(()), "unknown bits");
}

#[test]
fn rights_can_only_be_dropped() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", 0, ALL).unwrap();
    let base = guest.fdstat(fd).unwrap().base;
    assert_eq!(set_rights(&mut guest, fd, base | PATH_OPEN, 0), Err(Errno::Notcapable));
    assert_eq!(set_rights(&mut guest, fd, base, FD_READ), Err(Errno::Notcapable));
    assert_eq!(set_rights(&mut guest, fd, u64::MAX, u64::MAX), Err(Errno::Notcapable));
    assert_eq!(set_rights(&mut guest, fd, base & !FD_WRITE, 0), Ok(()));
    assert_eq!(set_rights(&mut guest, fd, base, 0), Err(Errno::Notcapable));
    assert_eq!(guest.fdstat(fd).unwrap().base, base & !FD_WRITE);
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(fd, 3), Ok(b"con".to_vec()));
}

#[test]
fn a_directory_passes_on_no_more_than_it_may() {
    let (_dir, mut guest) = guest();
    let base = guest.fdstat(ROOT).unwrap().base;
    set_rights(&mut guest, ROOT, base, FD_READ | FD_SEEK).unwrap();
    assert_eq!(guest.open_full(ROOT, true, b"f", 0, (FD_READ | FD_WRITE, 0), 0), Err(Errno::Notcapable));
    let fd = guest.open_full(ROOT, true, b"f", 0, (FD_READ, u64::MAX), 0).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().base, FD_READ);
    let dir = guest.open_full(ROOT, true, b"d", DIRECTORY, (0, u64::MAX), 0).unwrap();
    assert_eq!(guest.fdstat(dir).unwrap().inheriting, FD_READ | FD_SEEK);
    assert_eq!(
        guest.open_full(dir, true, b"f", CREAT, (FD_WRITE, 0), 0),
        Err(Errno::Notcapable),
        "nor does a directory below it"
    );
    // Rights that were revoked from opened descriptors are missing there as well.
    assert_eq!(guest.open_full(dir, true, b"f", CREAT, (0, 0), 0), Err(Errno::Notcapable));
    assert_eq!(guest.call("fd_sync", &[fd.into()]), Err(Errno::Notcapable));
    assert_eq!(guest.seek(fd, 1, 0), Ok(1));
}

#[test]
fn only_reading_and_writing_must_be_asked_for() {
    let (_dir, mut guest) = guest();
    let file = guest.open_full(ROOT, true, b"f", 0, (READ | WRITE, 0), 0).unwrap();
    let fdstat = guest.fdstat(file).unwrap();
    assert_eq!((fdstat.base, fdstat.inheriting), (READ | WRITE, 0), "the rights that were asked for");
    for (call, slots) in calls_on_a_file(file) {
        assert_eq!(guest.call(call, &slots), Ok(()), "{call}");
    }
    assert_eq!(guest.pwrite(file, b"C", 0), Ok(1));
    assert_eq!(guest.pread(file, 4, 0), Ok(b"Cont".to_vec()));

    // The access mode decides. A descriptor open for writing can change sizes and blocks.
    let reader = guest.open_full(ROOT, true, b"f", 0, (ALL & !WRITE, 0), 0).unwrap();
    let r = u64::from(reader);
    assert_eq!(guest.write(reader, b"x"), Err(Errno::Badf));
    assert_eq!(guest.call("fd_filestat_set_size", &[r, 0]), Err(Errno::Inval));
    assert_eq!(guest.call("fd_allocate", &[r, 0, 99]), Err(Errno::Badf));
    assert_eq!(guest.call("fd_datasync", &[r]), Ok(()), "a file that is open for reading can be synchronised");
    let writer = guest.open_full(ROOT, true, b"f", 0, (ALL & !READ, 0), 0).unwrap();
    assert_eq!(guest.read(writer, 1), Err(Errno::Badf));
    assert_eq!(guest.pread(writer, 1, 0), Err(Errno::Badf));
    assert_eq!(guest.stat("f").unwrap().size, 8);
}

#[test]
fn a_directory_opened_without_rights_permits_all_that_its_grant_permits() {
    for (base, inheriting) in [(0, 0), (FD_READDIR, 0), (DIRECTORY_OF_GO, ALL)] {
        let (_dir, mut guest) = guest();
        let dir = guest.open_full(ROOT, true, b"d", DIRECTORY, (base, inheriting), 0).unwrap();
        let d = u64::from(dir);
        assert_eq!(guest.fdstat(dir).unwrap().base, base);
        for _ in 0..2 {
            let file = guest.open_full(dir, false, b"x", CREAT | TRUNC, (READ | WRITE, 0), 0).unwrap();
            assert_eq!(guest.write(file, b"hello"), Ok(5));
            guest.close(file).unwrap();
        }
        assert_eq!(guest.stat_from(dir, "x", false).unwrap().size, 5);
        assert_eq!(guest.readdir_once(dir, 4096, 0).unwrap().0.len(), 3);
        assert_eq!(guest.rename_between(dir, "x", dir, "y"), Ok(()));
        assert_eq!(guest.link_between(dir, false, "y", dir, "z"), Ok(()));
        for call in ["path_create_directory", "path_remove_directory"] {
            let [path, len] = guest.path("sub");
            assert_eq!(guest.call(call, &[d, path, len]), Ok(()), "{call}");
        }
        let [path, len] = guest.path("y");
        assert_eq!(guest.call("path_filestat_set_times", &[d, 0, path, len, 1, 2, 5]), Ok(()));
        assert_eq!(guest.call("path_unlink_file", &[d, path, len]), Ok(()));
        assert_eq!(guest.call("fd_sync", &[d]), Ok(()));
        let below = guest.open_full(dir, true, b".", DIRECTORY, (0, ALL), 0).unwrap();
        assert_eq!(guest.fdstat(below).unwrap().inheriting, ALL, "nothing was revoked");
    }
}

/// Rights with which Go opens a directory. Go takes the missing three for rights of files or of writing.
const DIRECTORY_OF_GO: u64 = rights::DIRECTORY & !(FD_DATASYNC | PATH_FILESTAT_SET_SIZE | POLL_FD_READWRITE);

#[test]
fn every_call_fails_after_its_right_was_revoked() {
    let (_dir, mut guest) = guest();
    let file = guest.open("f", 0, ALL).unwrap();
    set_rights(&mut guest, file, 0, 0).unwrap();
    for (call, slots) in calls_on_a_file(file) {
        assert_eq!(guest.call(call, &slots), Err(Errno::Notcapable), "{call}");
    }
    let f = u64::from(file);
    for call in ["fd_read", "fd_write"] {
        assert_eq!(guest.call(call, &[f, 0, 0, OUT.into()]), Err(Errno::Badf), "{call}");
    }
    for call in ["fd_pread", "fd_pwrite"] {
        assert_eq!(guest.call(call, &[f, 0, 0, 0, OUT.into()]), Err(Errno::Badf), "{call}");
    }
    assert_eq!(guest.close(file), Ok(()), "closing always works");

    set_rights(&mut guest, ROOT, 0, 0).unwrap();
    let none = Err(Errno::Notcapable);
    assert_eq!(guest.open("f", 0, 0).map(drop), none);
    assert_eq!(guest.stat("f").map(drop), none);
    assert_eq!(guest.mkdir("x"), none);
    assert_eq!(guest.rmdir("d"), none);
    assert_eq!(guest.unlink("f"), none);
    assert_eq!(guest.symlink("f", "x"), none);
    assert_eq!(guest.readlink("x", 9).map(drop), none);
    assert_eq!(guest.rename("f", "x"), none);
    assert_eq!(guest.link("f", "x"), none);
    assert_eq!(guest.set_times("f", true, 0, 0, 0), none);
    assert_eq!(guest.readdir_once(ROOT, 64, 0).map(drop), none);
    assert_eq!(guest.fdstat(ROOT).unwrap().base, 0, "reading the rights always works");
}

#[test]
fn creating_and_truncating_can_be_revoked() {
    let (_dir, mut guest) = guest();
    let base = guest.fdstat(ROOT).unwrap().base;
    set_rights(&mut guest, ROOT, base & !PATH_CREATE_FILE, rights::ALL).unwrap();
    assert_eq!(guest.open("new", CREAT, READ), Err(Errno::Notcapable));
    assert_eq!(guest.open("f", 0, READ).map(drop), Ok(()));
    set_rights(&mut guest, ROOT, base & !PATH_CREATE_FILE & !PATH_FILESTAT_SET_SIZE, rights::ALL).unwrap();
    assert_eq!(guest.open("f", TRUNC, READ), Err(Errno::Perm));
    assert_eq!(guest.stat("f").unwrap().size, 8);
}

#[test]
fn streams_can_be_read_or_written_not_both() {
    let mut builder = WasiCtx::builder();
    builder.stdin(Stdin::Bytes(b"in".to_vec())).stdout(Stdout::Discard);
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!(guest.write(0, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(1, 1), Err(Errno::Badf));
    assert_eq!(guest.read(0, 9), Ok(b"in".to_vec()));
    assert_eq!(guest.write(1, b"x"), Ok(1));
    for fd in [0, 1] {
        assert_eq!(guest.seek(fd, 0, 1), Err(Errno::Spipe));
        assert_eq!(guest.fdstat(fd).unwrap().base & (FD_SEEK | FD_TELL), 0);
    }
}
