//! `poll_oneoff`, and interrupts that end a wait.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use wasmr_runtime::InterruptHandle;
use wasmr_wasi::rights::POLL_FD_READWRITE;
use wasmr_wasi::{Errno, Exit, Stdin, Stdout, WasiCtx};

use crate::support::{ALL, ALL_BUT_WRITE, CREAT, DATA, Guest, MEMORY, NONBLOCK, OUT, ROOT, WRITE, alone, granted};

pub const REALTIME: u32 = 0;
pub const MONOTONIC: u32 = 1;
pub const READ_EVENT: u8 = 1;
pub const WRITE_EVENT: u8 = 2;
const MS: u64 = 1_000_000;

const SUBS: u32 = DATA;
const EVENTS: u32 = DATA + 0x1_0000;

/// Returns a subscription of 48 bytes. Unused bytes are garbage.
pub fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut bytes = [0xaa; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = 0;
    bytes[16..20].copy_from_slice(&id.to_le_bytes());
    bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
    bytes[40..42].copy_from_slice(&flags.to_le_bytes());
    bytes
}

pub fn on_fd(userdata: u64, eventtype: u8, fd: u32) -> [u8; 48] {
    let mut bytes = [0xaa; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = eventtype;
    bytes[16..20].copy_from_slice(&fd.to_le_bytes());
    bytes
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Event {
    userdata: u64,
    error: Errno,
    eventtype: u8,
    nbytes: u64,
    hangup: bool,
}

pub fn ok(userdata: u64, eventtype: u8, nbytes: u64) -> Event {
    Event { userdata, error: Errno::Success, eventtype, nbytes, hangup: false }
}

pub fn failed(userdata: u64, eventtype: u8, error: Errno) -> Event {
    Event { error, ..ok(userdata, eventtype, 0) }
}

pub fn put(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> [u64; 4] {
    for (i, subscription) in subscriptions.iter().enumerate() {
        guest.put(SUBS + 48 * i as u32, subscription);
    }
    [SUBS.into(), EVENTS.into(), subscriptions.len() as u64, OUT.into()]
}

pub fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<Event>, Errno> {
    let slots = put(guest, subscriptions);
    guest.put(EVENTS, &[0xaa; 32 * 8]);
    guest.call("poll_oneoff", &slots)?;
    let count = guest.u32(OUT);
    let at = |i: u32| EVENTS + 32 * i;
    assert_eq!(guest.bytes(at(count), 32), [0xaa; 32], "no event beyond the count");
    let events = (0..count).map(|i| {
        for hole in [at(i) + 11..at(i) + 16, at(i) + 26..at(i) + 32] {
            assert!(guest.bytes(hole.start, hole.end - hole.start).iter().all(|b| *b == 0), "padding is zero");
        }
        Event {
            userdata: guest.u64(at(i)),
            error: Errno::ALL[guest.u16(at(i) + 8) as usize],
            eventtype: guest.bytes(at(i) + 10, 1)[0],
            nbytes: guest.u64(at(i) + 16),
            hangup: guest.u16(at(i) + 24) == 1,
        }
    });
    Ok(events.collect())
}

fn guest() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::in_dir(dir.path());
    (dir, guest)
}

/// Returns a guest with both ends of a FIFO: reader, writer.
fn with_fifo(handle: Option<&InterruptHandle>) -> (tempfile::TempDir, Guest, u32, u32) {
    let dir = tempfile::tempdir().unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("fifo"), mode).unwrap();
    let mut guest = Guest::new(granted(dir.path(), false).build().unwrap());
    guest.ctx.set_interrupt_handle(handle.cloned());
    let reader = guest.open_full(ROOT, true, b"fifo", 0, (ALL_BUT_WRITE, ALL), NONBLOCK).unwrap();
    guest.set_flags(reader, 0).unwrap();
    let writer = guest.open("fifo", 0, ALL & !crate::support::READ).unwrap();
    (dir, guest, reader, writer)
}

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[test]
fn the_number_of_subscriptions_is_limited() {
    let (_dir, mut guest) = guest();
    for count in [0, 4097] {
        assert_eq!(guest.call("poll_oneoff", &[0, 0, count, OUT.into()]), Err(Errno::Inval), "{count}");
    }
    for count in [MEMORY as u64 / 48 + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX.into()] {
        guest.fault("poll_oneoff", &[SUBS.into(), EVENTS.into(), count, OUT.into()]);
    }
    // All zeros mean a realtime clock and no time to wait.
    guest.memory = vec![0; 1 << 20];
    guest.call("poll_oneoff", &[0, 1 << 18, 4096, 1 << 19]).unwrap();
    assert_eq!(guest.u32(1 << 19), 4096);
}

#[test]
fn malformed_subscriptions_are_refused() {
    let (_dir, mut guest) = guest();
    for bad in
        [clock(1, 4, 0, 0), clock(1, u32::MAX, 0, 0), clock(1, MONOTONIC, 0, 2), on_fd(1, 3, 0), on_fd(1, 255, 0)]
    {
        assert_eq!(poll(&mut guest, &[bad]), Err(Errno::Inval));
    }
}

#[test]
fn clocks_wake_in_order_and_on_time() {
    let (_dir, mut guest) = guest();
    let begin = Instant::now();
    assert_eq!(
        poll(&mut guest, &[clock(1, MONOTONIC, 60 * MS, 0), clock(2, REALTIME, 5000 * MS, 0)]),
        Ok(vec![ok(1, 0, 0)])
    );
    let took = begin.elapsed();
    assert!((Duration::from_millis(60)..Duration::from_secs(2)).contains(&took), "{took:?}");

    let begin = Instant::now();
    assert_eq!(poll(&mut guest, &[clock(3, MONOTONIC, monotonic() + 40 * MS, 1)]), Ok(vec![ok(3, 0, 0)]));
    assert!(begin.elapsed() >= Duration::from_millis(39));
    for past in [clock(4, MONOTONIC, 0, 1), clock(4, REALTIME, 1, 1), clock(4, MONOTONIC, 0, 0)] {
        assert_eq!(poll(&mut guest, &[past]), Ok(vec![ok(4, 0, 0)]));
    }
    let both = [clock(5, MONOTONIC, 0, 0), clock(6, REALTIME, 0, 0), clock(7, MONOTONIC, u64::MAX, 0)];
    assert_eq!(poll(&mut guest, &both), Ok(vec![ok(5, 0, 0), ok(6, 0, 0)]));
    for id in [2, 3] {
        assert_eq!(poll(&mut guest, &[clock(8, id, 0, 0)]), Ok(vec![failed(8, 0, Errno::Notsup)]));
    }
}

#[test]
fn waiting_takes_no_cpu_time() {
    let (_dir, mut guest, reader, _) = with_fifo(None);
    let before = clock_gettime(ClockId::ThreadCPUTime);
    let subscriptions = [on_fd(1, READ_EVENT, reader), clock(2, MONOTONIC, 300 * MS, 0)];
    assert_eq!(poll(&mut guest, &subscriptions), Ok(vec![ok(2, 0, 0)]));
    let after = clock_gettime(ClockId::ThreadCPUTime);
    let spent = (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec;
    assert!(spent < 100 * MS as i64, "{spent} ns");
}

#[test]
fn bad_descriptors_are_events_beside_the_others() {
    let (_dir, mut guest) = guest();
    let begin = Instant::now();
    let events = poll(
        &mut guest,
        &[
            on_fd(1, READ_EVENT, 99),
            clock(2, MONOTONIC, 5000 * MS, 0),
            on_fd(3, WRITE_EVENT, u32::MAX),
            on_fd(4, READ_EVENT, 0),
        ],
    );
    let bad = |userdata, eventtype| failed(userdata, eventtype, Errno::Badf);
    assert_eq!(events, Ok(vec![bad(1, READ_EVENT), bad(3, WRITE_EVENT), bad(4, READ_EVENT)]));
    assert!(begin.elapsed() < Duration::from_secs(2));

    let fd = guest.open("f", CREAT, ALL).unwrap();
    let base = guest.fdstat(fd).unwrap().base;
    guest.call("fd_fdstat_set_rights", &[fd.into(), base & !POLL_FD_READWRITE, 0]).unwrap();
    assert_eq!(poll(&mut guest, &[on_fd(5, READ_EVENT, fd)]), Ok(vec![failed(5, READ_EVENT, Errno::Notcapable)]));
}

#[test]
fn files_are_always_ready() {
    let (_dir, mut guest) = guest();
    guest.create("f", b"0123456789");
    let fd = guest.open("f", 0, ALL).unwrap();
    guest.seek(fd, 3, 0).unwrap();
    let events =
        poll(&mut guest, &[on_fd(1, READ_EVENT, fd), on_fd(2, WRITE_EVENT, fd), clock(3, MONOTONIC, 5000 * MS, 0)]);
    assert_eq!(events, Ok(vec![ok(1, READ_EVENT, 7), ok(2, WRITE_EVENT, 1)]));
    guest.seek(fd, 100, 0).unwrap();
    assert_eq!(poll(&mut guest, &[on_fd(1, READ_EVENT, fd)]), Ok(vec![ok(1, READ_EVENT, 0)]), "past the end");
    assert_eq!(poll(&mut guest, &[on_fd(1, READ_EVENT, ROOT)]), Ok(vec![ok(1, READ_EVENT, 1)]), "a directory");
}

#[test]
fn streams_in_memory_are_always_ready() {
    let mut builder = WasiCtx::builder();
    builder.stdin(Stdin::Bytes(b"four".to_vec())).stdout(Stdout::Discard);
    let mut guest = Guest::new(builder.build().unwrap());
    let events = poll(&mut guest, &[on_fd(1, READ_EVENT, 0), on_fd(2, WRITE_EVENT, 1)]);
    assert_eq!(events, Ok(vec![ok(1, READ_EVENT, 4), ok(2, WRITE_EVENT, 1)]));
}

#[test]
fn poll_reports_pipes_that_are_ready() {
    let (_dir, mut guest, reader, writer) = with_fifo(None);
    let wait = clock(9, MONOTONIC, 30 * MS, 0);
    let both = [on_fd(1, READ_EVENT, reader), on_fd(2, WRITE_EVENT, writer), wait];
    assert_eq!(poll(&mut guest, &both[..1].iter().chain(&[wait]).copied().collect::<Vec<_>>()), Ok(vec![ok(9, 0, 0)]));
    assert_eq!(poll(&mut guest, &both), Ok(vec![ok(2, WRITE_EVENT, 1)]));
    guest.write(writer, b"hello").unwrap();
    assert_eq!(poll(&mut guest, &both), Ok(vec![ok(1, READ_EVENT, 5), ok(2, WRITE_EVENT, 1)]));
    guest.close(writer).unwrap();
    let hangup = Event { hangup: true, ..ok(1, READ_EVENT, 5) };
    assert_eq!(poll(&mut guest, &both[..1]), Ok(vec![hangup]));
    guest.read(reader, 5).unwrap();
    assert_eq!(poll(&mut guest, &both[..1]), Ok(vec![Event { nbytes: 0, ..hangup }]));
}

#[test]
fn a_writer_wakes_a_reader() {
    let (dir, mut guest, reader, writer) = with_fifo(None);
    guest.close(writer).unwrap();
    let path = dir.path().join("fifo");
    let held = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            std::io::Write::write_all(&mut &held, b"late").unwrap();
        });
        assert_eq!(
            guest.read(reader, 9),
            Ok(b"late".to_vec()),
            "a read waits, although the host's descriptor does not"
        );
    });
}

