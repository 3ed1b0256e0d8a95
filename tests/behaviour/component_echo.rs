//! Servers in components under load: a TCP echo and a UDP echo, over IPv4 and IPv6.
//!
//! A server asks for any free port and prints its two bytes. The clients are threads of the test.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::harness::{Run, Running, Scratch};
use crate::tiers::{Tier, on_every_tier};
use crate::wasi_guest::{LISTS, component, family, operands};

/// Time after which a client that gets nothing fails.
const PATIENCE: Duration = Duration::from_secs(100);

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Prints the port of the address at 68, where `local-address` puts it.
const PRINT_PORT: &str = "(call $blocking-write (call $stdout) (i32.const 72) (i32.const 2) (i32.const 64))";

/// Returns a server that serves this number of connections, all at once, and then ends. It sends back what it receives, and ends
/// sending when the peer has.
///
/// A connection is a slot of 32 bytes from address 4096 on: input, output, socket, the pollables of input and output, and that of
/// them that the server waits for, or 0 when the connection has ended. A poll's list is at 8192, and the slots of its members at
/// 12288; the listener has slot 0.
fn tcp_server(ip: IpAddr, connections: u32) -> String {
    let address = SocketAddr::new(ip, 0);
    let (family, address) = (family(address), operands(address));
    component(&format!(
        r#"
    (global $count (mut i32) (i32.const 0))
    (global $members (mut i32) (i32.const 0))
    (func $watch (param $pollable i32) (param $slot i32)
        (i32.store (i32.add (i32.const 8192) (i32.shl (global.get $members) (i32.const 2))) (local.get $pollable))
        (i32.store (i32.add (i32.const 12288) (i32.shl (global.get $members) (i32.const 2))) (local.get $slot))
        (global.set $members (i32.add (global.get $members) (i32.const 1))))
    (func $slot (param $index i32) (result i32)
        (i32.add (i32.const 4096) (i32.shl (local.get $index) (i32.const 5))))
    (func $accept-one (param $listener i32)
        (local $slot i32)
        (local.set $slot (call $slot (global.get $count)))
        (call $accept (local.get $listener) (i32.const 64))
        (call $ok (i32.const 68))
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store offset=8 (local.get $slot) (i32.load (i32.const 68)))
        (i32.store offset=0 (local.get $slot) (i32.load (i32.const 72)))
        (i32.store offset=4 (local.get $slot) (i32.load (i32.const 76)))
        (i32.store offset=12 (local.get $slot) (call $subscribe-input (i32.load (i32.const 72))))
        (i32.store offset=16 (local.get $slot) (call $subscribe-output (i32.load (i32.const 76))))
        (i32.store offset=20 (local.get $slot) (i32.load offset=12 (local.get $slot))))
    (func $close (param $slot i32)
        (call $drop-pollable (i32.load offset=12 (local.get $slot)))
        (call $drop-pollable (i32.load offset=16 (local.get $slot)))
        (call $drop-input (i32.load offset=0 (local.get $slot)))
        (call $drop-output (i32.load offset=4 (local.get $slot)))
        (call $drop-tcp-socket (i32.load offset=8 (local.get $slot)))
        (i32.store offset=20 (local.get $slot) (i32.const 0)))
    ;; Moves bytes of one connection as far as both directions permit.
    (func $serve (param $slot i32)
        (local $permit i64)
        (global.set $next (i32.const {lists}))
        (call $check-write (i32.load offset=4 (local.get $slot)) (i32.const 64))
        (call $ok (i32.const 72))
        (local.set $permit (i64.load (i32.const 72)))
        (if (i64.eqz (local.get $permit)) (then
            (i32.store offset=20 (local.get $slot) (i32.load offset=16 (local.get $slot)))
            (return)))
        (i32.store offset=20 (local.get $slot) (i32.load offset=12 (local.get $slot)))
        (call $read (i32.load offset=0 (local.get $slot)) (local.get $permit) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then
            (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then (call $failed)))
            ;; The peer has ended sending.
            (call $shutdown (i32.load offset=8 (local.get $slot)) (i32.const 1) (i32.const 64))
            (call $ok (i32.const 65))
            (call $close (local.get $slot))
            (return)))
        (if (i32.load (i32.const 72)) (then
            (call $write
                (i32.load offset=4 (local.get $slot)) (i32.load (i32.const 68)) (i32.load (i32.const 72)) (i32.const 64))
            (call $ok (i32.const 68)))))
    (func (export "run") (result i32)
        (local $listener i32) (local $door i32) (local $index i32) (local $slot i32) (local $ready i32) (local $end i32)
        (call $create-tcp (i32.const {family}) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $listener (i32.load (i32.const 68)))
        (call $tcp-start-bind (local.get $listener) (call $network) {address} (i32.const 64))
        (call $ok (i32.const 65))
        (call $tcp-finish-bind (local.get $listener) (i32.const 64))
        (call $ok (i32.const 65))
        (call $start-listen (local.get $listener) (i32.const 64))
        (call $ok (i32.const 65))
        (call $finish-listen (local.get $listener) (i32.const 64))
        (call $ok (i32.const 65))
        (call $tcp-local-address (local.get $listener) (i32.const 64))
        (call $ok (i32.const 68))
        {PRINT_PORT}
        (local.set $door (call $subscribe-tcp (local.get $listener)))
        (loop $round
            (global.set $next (i32.const {LISTS}))
            (global.set $members (i32.const 0))
            (if (i32.lt_u (global.get $count) (i32.const {connections})) (then
                (call $watch (local.get $door) (i32.const 0))))
            (local.set $index (i32.const 0))
            (loop $slots
                (local.set $slot (call $slot (local.get $index)))
                (if (i32.load offset=20 (local.get $slot)) (then
                    (call $watch (i32.load offset=20 (local.get $slot)) (local.get $slot))))
                (local.set $index (i32.add (local.get $index) (i32.const 1)))
                (br_if $slots (i32.lt_u (local.get $index) (global.get $count))))
            (if (i32.eqz (global.get $members)) (then (return (i32.const 0))))
            (call $poll (i32.const 8192) (global.get $members) (i32.const 64))
            (local.set $ready (i32.load (i32.const 64)))
            (local.set $end (i32.add (local.get $ready) (i32.shl (i32.load (i32.const 68)) (i32.const 2))))
            (loop $found
                (local.set $slot (i32.load
                    (i32.add (i32.const 12288) (i32.shl (i32.load (local.get $ready)) (i32.const 2)))))
                (if (local.get $slot)
                    (then (call $serve (local.get $slot)))
                    (else (call $accept-one (local.get $listener))))
                (local.set $ready (i32.add (local.get $ready) (i32.const 4)))
                (br_if $found (i32.lt_u (local.get $ready) (local.get $end))))
            (br $round))
        unreachable)"#,
        // Beyond the list of a poll.
        lists = LISTS + 1024,
    ))
}

