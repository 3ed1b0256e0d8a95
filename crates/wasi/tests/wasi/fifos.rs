//! FIFOs: opening one waits for its other end, unless `NONBLOCK` or an interrupt prevents the wait.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::time::{ClockId, clock_gettime};
use wasmr_runtime::InterruptHandle;
use wasmr_wasi::{Errno, Exit};

use crate::support::{ALL, ALL_BUT_WRITE, CREAT, Guest, NONBLOCK, OUT, READ, ROOT, TRUNC, WRITE};

/// Delay of the other end in a test.
const LATE: Duration = Duration::from_millis(80);

/// Returns a guest, its directory with a FIFO `fifo`, and the FIFO's path on the host.
fn with_fifo() -> (tempfile::TempDir, Guest, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).unwrap();
    let guest = Guest::in_dir(dir.path());
    (dir, guest, path)
}

/// Runs `host` after a delay, while `guest` runs. Checks that `guest` takes at least as long.
fn while_waiting<T>(host: impl FnOnce() + Send, guest: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let begin = Instant::now();
        scope.spawn(|| {
            std::thread::sleep(LATE);
            host();
        });
        let result = guest();
        let took = begin.elapsed();
        assert!((LATE..Duration::from_secs(20)).contains(&took), "{took:?}");
        result
    })
}

fn writer(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

#[test]
fn a_reader_waits_for_a_writer_and_then_sees_what_it_writes() {
    let (_dir, mut guest, path) = with_fifo();
    let fd =
        while_waiting(|| writer(&path).write_all(b"late").unwrap(), || guest.open("fifo", 0, ALL_BUT_WRITE)).unwrap();
    assert_eq!(guest.read(fd, 99), Ok(b"late".to_vec()), "the read must not report the end");
    assert_eq!(guest.read(fd, 99), Ok(vec![]));
}

#[test]
fn a_writer_that_has_not_written_counts() {
    let (_dir, mut guest, path) = with_fifo();
    let mut silent = None;
    let fd = while_waiting(|| silent = Some(writer(&path)), || guest.open("fifo", 0, ALL_BUT_WRITE)).unwrap();
    guest.set_flags(fd, NONBLOCK).unwrap();
    assert_eq!(guest.read(fd, 1), Err(Errno::Again), "the writer is there");
    drop(silent);
    assert_eq!(guest.read(fd, 1), Ok(vec![]));
}

#[test]
fn a_writer_that_has_closed_counts() {
    let (_dir, mut guest, path) = with_fifo();
    let fd = while_waiting(|| drop(writer(&path)), || guest.open("fifo", 0, READ)).unwrap();
    assert_eq!(guest.read(fd, 1), Ok(vec![]));
}

#[test]
fn a_writer_waits_for_a_reader() {
    let (_dir, mut guest, path) = with_fifo();
    for oflags in [0, CREAT, CREAT | TRUNC] {
        let mut text = String::new();
        std::thread::scope(|scope| {
            let fd = while_waiting(
                || {
                    scope.spawn(|| File::open(&path).unwrap().read_to_string(&mut text).unwrap());
                },
                || guest.open("fifo", oflags, WRITE),
            );
            let fd = fd.unwrap();
            assert_eq!(guest.write(fd, b"through"), Ok(7));
            guest.close(fd).unwrap();
        });
        assert_eq!(text, "through");
    }
}

#[test]
fn a_writer_that_waits_keeps_the_file_that_it_named() {
    let (dir, mut guest, path) = with_fifo();
    let moved = dir.path().join("moved");
    let mut reader = None;
    let host = || {
        std::fs::rename(&path, &moved).unwrap();
        std::fs::write(&path, "another").unwrap();
        reader = Some(File::open(&moved).unwrap());
    };
    let fd = while_waiting(host, || guest.open("fifo", TRUNC, WRITE)).unwrap();
    assert_eq!(guest.write(fd, b"x"), Ok(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "another");
    drop(reader);
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Pipe));
}

#[test]
fn opening_does_not_wait_if_the_other_end_is_open() {
    let (_dir, mut guest, path) = with_fifo();
    let begin = Instant::now();
    let both = guest.open("fifo", 0, READ | WRITE).expect("opening for both must not wait, as on Linux");
    let reader = guest.open("fifo", 0, READ).unwrap();
    let writer = guest.open("fifo", 0, WRITE).unwrap();
    assert_eq!(guest.write(writer, b"through"), Ok(7));
    assert_eq!(guest.read(reader, 100), Ok(b"through".to_vec()));
    assert!(begin.elapsed() < Duration::from_secs(5));
    guest.open("fifo", 0, 0).expect("opening for neither must succeed");
    for fd in [both, reader, writer] {
        guest.close(fd).unwrap();
    }
    guest.open("fifo", 0, 0).expect("opening for neither must not wait for another end");
    assert!(guest.stat("fifo").is_ok() && path.exists());
}

#[test]
fn a_guest_that_must_not_wait_does_not() {
    let (_dir, mut guest, _) = with_fifo();
    let mut open = |base: u64| guest.open_full(ROOT, true, b"fifo", 0, (base, ALL), NONBLOCK);
    assert_eq!(open(WRITE), Err(Errno::Nxio));
    let reader = open(ALL_BUT_WRITE).unwrap();
    let writer = open(WRITE).unwrap();
    assert_eq!(guest.read(reader, 1), Err(Errno::Again));
    guest.close(writer).unwrap();
    assert_eq!(guest.read(reader, 8), Ok(vec![]), "no writer is left");
    let writer = guest.open("fifo", 0, WRITE).unwrap();
    assert_eq!(guest.write(writer, b"through"), Ok(7));
    assert_eq!(guest.read(reader, 100), Ok(b"through".to_vec()));
    assert_eq!(guest.seek(reader, 0, 0), Err(Errno::Spipe));
    assert_eq!(guest.pread(reader, 1, 0), Err(Errno::Spipe));
    assert_eq!(guest.fdstat(reader).unwrap().filetype, 0);
    guest.close(reader).unwrap();
    assert_eq!(guest.write(writer, b"x"), Err(Errno::Pipe));
}

#[test]
fn an_interrupt_ends_the_wait_and_nothing_stays_open() {
    let (_dir, mut guest, path) = with_fifo();
    for base in [READ, WRITE] {
        let handle = InterruptHandle::new();
        guest.ctx.set_interrupt_handle(Some(handle.clone()));
        let [at, len] = guest.path("fifo");
        let slots = [ROOT.into(), 1, at, len, 0, base, 0, 0, OUT.into()];
        let spent = || clock_gettime(ClockId::ThreadCPUTime);
        let before = spent();
        let ended = while_waiting(|| handle.interrupt(), || guest.try_call("path_open", &slots));
        assert_eq!(ended, Err(Exit::Interrupted));
        let after = spent();
        let nanoseconds = (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec;
        assert!(nanoseconds < 40_000_000, "the wait must not spin: {nanoseconds} ns");
        assert_eq!(guest.fdstat(ROOT + 1), Err(Errno::Badf), "no descriptor stays open");
        let alone = rustix::fs::open(&path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
        assert_eq!(alone.err(), Some(rustix::io::Errno::NXIO), "no reader is left");
    }
}

#[test]
fn a_socket_is_no_fifo() {
    let dir = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let mut guest = Guest::in_dir(dir.path());
    assert_eq!(guest.open("socket", 0, WRITE), Err(Errno::Nxio));
    assert_eq!(guest.open("socket", 0, READ), Err(Errno::Nxio));
}