/// Runs `body` on a guest and interrupts it meanwhile. Returns the time until it ended.
fn interrupted(handle: &InterruptHandle, body: impl FnOnce() -> Result<u32, Exit>) -> Duration {
    std::thread::scope(|scope| {
        let begin = Instant::now();
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(80));
            handle.interrupt();
        });
        assert_eq!(body(), Err(Exit::Interrupted));
        begin.elapsed()
    })
}

#[test]
fn an_interrupt_ends_sleep() {
    let handle = InterruptHandle::new();
    let (_dir, mut guest, reader, _) = with_fifo(Some(&handle));
    let slots = put(&mut guest, &[clock(1, MONOTONIC, 3_600_000 * MS, 0), on_fd(2, READ_EVENT, reader)]);
    let took = interrupted(&handle, || guest.try_call("poll_oneoff", &slots));
    assert!(took < Duration::from_millis(1080), "{took:?}");
    assert_eq!(guest.try_call("poll_oneoff", &slots), Err(Exit::Interrupted), "and every later wait");
    assert_eq!(guest.try_call("sched_yield", &[]), Err(Exit::Interrupted));
    assert_eq!(guest.try_call("random_get", &[0, 9]), Err(Exit::Interrupted));
}

#[test]
fn an_interrupt_ends_sleep_without_descriptors_to_watch_it_with() {
    alone("polling::an_interrupt_ends_sleep_without_descriptors_to_watch_it_with", || {
        let handle = InterruptHandle::new();
        let (_dir, mut guest, reader, _) = with_fifo(Some(&handle));
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum: Some(3) }).unwrap();
        assert!(handle.wake().is_err());
        let slots = put(&mut guest, &[clock(1, MONOTONIC, 3_600_000 * MS, 0), on_fd(2, READ_EVENT, reader)]);
        let took = interrupted(&handle, || guest.try_call("poll_oneoff", &slots));
        assert!(took < Duration::from_millis(1080), "{took:?}");
        handle.clear();
        assert_eq!(
            poll(&mut guest, &[clock(1, MONOTONIC, 120 * MS, 0)]),
            Ok(vec![ok(1, 0, 0)]),
            "a wait must continue after each of its slices"
        );
    });
}

