//! Descriptors of files: positions, flags, sizes, times, numbers.

use wasmr_wasi::{Errno, WasiCtx};

use crate::support::{
    ALL, ALL_BUT_WRITE, APPEND, CREAT, DATA, DIRECTORY, Guest, NONBLOCK, OUT, READ, ROOT, SYNC, TRUNC, WRITE, alone,
    granted, open_fds,
};

fn guest() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::in_dir(dir.path());
    (dir, guest)
}

#[test]
fn reads_and_writes_move_the_position() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    assert_eq!(guest.write(fd, b"hello"), Ok(5));
    assert_eq!(guest.tell(fd), Ok(5));
    assert_eq!(guest.seek(fd, -4, 2), Ok(1));
    assert_eq!(guest.read(fd, 2), Ok(b"el".to_vec()));
    assert_eq!(guest.seek(fd, -1, 1), Ok(2));
    assert_eq!(guest.seek(fd, 0, 0), Ok(0));
    assert_eq!(guest.seek(fd, -1, 0), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, -1, 1), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, -6, 2), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, i64::MIN, 2), Err(Errno::Inval));
    for whence in [3, 255, u32::MAX] {
        assert_eq!(guest.seek(fd, 0, whence), Err(Errno::Inval));
    }
    assert_eq!(guest.tell(fd), Ok(0), "failures do not move");
    assert_eq!(guest.seek(fd, 100, 2), Ok(105));
    assert_eq!(guest.read(fd, 1), Ok(vec![]));
}

#[test]
fn several_buffers_are_filled_in_order() {
    let (_dir, mut guest) = guest();
    guest.create("f", b"abcdefgh");
    let fd = guest.open("f", 0, ALL).unwrap();
    for (i, (ptr, len)) in [(DATA + 8, 3u32), (DATA + 100, 0), (DATA, 2)].into_iter().enumerate() {
        guest.put(0x800 + 8 * i as u32, &ptr.to_le_bytes());
        guest.put(0x804 + 8 * i as u32, &len.to_le_bytes());
    }
    guest.call("fd_read", &[fd.into(), 0x800, 3, OUT.into()]).unwrap();
    assert_eq!(guest.u32(OUT), 5);
    assert_eq!((guest.bytes(DATA + 8, 3), guest.bytes(DATA, 2)), (&b"abc"[..], &b"de"[..]));
    guest.call("fd_pwrite", &[fd.into(), 0x800, 3, 1, OUT.into()]).unwrap();
    assert_eq!(guest.contents("f"), Ok(b"aabcdegh".to_vec()));
}

#[test]
fn reads_and_writes_elsewhere_leave_the_position() {
    let (_dir, mut guest) = guest();
    for flags in [0, APPEND] {
        let fd = guest.open_full(ROOT, true, b"f", CREAT | TRUNC, (ALL, 0), flags).unwrap();
        assert_eq!(guest.write(fd, b"0123456789"), Ok(10));
        assert_eq!(guest.seek(fd, 3, 0), Ok(3));
        assert_eq!(guest.pread(fd, 4, 6), Ok(b"6789".to_vec()));
        assert_eq!(guest.pwrite(fd, b"ab", 0), Ok(2));
        assert_eq!(guest.tell(fd), Ok(3));
        assert_eq!(guest.pread(fd, 20, 0), Ok(b"ab23456789".to_vec()), "not appended");
        assert_eq!(guest.pread(fd, 1, u64::MAX), Err(Errno::Inval));
        assert_eq!(guest.pwrite(fd, b"x", 1 << 63), Err(Errno::Inval));
        guest.close(fd).unwrap();
    }
}

