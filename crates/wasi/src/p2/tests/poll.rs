//! `wasi:io/poll` and the pollables of clocks and streams.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use wasmr_runtime::InterruptHandle;

use super::{FOLLOW, READ, WRITE, built, in_dir, open};
use crate::ctx::WasiCtx;
use crate::p2::filesystem::descriptor::{read_via_stream, write_via_stream};
use crate::p2::filesystem::paths::open_at;
use crate::p2::filesystem::types::OpenFlags;
use crate::p2::io::to_debug_string;
use crate::p2::output::OutputStream;
use crate::p2::poll::{block, poll, ready, subscribe_duration, subscribe_instant};
use crate::p2::streams::{self, StreamError, subscribe_input, subscribe_output};
use crate::p2::table::Own;
use crate::p2::{End, Misuse, P2Ctx, clocks};
use crate::stdio::Stdin;

#[test]
fn a_poll_of_nothing_traps() {
    let mut ctx = built(&mut WasiCtx::builder());
    assert_eq!(poll(&mut ctx, vec![]), Err(Misuse::EmptyPoll.into()));
}

#[test]
fn indices_are_of_the_list_and_duplicates_count() {
    let mut ctx = built(WasiCtx::builder().stdin(Stdin::Bytes(b"x".to_vec())));
    let never = subscribe_instant(&mut ctx, u64::MAX).unwrap().borrow();
    let past = subscribe_duration(&mut ctx, 0).unwrap().borrow();
    let stdin = streams::get_stdin(&mut ctx).unwrap();
    let input = subscribe_input(&mut ctx, stdin.borrow()).unwrap().borrow();
    assert_eq!(poll(&mut ctx, vec![never, past, never, input, past]), Ok(vec![1, 3, 4]));
    assert_eq!(ready(&mut ctx, never), Ok(false));
    // A time that has passed is ready at the second question too.
    for _ in 0..2 {
        assert_eq!(ready(&mut ctx, past), Ok(true));
        assert_eq!(block(&mut ctx, past), Ok(()));
        assert_eq!(poll(&mut ctx, vec![past]), Ok(vec![0]));
    }
}

#[test]
fn a_duration_passes() {
    let mut ctx = built(&mut WasiCtx::builder());
    let before = clocks::monotonic_now(&mut ctx).unwrap();
    let pollable = subscribe_duration(&mut ctx, 20_000_000).unwrap().borrow();
    assert_eq!(ready(&mut ctx, pollable), Ok(false));
    assert_eq!(block(&mut ctx, pollable), Ok(()));
    assert!(clocks::monotonic_now(&mut ctx).unwrap() - before >= 20_000_000);
    let at = subscribe_instant(&mut ctx, before).unwrap().borrow();
    assert_eq!(ready(&mut ctx, at), Ok(true));
    assert_eq!(clocks::monotonic_resolution(&mut ctx), Ok(1));
    assert!(clocks::wall_now(&mut ctx).unwrap().seconds > 1_700_000_000);
}

#[test]
fn a_stream_outlives_its_pollables() {
    let mut ctx = built(WasiCtx::builder().stdin(Stdin::Bytes(b"x".to_vec())));
    let stdin = streams::get_stdin(&mut ctx).unwrap();
    let stream = stdin.borrow();
    let pollable = subscribe_input(&mut ctx, stream).unwrap();
    let error = ctx.drop_resource(stdin).unwrap_err();
    assert_eq!(error.to_string(), "the input-stream was dropped, but 1 pollable of it is left");
    assert!(ctx.table().get(stream).is_ok(), "a trap changes nothing");
    ctx.drop_resource(pollable).unwrap();
    ctx.drop_resource(crate::p2::table::Own::<crate::p2::input::InputStream>::from_rep(stream.rep())).unwrap();
    assert!(ctx.table().is_empty());
}