#[test]
fn an_interrupt_ends_blocked_reads_and_writes() {
    let handle = InterruptHandle::new();
    let (_dir, mut guest, reader, writer) = with_fifo(Some(&handle));
    guest.set_flags(writer, NONBLOCK).unwrap();
    while guest.write(writer, &[0; 4096]).is_ok() {}
    assert_eq!(guest.write(writer, b"x"), Err(Errno::Again));
    guest.set_flags(writer, 0).unwrap();
    guest.put(0x800, &DATA.to_le_bytes());
    guest.put(0x804, &4096u32.to_le_bytes());
    let write = [writer.into(), 0x800, 1, OUT.into()];
    interrupted(&handle, || guest.try_call("fd_write", &write));

    let handle = InterruptHandle::new();
    let (_dir, mut guest, reader_2, _writer) = with_fifo(Some(&handle));
    assert_eq!(reader, reader_2);
    guest.put(0x800, &DATA.to_le_bytes());
    guest.put(0x804, &8u32.to_le_bytes());
    let read = [reader.into(), 0x800, 1, OUT.into()];
    interrupted(&handle, || guest.try_call("fd_read", &read));
}

#[test]
fn an_interruptible_guest_reads_and_writes() {
    let handle = InterruptHandle::new();
    let (_dir, mut guest, reader, writer) = with_fifo(Some(&handle));
    assert_eq!(guest.write(writer, b"through"), Ok(7));
    assert_eq!(guest.read(reader, 99), Ok(b"through".to_vec()));
    let fd = guest.open("f", CREAT, WRITE).unwrap();
    assert_eq!(guest.write(fd, &[1; 10_000]), Ok(10_000));
    assert_eq!(poll(&mut guest, &[clock(1, MONOTONIC, MS, 0)]), Ok(vec![ok(1, 0, 0)]));
}