/// Returns a server that sends each datagram back to where it came from, and ends after an empty one.
///
/// A datagram of the list to send is 44 bytes from address 4096 on: those of the one received, with an option for the address.
fn udp_server(ip: IpAddr) -> String {
    let address = SocketAddr::new(ip, 0);
    let (family, address) = (family(address), operands(address));
    component(&format!(
        r#"
    (global $ended (mut i32) (i32.const 0))
    (func $convert (param $from i32) (param $to i32)
        (if (i32.eqz (i32.load offset=4 (local.get $from))) (then (global.set $ended (i32.const 1))))
        (i64.store (local.get $to) (i64.load (local.get $from)))
        (i32.store offset=8 (local.get $to) (i32.const 1))
        (memory.copy
            (i32.add (local.get $to) (i32.const 12)) (i32.add (local.get $from) (i32.const 8)) (i32.const 32)))
    (func (export "run") (result i32)
        (local $socket i32) (local $in i32) (local $out i32) (local $can-receive i32) (local $can-send i32)
        (local $from i32) (local $to i32) (local $left i32) (local $batch i32)
        (call $create-udp (i32.const {family}) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $socket (i32.load (i32.const 68)))
        (call $udp-start-bind (local.get $socket) (call $network) {address} (i32.const 64))
        (call $ok (i32.const 65))
        (call $udp-finish-bind (local.get $socket) (i32.const 64))
        (call $ok (i32.const 65))
        (call $udp-local-address (local.get $socket) (i32.const 64))
        (call $ok (i32.const 68))
        {PRINT_PORT}
        (call $datagrams (local.get $socket) (i32.const 0) {no_address} (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $in (i32.load (i32.const 68)))
        (local.set $out (i32.load (i32.const 72)))
        (local.set $can-receive (call $subscribe-incoming (local.get $in)))
        (local.set $can-send (call $subscribe-outgoing (local.get $out)))
        (loop $round
            (global.set $next (i32.const {LISTS}))
            (call $block (local.get $can-receive))
            (call $receive (local.get $in) (i64.const 10) (i32.const 64))
            (call $ok (i32.const 68))
            (local.set $from (i32.load (i32.const 68)))
            (local.set $left (i32.load (i32.const 72)))
            (local.set $to (i32.const 4096))
            (block $none
                (loop $datagram
                    (br_if $none (i32.eqz (local.get $left)))
                    (call $convert (local.get $from) (local.get $to))
                    (local.set $from (i32.add (local.get $from) (i32.const 40)))
                    (local.set $to (i32.add (local.get $to) (i32.const 44)))
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br $datagram)))
            (local.set $left (i32.div_u (i32.sub (local.get $to) (i32.const 4096)) (i32.const 44)))
            (local.set $from (i32.const 4096))
            (block $sent
                (loop $rest
                    (br_if $sent (i32.eqz (local.get $left)))
                    (call $check-send (local.get $out) (i32.const 64))
                    (call $ok (i32.const 72))
                    (local.set $batch (i32.load (i32.const 72)))
                    (if (i32.gt_u (local.get $batch) (local.get $left)) (then (local.set $batch (local.get $left))))
                    (call $send (local.get $out) (local.get $from) (local.get $batch) (i32.const 64))
                    (call $ok (i32.const 72))
                    (local.set $batch (i32.load (i32.const 72)))
                    (if (i32.eqz (local.get $batch)) (then (call $block (local.get $can-send))))
                    (local.set $left (i32.sub (local.get $left) (local.get $batch)))
                    (local.set $from (i32.add (local.get $from) (i32.mul (local.get $batch) (i32.const 44))))
                    (br $rest)))
            (br_if $round (i32.eqz (global.get $ended))))
        (i32.const 0))"#,
        no_address = "(i32.const 0) ".repeat(12),
    ))
}