#[test]
fn a_pipe_is_ready_when_bytes_come_and_when_its_writer_goes() {
    let dir = tempfile::tempdir().unwrap();
    mkfifoat(CWD, dir.path().join("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    // Open for both, so that no open waits.
    let both = open(&mut ctx, root, "fifo", OpenFlags::empty(), READ | WRITE).unwrap();
    let reader = read_via_stream(&mut ctx, both.borrow(), 0).unwrap().unwrap();
    let writer = write_via_stream(&mut ctx, both.borrow(), 0).unwrap().unwrap();
    let (can_read, can_write) = (
        subscribe_input(&mut ctx, reader.borrow()).unwrap().borrow(),
        subscribe_output(&mut ctx, writer.borrow()).unwrap().borrow(),
    );
    assert_eq!(ready(&mut ctx, can_read), Ok(false));
    assert_eq!(streams::read(&mut ctx, reader.borrow(), 9).unwrap(), Ok(vec![]), "nothing is there yet");
    assert_eq!(poll(&mut ctx, vec![can_read, can_write]), Ok(vec![1]));
    assert_eq!(streams::blocking_write_and_flush(&mut ctx, writer.borrow(), b"abc").unwrap(), Ok(()));
    assert_eq!(poll(&mut ctx, vec![can_read, can_write]), Ok(vec![0, 1]));
    assert_eq!(streams::read(&mut ctx, reader.borrow(), 2).unwrap(), Ok(b"ab".to_vec()));
    assert_eq!(streams::blocking_read(&mut ctx, reader.borrow(), 2).unwrap(), Ok(b"c".to_vec()));
    // A full pipe permits nothing, and all that was permitted arrives.
    let mut sent = 0;
    loop {
        let permit = streams::check_write(&mut ctx, writer.borrow()).unwrap().unwrap();
        if permit == 0 {
            break;
        }
        let bytes = vec![7; permit as usize];
        assert_eq!(streams::write(&mut ctx, writer.borrow(), &bytes).unwrap(), Ok(()));
        sent += permit;
    }
    assert_eq!(ready(&mut ctx, can_write), Ok(false));
    assert_eq!(poll(&mut ctx, vec![can_write, can_read]), Ok(vec![1]));
    let mut got = 0;
    while got < sent {
        got += streams::blocking_skip(&mut ctx, reader.borrow(), u64::MAX).unwrap().unwrap();
    }
    assert_eq!(got, sent);
    assert_eq!(ready(&mut ctx, can_write), Ok(true));
}

/// Returns a context with the writer of a full pipe, whose stream has a permit of before, and the pipe's reader of the host.
fn full_pipe(dir: &Path) -> (P2Ctx, Own<OutputStream>, u64, OwnedFd) {
    let path = dir.join("fifo");
    mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).unwrap();
    let open_host = |flags| rustix::fs::open(&path, flags | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let reader = open_host(OFlags::RDONLY);
    let (mut ctx, root) = in_dir(dir, false);
    let fifo = open(&mut ctx, root, "fifo", OpenFlags::empty(), WRITE).unwrap();
    let stream = write_via_stream(&mut ctx, fifo.borrow(), 0).unwrap().unwrap();
    let permit = streams::check_write(&mut ctx, stream.borrow()).unwrap().unwrap();
    // Another program fills the pipe.
    let other = open_host(OFlags::WRONLY);
    while rustix::io::write(&other, &[0; 4096]).is_ok() {}
    while rustix::io::write(&other, &[0]).is_ok() {}
    (ctx, stream, permit, reader)
}

/// Reads what is in the pipe.
fn read_now(reader: &OwnedFd) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = rustix::io::read(reader, &mut piece) {
        all.extend(&piece[..len]);
    }
    all
}

#[test]
fn bytes_that_the_host_does_not_take_yet_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, stream, permit, reader) = full_pipe(dir.path());
    let writer = stream.borrow();
    let can_write = subscribe_output(&mut ctx, writer).unwrap();
    assert_eq!(streams::write(&mut ctx, writer, &vec![7; permit as usize - 3]).unwrap(), Ok(()));
    assert_eq!(streams::write_zeroes(&mut ctx, writer, 3).unwrap(), Ok(()));
    assert_eq!(streams::flush(&mut ctx, writer).unwrap(), Ok(()));
    for _ in 0..2 {
        assert_eq!(streams::check_write(&mut ctx, writer).unwrap(), Ok(0), "the flush is not through");
        assert_eq!(ready(&mut ctx, can_write.borrow()), Ok(false));
    }
    let other = read_now(&reader);
    assert!(other.iter().all(|byte| *byte == 0));
    // The question lets the bytes go on their way.
    assert_eq!(ready(&mut ctx, can_write.borrow()), Ok(true));
    assert_eq!(read_now(&reader), [&vec![7; permit as usize - 3][..], &[0; 3]].concat());
    assert_eq!(streams::check_write(&mut ctx, writer).unwrap(), Ok(permit));
}

