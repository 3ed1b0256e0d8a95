//! Connections on granted listeners.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use wasmr_runtime::InterruptHandle;
use wasmr_wasi::rights;
use wasmr_wasi::{Errno, Exit};

use crate::support::{DATA, Guest, NONBLOCK, OUT, granted};

const LISTENER: u32 = 4;

/// Returns a guest with a directory and a listener, and the listener's address.
fn listening(handle: Option<&InterruptHandle>, max_fds: u32) -> (tempfile::TempDir, Guest, SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut builder = granted(dir.path(), false);
    builder.listener(listener).max_fds(max_fds);
    let mut guest = Guest::new(builder.build().unwrap());
    guest.ctx.set_interrupt_handle(handle.cloned());
    (dir, guest, address)
}

fn accept(guest: &mut Guest, flags: u32) -> Result<u32, Errno> {
    guest.call("sock_accept", &[LISTENER.into(), flags.into(), OUT.into()])?;
    Ok(guest.u32(OUT))
}

/// Writes an iovec array with these lengths. The buffers follow each other from `DATA`.
fn iovecs(guest: &mut Guest, lens: &[u32]) -> [u64; 2] {
    let mut at = DATA;
    for (i, len) in lens.iter().enumerate() {
        guest.put(0x800 + 8 * i as u32, &at.to_le_bytes());
        guest.put(0x804 + 8 * i as u32, &len.to_le_bytes());
        at += len;
    }
    [0x800, lens.len() as u64]
}

/// Calls `sock_recv`. Returns the bytes and `ro_flags`.
fn recv(guest: &mut Guest, fd: u32, lens: &[u32], flags: u32) -> Result<(Vec<u8>, u16), Errno> {
    let [iovs, count] = iovecs(guest, lens);
    guest.call("sock_recv", &[fd.into(), iovs, count, flags.into(), OUT.into(), (OUT + 4).into()])?;
    Ok((guest.bytes(DATA, guest.u32(OUT)).to_vec(), guest.u16(OUT + 4)))
}

fn send(guest: &mut Guest, fd: u32, bytes: &[u8], flags: u32) -> Result<u32, Errno> {
    guest.put(DATA, bytes);
    let [iovs, count] = iovecs(guest, &[bytes.len() as u32]);
    guest.call("sock_send", &[fd.into(), iovs, count, flags.into(), OUT.into()])?;
    Ok(guest.u32(OUT))
}

/// Returns a guest with one connection, and its other end.
fn connected() -> (tempfile::TempDir, Guest, u32, TcpStream) {
    let (dir, mut guest, address) = listening(None, 1024);
    let client = TcpStream::connect(address).unwrap();
    let fd = accept(&mut guest, 0).unwrap();
    (dir, guest, fd, client)
}

#[test]
fn a_listener_follows_the_directories_and_is_not_one() {
    let (_dir, mut guest, _) = listening(None, 1024);
    let fdstat = guest.fdstat(LISTENER).unwrap();
    assert_eq!((fdstat.filetype, fdstat.base, fdstat.inheriting), (6, rights::LISTENER, rights::SOCKET));
    assert_eq!(guest.call("fd_prestat_get", &[LISTENER.into(), OUT.into()]), Err(Errno::Badf));
    assert_eq!(guest.read(LISTENER, 1), Err(Errno::Badf));
    assert_eq!(guest.write(LISTENER, b"x"), Err(Errno::Badf));
    assert_eq!(guest.seek(LISTENER, 0, 1), Err(Errno::Spipe));
    assert_eq!(guest.fd_stat(LISTENER).map(|s| s.filetype), Ok(6));
}

#[test]
fn accepting_waits_unless_nonblocking() {
    let (_dir, mut guest, address) = listening(None, 1024);
    guest.set_flags(LISTENER, NONBLOCK).unwrap();
    assert_eq!(accept(&mut guest, 0), Err(Errno::Again));
    guest.set_flags(LISTENER, 0).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            TcpStream::connect(address).unwrap().write_all(b"hi").unwrap();
        });
        assert_eq!(accept(&mut guest, NONBLOCK), Ok(5));
    });
    let fdstat = guest.fdstat(5).unwrap();
    assert_eq!((fdstat.filetype, u32::from(fdstat.flags), fdstat.base), (6, NONBLOCK, rights::SOCKET));
    for flags in [1, 2, 8, 16, 0x1_0000, u32::MAX] {
        assert_eq!(accept(&mut guest, flags), Err(Errno::Inval), "flags {flags:#x}");
    }
}

#[test]
fn bytes_go_both_ways() {
    let (_dir, mut guest, fd, mut client) = connected();
    client.write_all(b"hello").unwrap();
    assert_eq!(recv(&mut guest, fd, &[2, 1], 1), Ok((b"hel".to_vec(), 0)), "peek");
    assert_eq!(recv(&mut guest, fd, &[2, 10], 0), Ok((b"hello".to_vec(), 0)));
    assert_eq!(send(&mut guest, fd, b"world", 0), Ok(5));
    assert_eq!(guest.write(fd, b"!"), Ok(1));
    let mut buf = [0; 6];
    client.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"world!");
    client.write_all(b"plain").unwrap();
    assert_eq!(guest.read(fd, 99), Ok(b"plain".to_vec()));
    for flags in [4, 0x1_0000, u32::MAX] {
        assert_eq!(recv(&mut guest, fd, &[1], flags).map(drop), Err(Errno::Inval));
        assert_eq!(send(&mut guest, fd, b"x", flags), Err(Errno::Inval));
    }
}