/// Starts a server. Returns its address.
fn start(tier: Tier, ip: IpAddr, server: &str) -> (Running, SocketAddr) {
    let scratch = Scratch::new();
    let grant = format!("listen:{}", SocketAddr::new(ip, 0));
    let mut running = Run::on(tier).words(["--net", &grant]).word(scratch.file("server.wat", server)).start();
    let mut port = [0; 2];
    if running.child.stdout.as_mut().unwrap().read_exact(&mut port).is_err() {
        panic!("the server ended: {:#?}", running.end());
    }
    (running, SocketAddr::new(ip, u16::from_le_bytes(port)))
}

/// Returns bytes that differ from place to place.
fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(31) ^ at >> 8 ^ seed.wrapping_mul(97)) as u8).collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends messages and waits for each to come back, then ends sending.
fn talk(address: SocketAddr, messages: usize, seed: usize) {
    let mut stream = connect(address);
    for number in 0..messages {
        let sent = bytes(1 + (number * 37 + seed) % 1500, number + seed);
        stream.write_all(&sent).unwrap();
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, sent, "message {number} of client {seed}");
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "client {seed}");
}

/// Sends much, ends sending, and reads what comes back only when the server can send no more.
fn flood(address: SocketAddr, len: usize, seed: usize) {
    let stream = connect(address);
    let sent = bytes(len, seed);
    thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        thread::sleep(Duration::from_millis(200));
        let mut received = Vec::new();
        (&stream).read_to_end(&mut received).unwrap();
        assert!(received == sent, "client {seed}: {} of {len} bytes came back", received.len());
    });
}

/// Sends datagrams, a few at a time, until each has come back. A host may drop some.
fn exchange(address: SocketAddr, messages: usize, seed: usize) {
    let socket = UdpSocket::bind((if address.is_ipv4() { LOOPBACKS[0] } else { LOOPBACKS[1] }, 0)).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let message = |number: usize| {
        let len = if number % 100 == 99 { 60_000 } else { 4 + (number * 37 + seed) % 1400 };
        let mut message = bytes(len.max(4), number + seed);
        message[..4].copy_from_slice(&(number as u32).to_le_bytes());
        message
    };
    let mut buffer = vec![0; 1 << 16];
    for first in (0..messages).step_by(4) {
        let mut missing: Vec<usize> = (first..messages.min(first + 4)).collect();
        for _ in 0..200 {
            for number in &missing {
                socket.send(&message(*number)).unwrap();
            }
            while !missing.is_empty() {
                let len = match socket.recv(&mut buffer) {
                    Ok(len) => len,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                    Err(error) => panic!("client {seed}: {error}"),
                };
                let number = u32::from_le_bytes(buffer[..4].try_into().unwrap()) as usize;
                assert!(buffer[..len] == message(number), "message {number} of client {seed} came back changed");
                missing.retain(|other| *other != number);
            }
            if missing.is_empty() {
                break;
            }
        }
        assert_eq!(missing, [0; 0], "client {seed}: no answer");
    }
}

on_every_tier! {
    fn a_tcp_server_has_many_clients_at_once(tier) {
        for ip in LOOPBACKS {
            let (running, address) = start(tier, ip, &tcp_server(ip, 8));
            thread::scope(|scope| {
                for seed in 0..6 {
                    scope.spawn(move || talk(address, 300, seed));
                }
                // More than the buffers of both sockets hold, so that the server's writes have to wait.
                for seed in 6..8 {
                    scope.spawn(move || flood(address, 16 << 20, seed));
                }
            });
            running.end().exits(0).quietly();
        }
    }

    fn a_udp_server_answers_each_client(tier) {
        for ip in LOOPBACKS {
            let (running, address) = start(tier, ip, &udp_server(ip));
            thread::scope(|scope| {
                for seed in 0..4 {
                    scope.spawn(move || exchange(address, 500, seed));
                }
            });
            UdpSocket::bind((ip, 0)).unwrap().send_to(&[], address).unwrap();
            running.end().exits(0).quietly();
        }
    }
}