#[test]
fn appending_goes_to_the_end_wherever_that_is() {
    let (_dir, mut guest) = guest();
    let a = guest.open_full(ROOT, true, b"f", CREAT, (ALL, 0), APPEND).unwrap();
    let b = guest.open("f", 0, ALL).unwrap();
    assert_eq!(guest.write(a, b"one"), Ok(3));
    assert_eq!(guest.seek(b, 0, 2), Ok(3));
    assert_eq!(guest.write(b, b"two"), Ok(3));
    assert_eq!(guest.seek(a, 0, 0), Ok(0));
    assert_eq!(guest.write(a, b"three"), Ok(5));
    assert_eq!(guest.tell(a), Ok(11));
    assert_eq!(guest.contents("f"), Ok(b"onetwothree".to_vec()));

    guest.set_flags(a, 0).unwrap();
    guest.seek(a, 0, 0).unwrap();
    assert_eq!(guest.write(a, b"ONE"), Ok(3));
    guest.set_flags(b, APPEND).unwrap();
    guest.seek(b, 0, 0).unwrap();
    assert_eq!(guest.write(b, b"!"), Ok(1));
    assert_eq!(guest.contents("f"), Ok(b"ONEtwothree!".to_vec()));
}

#[test]
fn flags_are_kept_and_shown() {
    let (_dir, mut guest) = guest();
    let fd = guest.open_full(ROOT, true, b"f", CREAT, (ALL, 0), APPEND | SYNC).unwrap();
    assert_eq!(u32::from(guest.fdstat(fd).unwrap().flags), APPEND | SYNC);
    guest.set_flags(fd, NONBLOCK).unwrap();
    assert_eq!(u32::from(guest.fdstat(fd).unwrap().flags), NONBLOCK | SYNC, "as on Linux, SYNC stays");
    guest.set_flags(fd, NONBLOCK | SYNC).unwrap();
    for added in [2, 8, 2 | SYNC] {
        assert_eq!(guest.set_flags(fd, added), Err(Errno::Inval), "{added:#x} cannot be added");
    }
    for unknown in [32, 0x1_0000, u32::MAX] {
        assert_eq!(guest.set_flags(fd, unknown), Err(Errno::Inval));
    }
    let dir = guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap();
    assert_eq!(guest.fdstat(dir).unwrap().flags, 0);
    assert_eq!(guest.fdstat(dir).unwrap().filetype, 3);
}

#[test]
fn sizes_are_set() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    let mut set = |size: u64| guest.call("fd_filestat_set_size", &[fd.into(), size]);
    assert_eq!(set(100), Ok(()));
    assert_eq!(set(10), Ok(()));
    assert_eq!(set(u64::MAX), Err(Errno::Inval));
    assert_eq!(set(1 << 63), Err(Errno::Inval));
    assert!(!matches!(set(i64::MAX as u64), Err(Errno::Io | Errno::Overflow)), "the host's own answer");
    guest.call("fd_filestat_set_size", &[fd.into(), 10]).unwrap();
    assert_eq!(guest.fd_stat(fd).unwrap().size, 10);

    let mut allocate = |offset: u64, len: u64| guest.call("fd_allocate", &[fd.into(), offset, len]);
    assert_eq!(allocate(0, 100), Ok(()));
    assert_eq!(allocate(10, 10), Ok(()), "never shrinks");
    assert_eq!(allocate(90, 20), Ok(()));
    assert_eq!(allocate(0, 0), Err(Errno::Inval));
    assert_eq!(allocate(1, u64::MAX), Err(Errno::Fbig));
    assert_eq!(allocate(i64::MAX as u64, 1), Err(Errno::Fbig));
    assert_eq!(guest.fd_stat(fd).unwrap().size, 110);

    let fd = guest.open("f", 0, ALL_BUT_WRITE).unwrap();
    assert_eq!(guest.call("fd_filestat_set_size", &[fd.into(), 0]), Err(Errno::Inval), "not open for writing");
}

#[test]
fn times_are_set() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    guest.call("fd_filestat_set_times", &[fd.into(), 1_500_000_000, 7, 1 | 4]).unwrap();
    let stat = guest.fd_stat(fd).unwrap();
    assert_eq!((stat.atim, stat.mtim), (1_500_000_000, 7));
    guest.call("fd_filestat_set_times", &[fd.into(), 0, 0, 8]).unwrap();
    let stat = guest.fd_stat(fd).unwrap();
    assert_eq!(stat.atim, 1_500_000_000);
    assert!(stat.mtim > 1_600_000_000_000_000_000);
    for flags in [3, 12, 16, u32::MAX] {
        assert_eq!(guest.call("fd_filestat_set_times", &[fd.into(), 1, 1, flags.into()]), Err(Errno::Inval));
    }
    for time in [0, 1 << 62, 1 << 63, u64::MAX] {
        let _ = guest.call("fd_filestat_set_times", &[fd.into(), time, time, 5]);
        guest.fd_stat(fd).unwrap();
    }
    let dir = guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap();
    guest.call("fd_filestat_set_times", &[dir.into(), 0, 99, 4]).unwrap();
    assert_eq!(guest.fd_stat(dir).unwrap().mtim, 99);
}