#[test]
fn waitall_waits_for_all() {
    let (_dir, mut guest, fd, mut client) = connected();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for part in [&b"on"[..], b"e two ", b"three"] {
                client.write_all(part).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert_eq!(recv(&mut guest, fd, &[4, 5], 2), Ok((b"one two t".to_vec(), 0)));
    });
    drop(client);
    assert_eq!(recv(&mut guest, fd, &[99], 2), Ok((b"hree".to_vec(), 0)), "the peer has ended the stream");
    assert_eq!(recv(&mut guest, fd, &[99], 0), Ok((vec![], 0)));
}

#[test]
fn only_nonblocking_connections_return_again() {
    let (_dir, mut guest, fd, client) = connected();
    guest.set_flags(fd, NONBLOCK).unwrap();
    assert_eq!(recv(&mut guest, fd, &[1], 0).map(drop), Err(Errno::Again));
    assert_eq!(guest.read(fd, 1), Err(Errno::Again));
    while send(&mut guest, fd, &[0; 65536], 0).is_ok() {}
    assert_eq!(send(&mut guest, fd, b"x", 0), Err(Errno::Again));
    guest.set_flags(fd, 0).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            (&client).write_all(b"late").unwrap();
        });
        assert_eq!(recv(&mut guest, fd, &[9], 0), Ok((b"late".to_vec(), 0)));
    });
}

#[test]
fn shutting_down_ends_one_direction() {
    let (_dir, mut guest, fd, mut client) = connected();
    for how in [0, 4, 255, u64::from(u32::MAX)] {
        assert_eq!(guest.call("sock_shutdown", &[fd.into(), how]), Err(Errno::Inval));
    }
    guest.call("sock_shutdown", &[fd.into(), 2]).unwrap();
    assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    assert_eq!(send(&mut guest, fd, b"x", 0), Err(Errno::Pipe), "and no signal");
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Pipe));
    client.write_all(b"still").unwrap();
    assert_eq!(recv(&mut guest, fd, &[9], 0), Ok((b"still".to_vec(), 0)));
    guest.call("sock_shutdown", &[fd.into(), 1]).unwrap();
    assert_eq!(recv(&mut guest, fd, &[9], 0), Ok((vec![], 0)));
}

#[test]
fn other_descriptors_are_not_sockets() {
    let (_dir, mut guest, _) = listening(None, 1024);
    let file = guest.open("f", crate::support::CREAT, crate::support::ALL).unwrap();
    for (fd, errno) in [(file, Errno::Notsock), (3, Errno::Notsock), (99, Errno::Badf), (0, Errno::Badf)] {
        assert_eq!(recv(&mut guest, fd, &[1], 0).map(drop), Err(errno));
        assert_eq!(send(&mut guest, fd, b"x", 0), Err(errno));
        assert_eq!(guest.call("sock_shutdown", &[fd.into(), 1]), Err(errno));
        assert_eq!(guest.call("sock_accept", &[fd.into(), 0, OUT.into()]), Err(errno));
    }
    assert_eq!(guest.call("sock_shutdown", &[LISTENER.into(), 1]), Err(Errno::Notconn));
}

#[test]
fn a_connection_waits_while_no_number_is_free() {
    let (_dir, mut guest, address) = listening(None, 6);
    let mut clients: Vec<_> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(accept(&mut guest, 0), Ok(5));
    assert_eq!(accept(&mut guest, 0), Err(Errno::Mfile));
    guest.close(5).unwrap();
    assert_eq!(accept(&mut guest, 0), Ok(5));
    clients[1].write_all(b"second").unwrap();
    assert_eq!(recv(&mut guest, 5, &[9], 0), Ok((b"second".to_vec(), 0)));
}

#[test]
fn listeners_and_connections_can_be_polled() {
    let (_dir, mut guest, address) = listening(None, 1024);
    let mut client = TcpStream::connect(address).unwrap();
    let ready = |guest: &mut Guest, fd: u32| {
        guest.memory[DATA as usize..][..96].fill(0);
        guest.put(DATA + 8, &[1]);
        guest.put(DATA + 16, &fd.to_le_bytes());
        guest.call("poll_oneoff", &[DATA.into(), (DATA + 256).into(), 1, OUT.into()]).unwrap();
        (guest.u32(OUT), guest.u16(DATA + 256 + 8), guest.u64(DATA + 256 + 16), guest.u16(DATA + 256 + 24))
    };
    assert_eq!(ready(&mut guest, LISTENER), (1, 0, 1, 0), "a connection waits");
    let fd = accept(&mut guest, 0).unwrap();
    client.write_all(b"12345").unwrap();
    assert_eq!(ready(&mut guest, fd), (1, 0, 5, 0));
    guest.read(fd, 5).unwrap();
    drop(client);
    assert_eq!(ready(&mut guest, fd).0, 1, "the end can be read");
}

#[test]
fn an_interrupt_ends_waiting_for_the_network() {
    let handle = InterruptHandle::new();
    let (_dir, mut guest, address) = listening(Some(&handle), 1024);
    let _client = TcpStream::connect(address).unwrap();
    let fd = accept(&mut guest, 0).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            handle.interrupt();
        });
        let [iovs, count] = iovecs(&mut guest, &[1]);
        let slots = [fd.into(), iovs, count, 0, OUT.into(), (OUT + 4).into()];
        assert_eq!(guest.try_call("sock_recv", &slots), Err(Exit::Interrupted));
    });
    let accept = [LISTENER.into(), 0, OUT.into()];
    assert_eq!(guest.try_call("sock_accept", &accept), Err(Exit::Interrupted));
}