#[test]
fn a_flush_waits_for_bytes_that_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, stream, permit, reader) = full_pipe(dir.path());
    assert_eq!(streams::write(&mut ctx, stream.borrow(), &vec![7; permit as usize]).unwrap(), Ok(()));
    let bytes = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        let mut all = read_now(&reader);
        while !all.ends_with(&[7]) {
            all.extend(read_now(&reader));
        }
        all
    });
    assert_eq!(streams::blocking_flush(&mut ctx, stream.borrow()).unwrap(), Ok(()));
    assert!(bytes.join().unwrap().ends_with(&vec![7; permit as usize]));
}

#[test]
fn an_error_of_kept_bytes_is_reported_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, stream, permit, reader) = full_pipe(dir.path());
    let writer = stream.borrow();
    let can_write = subscribe_output(&mut ctx, writer).unwrap();
    assert_eq!(streams::write(&mut ctx, writer, &vec![7; permit as usize]).unwrap(), Ok(()));
    drop(reader);
    // The question finds the error, and the next operation returns it.
    assert_eq!(ready(&mut ctx, can_write.borrow()), Ok(true));
    let Err(StreamError::LastOperationFailed(error)) = streams::flush(&mut ctx, writer).unwrap() else {
        panic!("nobody reads the pipe");
    };
    assert_eq!(to_debug_string(&mut ctx, error.borrow()).unwrap(), "cannot write to a file or standard stream: pipe");
    for _ in 0..2 {
        assert_eq!(streams::check_write(&mut ctx, writer).unwrap(), Err(StreamError::Closed));
        assert_eq!(ready(&mut ctx, can_write.borrow()), Ok(true));
    }
}

#[test]
fn an_interrupt_ends_every_wait() {
    let dir = tempfile::tempdir().unwrap();
    mkfifoat(CWD, dir.path().join("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    // A FIFO without a writer, whose open waits for one.
    mkfifoat(CWD, dir.path().join("other"), Mode::from_raw_mode(0o600)).unwrap();
    let both = open(&mut ctx, root, "fifo", OpenFlags::empty(), READ | WRITE).unwrap();
    let reader = read_via_stream(&mut ctx, both.borrow(), 0).unwrap().unwrap().borrow();
    let writer = write_via_stream(&mut ctx, both.borrow(), 0).unwrap().unwrap().borrow();
    let pollable = subscribe_input(&mut ctx, reader).unwrap().borrow();
    let late = subscribe_instant(&mut ctx, u64::MAX).unwrap().borrow();
    type Wait<'a> = Box<dyn FnMut(&mut crate::p2::P2Ctx) -> Result<(), End> + 'a>;
    let waits: [(&str, Wait<'_>); 8] = [
        ("blocking-read", Box::new(|ctx| streams::blocking_read(ctx, reader, 1).map(drop))),
        ("blocking-skip", Box::new(|ctx| streams::blocking_skip(ctx, reader, 1).map(drop))),
        ("block", Box::new(|ctx| block(ctx, pollable))),
        ("poll", Box::new(|ctx| poll(ctx, vec![late, pollable]).map(drop))),
        ("blocking-splice", Box::new(|ctx| streams::blocking_splice(ctx, writer, reader, 1).map(drop))),
        (
            "blocking-write-and-flush",
            Box::new(|ctx| {
                loop {
                    streams::blocking_write_and_flush(ctx, writer, &[0; 4096])?.unwrap();
                }
            }),
        ),
        ("open-at", Box::new(|ctx| open_at(ctx, root, FOLLOW, "other".into(), OpenFlags::empty(), READ).map(drop))),
        // The pipe is full now, and the stream is to be writable after the flush.
        ("blocking-flush", Box::new(|ctx| streams::blocking_flush(ctx, writer).map(drop))),
    ];
    for (name, mut wait) in waits {
        let handle = InterruptHandle::new();
        ctx.wasi.set_interrupt_handle(Some(handle.clone()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                handle.interrupt();
            });
            let began = Instant::now();
            assert_eq!(wait(&mut ctx), Err(End::Interrupted), "{name}");
            assert!(began.elapsed() < Duration::from_secs(10), "{name}");
        });
    }
}