#[test]
fn files_of_other_centuries_can_be_described() {
    let (dir, mut guest) = guest();
    let file = std::fs::File::create(dir.path().join("f")).unwrap();
    for seconds in [-2_177_452_800i64, -1, 16_725_225_600, 1 << 33] {
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 5 };
        rustix::fs::futimens(&file, &rustix::fs::Timestamps { last_access: time, last_modification: time }).unwrap();
        let mtim = guest.stat("f").unwrap().mtim;
        if seconds < 0 {
            assert_eq!(mtim, 0, "before 1970");
        }
    }
}

#[test]
fn data_is_synchronised_and_access_advised() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    for fd in [fd, ROOT] {
        assert_eq!(guest.call("fd_sync", &[fd.into()]), Ok(()));
        assert_eq!(guest.call("fd_datasync", &[fd.into()]), Ok(()));
    }
    for advice in 0..6 {
        assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, advice]), Ok(()));
    }
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 6]), Err(Errno::Inval));
    assert_eq!(guest.call("fd_advise", &[fd.into(), u64::MAX, 1, 0]), Err(Errno::Inval));
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, u64::MAX, 0]), Err(Errno::Inval));
}

#[test]
fn directories_are_no_files() {
    let (_dir, mut guest) = guest();
    for fd in [ROOT, guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap()] {
        assert_eq!(guest.read(fd, 1), Err(Errno::Isdir));
        assert_eq!(guest.pread(fd, 1, 0), Err(Errno::Isdir));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
        assert_eq!(guest.pwrite(fd, b"x", 0), Err(Errno::Badf));
        assert_eq!(guest.seek(fd, 0, 1), Err(Errno::Badf));
        assert_eq!(guest.tell(fd), Err(Errno::Badf));
        assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 0]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_allocate", &[fd.into(), 0, 1]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_filestat_set_size", &[fd.into(), 0]), Err(Errno::Badf));
        assert_eq!(guest.call("sock_shutdown", &[fd.into(), 1]), Err(Errno::Notsock));
    }
}

#[test]
fn descriptor_numbers_move_and_are_reused() {
    let (_dir, mut guest) = guest();
    guest.create("a", b"a");
    guest.create("b", b"b");
    let a = guest.open("a", 0, ALL).unwrap();
    let b = guest.open("b", 0, ALL).unwrap();
    assert_eq!((a, b), (4, 5));
    let renumber = |guest: &mut Guest, from: u32, to: u32| guest.call("fd_renumber", &[from.into(), to.into()]);
    assert_eq!(renumber(&mut guest, a, a), Ok(()));
    for (from, to) in [(a, 6), (a, 99), (a, u32::MAX), (99, a), (u32::MAX, a), (6, 6), (a, 0), (0, a)] {
        assert_eq!(renumber(&mut guest, from, to), Err(Errno::Badf), "{from} to {to}");
    }
    assert_eq!(renumber(&mut guest, b, a), Ok(()));
    assert_eq!(guest.read(a, 9), Ok(b"b".to_vec()));
    assert_eq!(guest.read(b, 9), Err(Errno::Badf));
    assert_eq!(guest.close(b), Err(Errno::Badf));
    assert_eq!(guest.open("a", 0, READ), Ok(5), "the lowest free number");
    assert_eq!(renumber(&mut guest, 5, ROOT), Ok(()), "a granted directory can be replaced");
    assert_eq!(guest.open("a", 0, READ), Err(Errno::Notdir));
    assert_eq!(guest.call("fd_prestat_get", &[3, OUT.into()]), Err(Errno::Badf));
}

