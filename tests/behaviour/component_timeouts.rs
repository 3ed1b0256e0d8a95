//! `--timeout` ends every call of WASI 0.2 that waits.
//!
//! A guest makes a call that would wait for an hour, or for ever. The test passes if the process ends with the exit code of a
//! timeout long before. All guests of a configuration run at once, because they mostly sleep.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::component_sockets::client;
use crate::harness::{Run, Scratch};
use crate::tiers::on_every_tier;
use crate::wasi_guest::{LISTS, component, operands};

/// Bytes on the standard input of a guest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// The other end says nothing.
    Silent,
    /// The other end never stops.
    Endless,
}

/// Calls on standard streams and clocks: a name for messages, the input, and the body of `run`. Nobody reads the standard output.
const WAITS: &[(&str, Input, &str)] = &[
    (
        "poll",
        Input::Silent,
        "(i32.store (i32.const 4096) (call $after (i64.const 3600000000000)))
         (i32.store (i32.const 4100) (call $subscribe-input (call $stdin)))
         (call $poll (i32.const 4096) (i32.const 2) (i32.const 64))",
    ),
    ("a duration", Input::Silent, "(call $block (call $after (i64.const 3600000000000)))"),
    ("an instant", Input::Silent, "(call $block (call $at (i64.const -1)))"),
    ("pollable.block", Input::Silent, "(call $block (call $subscribe-input (call $stdin)))"),
    ("blocking-read", Input::Silent, "(call $blocking-read (call $stdin) (i64.const 1) (i32.const 64))"),
    ("blocking-read of nothing", Input::Silent, "(call $blocking-read (call $stdin) (i64.const 0) (i32.const 64))"),
    ("blocking-skip", Input::Silent, "(call $blocking-skip (call $stdin) (i64.const 1) (i32.const 64))"),
    (
        "blocking-read of endless input",
        Input::Endless,
        "(local $in i32)
         (local.set $in (call $stdin))
         (loop $more
             (global.set $next (i32.const LISTS))
             (call $blocking-read (local.get $in) (i64.const 65536) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
    (
        "blocking-write-and-flush",
        Input::Silent,
        "(local $out i32)
         (local.set $out (call $stdout))
         (loop $more
             (call $blocking-write (local.get $out) (i32.const 4096) (i32.const 4096) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
    (
        "blocking-write-zeroes-and-flush",
        Input::Silent,
        "(local $out i32)
         (local.set $out (call $stdout))
         (loop $more
             (call $blocking-zeroes (local.get $out) (i64.const 4096) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
    (
        "blocking-flush",
        Input::Silent,
        "(local $out i32)
         (local.set $out (call $stdout))
         (loop $more
             (call $check-write (local.get $out) (i32.const 64))
             (call $write (local.get $out) (i32.const 4096) (i32.load (i32.const 72)) (i32.const 64))
             (call $blocking-flush (local.get $out) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
    (
        "a pollable of a full pipe",
        Input::Silent,
        "(local $out i32)
         (local.set $out (call $stdout))
         (loop $more
             (call $block (call $subscribe-output (local.get $out)))
             (call $check-write (local.get $out) (i32.const 64))
             (call $write (local.get $out) (i32.const 4096) (i32.load (i32.const 72)) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
    (
        "blocking-splice of no input",
        Input::Silent,
        "(call $blocking-splice (call $stdout) (call $stdin) (i64.const 1) (i32.const 64))",
    ),
    (
        "blocking-splice to a full pipe",
        Input::Endless,
        "(local $in i32) (local $out i32)
         (local.set $in (call $stdin))
         (local.set $out (call $stdout))
         (loop $more
             (call $blocking-splice (local.get $out) (local.get $in) (i64.const 65536) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))",
    ),
];

/// Calls on a connection whose peer neither reads nor writes.
const SOCKET_WAITS: &[(&str, &str)] = &[
    ("blocking-read of a socket", "(call $blocking-read (local.get $in) (i64.const 100) (i32.const 64)) unreachable"),
    (
        "blocking-write-and-flush to a full socket",
        "(loop $more
             (call $blocking-write (local.get $out) (i32.const 4096) (i32.const 4096) (i32.const 64))
             (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
         unreachable",
    ),
    (
        "blocking-flush to a full socket",
        "(loop $more
             (call $check-write (local.get $out) (i32.const 64))
             (call $write (local.get $out) (i32.const LISTS) (i32.load (i32.const 72)) (i32.const 64))
             (call $blocking-flush (local.get $out) (i32.const 64))
             (br $more))
         unreachable",
    ),
    ("a datagram of nobody", "(call $block (call $datagram)) unreachable"),
    ("a connection of nobody", "(call $block (call $door)) unreachable"),
];

/// Returns a client of a silent peer, which can also listen and wait for datagrams.
fn silent_client(peer: SocketAddr, body: &str) -> String {
    let any = operands(SocketAddr::from(([127, 0, 0, 1], 0)));
    let nobody = "(i32.const 0) ".repeat(12);
    let more = format!(
        r#"(func $datagram (result i32)
        (local $socket i32)
        (call $create-udp (i32.const 0) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $socket (i32.load (i32.const 68)))
        (call $udp-start-bind (local.get $socket) (call $network) {any} (i32.const 64))
        (call $ok (i32.const 65))
        (call $udp-finish-bind (local.get $socket) (i32.const 64))
        (call $datagrams (local.get $socket) (i32.const 0) {nobody} (i32.const 64))
        (call $ok (i32.const 68))
        (call $subscribe-incoming (i32.load (i32.const 68))))
    (func $door (result i32)
        (local $socket i32)
        (call $create-tcp (i32.const 0) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $socket (i32.load (i32.const 68)))
        (call $tcp-start-bind (local.get $socket) (call $network) {any} (i32.const 64))
        (call $ok (i32.const 65))
        (call $tcp-finish-bind (local.get $socket) (i32.const 64))
        (call $start-listen (local.get $socket) (i32.const 64))
        (call $ok (i32.const 65))
        (call $finish-listen (local.get $socket) (i32.const 64))
        (call $subscribe-tcp (local.get $socket)))
    (func (export "run")"#
    );
    client(peer, body).replacen(r#"(func (export "run")"#, &more, 1)
}

on_every_tier! {
    fn every_wait_ends(tier) {
        // The host accepts the connections, and nobody reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let on_streams = WAITS.iter().map(|(name, input, body)| {
            (*name, *input, component(&format!(r#"(func (export "run") (result i32) {body} unreachable)"#)))
        });
        let on_sockets = SOCKET_WAITS.iter().map(|(name, body)| (*name, Input::Silent, silent_client(peer, body)));
        let scratch = Scratch::new();
        let mut all = Vec::new();
        for (index, (name, input, guest)) in on_streams.chain(on_sockets).enumerate() {
            let file = scratch.file(&format!("{index}.wat"), guest.replace("LISTS", &LISTS.to_string()));
            let mut running = Run::on(tier).words(["--net", "127.0.0.1", "--timeout", "500ms"]).word(file).start();
            let output = running.child.stdout.take();
            let mut pipe = running.child.stdin.take().unwrap();
            let feeder = std::thread::spawn(move || {
                // The loop ends with the guest, which is the only reader.
                while input == Input::Endless && pipe.write_all(&[7; 4096]).is_ok() {}
                pipe
            });
            all.push((name, running, output, feeder));
        }
        for (name, running, output, feeder) in all {
            let outcome = running.end();
            assert_eq!(outcome.code(), 124, "{name}: {}", outcome.stderr);
            assert!(outcome.took < Duration::from_secs(60), "{name}: {:?}", outcome.took);
            drop((output, feeder));
        }
    }
}