#[test]
fn a_granted_directory_moves_with_its_name() {
    let (_dir, mut guest) = guest();
    guest.create("a", b"a");
    let a = guest.open("a", 0, READ).unwrap();
    guest.call("fd_renumber", &[ROOT.into(), a.into()]).unwrap();
    assert_eq!(guest.call("fd_prestat_get", &[a.into(), OUT.into()]), Ok(()));
    assert_eq!(guest.call("fd_prestat_get", &[ROOT.into(), OUT.into()]), Err(Errno::Badf));
    assert_eq!(guest.open_full(a, true, b"a", 0, (READ, 0), 0), Ok(ROOT));
}

#[test]
fn granted_directories_say_their_names() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut builder = granted(one.path(), false);
    builder.dir(crate::support::host_dir(two.path()), "/data/ü", true);
    let mut guest = Guest::new(builder.build().unwrap());
    guest.put(OUT, &[0xaa; 16]);
    guest.call("fd_prestat_get", &[4, OUT.into()]).unwrap();
    assert_eq!(guest.bytes(OUT, 9), [0, 0, 0, 0, 8, 0, 0, 0, 0xaa], "padding is zero, nothing beyond");
    for (len, result) in [(7, Err(Errno::Nametoolong)), (0, Err(Errno::Nametoolong)), (8, Ok(())), (100, Ok(()))] {
        assert_eq!(guest.call("fd_prestat_dir_name", &[4, DATA.into(), len]), result);
    }
    assert_eq!(guest.bytes(DATA, 9), "/data/ü\0".as_bytes());
    for fd in [0, 1, 2, 5, u32::MAX] {
        assert_eq!(guest.call("fd_prestat_get", &[fd.into(), OUT.into()]), Err(Errno::Badf));
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd.into(), DATA.into(), 100]), Err(Errno::Badf));
    }
    let opened = guest.open(".", DIRECTORY, READ).unwrap();
    assert_eq!(guest.call("fd_prestat_get", &[opened.into(), OUT.into()]), Err(Errno::Badf), "only granted ones");
}

#[test]
fn descriptors_are_limited_and_nothing_is_created_past_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = granted(dir.path(), false);
    builder.max_fds(6);
    let mut guest = Guest::new(builder.build().unwrap());
    for name in ["a", "b"] {
        guest.open(name, CREAT, READ).unwrap();
    }
    assert_eq!(guest.open("c", CREAT, READ), Err(Errno::Mfile));
    assert_eq!(guest.stat("c"), Err(Errno::Noent));
    guest.close(4).unwrap();
    assert_eq!(guest.open("c", CREAT, READ), Ok(4));

    let mut builder = granted(dir.path(), false);
    builder.max_fds(3);
    assert!(builder.build().is_err());
    assert!(WasiCtx::builder().build().is_ok());
}

#[test]
fn nothing_leaks_descriptors() {
    alone("files::nothing_leaks_descriptors", || {
        let (_dir, mut guest) = guest();
        guest.create("f", b"");
        guest.open("f", 0, READ).unwrap();
        let before = open_fds();
        for _ in 0..20_000 {
            let fd = guest.open("f", 0, READ).unwrap();
            guest.call("fd_renumber", &[fd.into(), 4]).unwrap();
        }
        for _ in 0..1_000 {
            for path in ["missing/x", "f/x", "../x", "f/", "."] {
                if let Ok(fd) = guest.open(path, CREAT, ALL_BUT_WRITE) {
                    guest.close(fd).unwrap();
                }
                let _ = guest.rename(path, "f/");
            }
            guest.readdir_once(ROOT, 256, 0).unwrap();
        }
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn everything_fails_on_a_number_that_is_not_open() {
    let (_dir, mut guest) = guest();
    let file = guest.open("f", CREAT, READ | WRITE).unwrap();
    guest.close(file).unwrap();
    for fd in [0, 1, 2, file, 1023, 1024, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        for call in wasmr_wasi::MODULES[0].1 {
            let takes_fd = call.params.first().is_some_and(|param| ["fd", "old_fd"].contains(&param.name));
            if takes_fd {
                let mut slots = vec![0; call.params.len()];
                slots[0] = fd.into();
                assert_eq!(guest.call(call.name, &slots), Err(Errno::Badf), "{} on {fd}", call.name);
            }
        }
    }
}
