//! Sockets of components: clients of servers of the test, and what is said about refused grants. Servers are in
//! [`component_echo`](crate::component_echo).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use crate::harness::{Outcome, Run, Scratch};
use crate::tiers::{Tier, on_every_tier};
use crate::wasi_guest::{LISTS, component, family, operands};

/// Returns a component that connects to the address and then does `body`, with the socket in `$socket` and the streams in `$in` and
/// `$out`. A failure to connect is a trap below the function that is called for the failed step.
pub fn client(address: SocketAddr, body: &str) -> String {
    let (family, address) = (family(address), operands(address));
    component(&format!(
        r#"(data (i32.const 16) "ping")
    (func $create (call $create-tcp (i32.const {family}) (i32.const 64)) (call $ok (i32.const 68)))
    (func $start (param $socket i32)
        (call $start-connect (local.get $socket) (call $network) {address} (i32.const 64))
        (call $ok (i32.const 65)))
    (func $finish (param $socket i32)
        (call $finish-connect (local.get $socket) (i32.const 64))
        (call $ok (i32.const 68)))
    (func (export "run") (result i32)
        (local $socket i32) (local $in i32) (local $out i32) (local $count i32)
        (call $create)
        (local.set $socket (i32.load (i32.const 68)))
        (call $start (local.get $socket))
        (call $block (call $subscribe-tcp (local.get $socket)))
        (call $finish (local.get $socket))
        (local.set $in (i32.load (i32.const 68)))
        (local.set $out (i32.load (i32.const 72)))
        {body})"#
    ))
}

/// Sends four bytes, and succeeds if they come back.
const ECHO: &str = r#"
    (call $blocking-write (local.get $out) (i32.const 16) (i32.const 4) (i32.const 64))
    (call $blocking-read (local.get $in) (i64.const 100) (i32.const 64))
    (i32.or (i32.load8_u (i32.const 64)) (i32.ne (i32.load (i32.load (i32.const 68))) (i32.load (i32.const 16))))"#;

/// Number of bytes with which a server answers after the end of the question.
const ANSWER: usize = 1_000_000;

/// Sends four bytes and ends sending. Succeeds if nothing more can be sent and the whole answer comes.
fn half_close() -> String {
    format!(
        r#"
    (call $blocking-write (local.get $out) (i32.const 16) (i32.const 4) (i32.const 64))
    (call $shutdown (local.get $socket) (i32.const 1) (i32.const 64))
    (call $ok (i32.const 65))
    (call $check-write (local.get $out) (i32.const 64))
    ;; An error, and the case `closed`.
    (if (i32.ne (i32.add (i32.load8_u (i32.const 64)) (i32.load8_u (i32.const 72))) (i32.const 2)) (then (call $failed)))
    (block $end
        (loop $more
            (global.set $next (i32.const {LISTS}))
            (call $blocking-read (local.get $in) (i64.const 65536) (i32.const 64))
            (br_if $end (i32.load8_u (i32.const 64)))
            (local.set $count (i32.add (local.get $count) (i32.load (i32.const 72))))
            (br $more)))
    (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then (call $failed)))
    (i32.ne (local.get $count) (i32.const {ANSWER}))"#
    )
}

/// Returns a component that sends a datagram from a free port of `from` to `to`.
fn sender(from: SocketAddr, to: SocketAddr) -> String {
    let (number, from) = (family(from), operands(from));
    let SocketAddr::V4(to) = to else { panic!("the datagram below has an address of IPv4") };
    let [low, high] = to.port().to_le_bytes();
    let [a, b, c, d] = to.ip().octets();
    component(&format!(
        r#"(data (i32.const 4096) "\10\00\00\00\04\00\00\00\01\00\00\00\00\00\00\00\{low:02x}\{high:02x}\{a:02x}\{b:02x}\{c:02x}\{d:02x}")
    (func $bind (param $socket i32)
        (call $udp-start-bind (local.get $socket) (call $network) {from} (i32.const 64))
        (call $ok (i32.const 65))
        (call $udp-finish-bind (local.get $socket) (i32.const 64))
        (call $ok (i32.const 65)))
    (func (export "run") (result i32)
        (local $socket i32) (local $out i32)
        (call $create-udp (i32.const {number}) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $socket (i32.load (i32.const 68)))
        (call $bind (local.get $socket))
        (call $datagrams (local.get $socket) (i32.const 0) {nobody} (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $out (i32.load (i32.const 72)))
        (call $check-send (local.get $out) (i32.const 64))
        (call $ok (i32.const 72))
        (call $send (local.get $out) (i32.const 4096) (i32.const 1) (i32.const 64))
        (call $ok (i32.const 72))
        (i32.const 0))"#,
        nobody = "(i32.const 0) ".repeat(12),
    ))
}

/// Returns a component that listens at the address, and succeeds.
fn listener(address: SocketAddr) -> String {
    let (family, address) = (family(address), operands(address));
    component(&format!(
        r#"(func $bind (param $socket i32)
        (call $tcp-start-bind (local.get $socket) (call $network) {address} (i32.const 64))
        (call $ok (i32.const 65))
        (call $tcp-finish-bind (local.get $socket) (i32.const 64))
        (call $ok (i32.const 65)))
    (func $listen (param $socket i32)
        (call $start-listen (local.get $socket) (i32.const 64))
        (call $ok (i32.const 65)))
    (func (export "run") (result i32)
        (local $socket i32)
        (call $create-tcp (i32.const {family}) (i32.const 64))
        (call $ok (i32.const 68))
        (local.set $socket (i32.load (i32.const 68)))
        (call $bind (local.get $socket))
        (call $listen (local.get $socket))
        (i32.const 0))"#
    ))
}

/// Returns a component that looks up a name and waits for the answer.
fn lookup(name: &str) -> String {
    component(&format!(
        r#"(data (i32.const 16) "{name}")
    (func $look-up (call $resolve (call $network) (i32.const 16) (i32.const {len}) (i32.const 64)) (call $ok (i32.const 68)))
    (func (export "run") (result i32)
        (local $answers i32)
        (call $look-up)
        (local.set $answers (i32.load (i32.const 68)))
        (call $block (call $subscribe-answers (local.get $answers)))
        (call $next-address (local.get $answers) (i32.const 64))
        (i32.load8_u (i32.const 64)))"#,
        len = name.len(),
    ))
}

fn outcome(tier: Tier, component: &str, options: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    Run::on(tier).words(options).word(scratch.file("program.wat", component)).end()
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// Answers one client: reads `question` bytes, or up to their end for `None`, and sends `answer` of them.
fn serve(ip: &str, question: Option<usize>, answer: fn(Vec<u8>) -> Vec<u8>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind(format!("{ip}:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut bytes = vec![0; question.unwrap_or(0)];
        match question {
            Some(_) => peer.read_exact(&mut bytes).unwrap(),
            None => drop(peer.read_to_end(&mut bytes).unwrap()),
        }
        peer.write_all(&answer(bytes.clone())).unwrap();
        bytes
    });
    (address, server)
}

on_every_tier! {
    fn a_client_talks_to_a_server(tier) {
        for ip in ["127.0.0.1", "[::1]"] {
            let (address, server) = serve(ip, Some(4), |bytes| bytes);
            let grant = format!("connect:{address}");
            outcome(tier, &client(address, ECHO), &["--net", &grant]).exits(0).quietly();
            assert_eq!(&server.join().unwrap(), b"ping");
        }
    }

    fn a_client_that_ended_sending_still_receives(tier) {
        for ip in ["127.0.0.1", "[::1]"] {
            let (address, server) = serve(ip, None, |_| vec![7; ANSWER]);
            let grant = format!("connect:{address}");
            outcome(tier, &client(address, &half_close()), &["--net", &grant]).exits(0).quietly();
            assert_eq!(&server.join().unwrap(), b"ping");
        }
    }

    fn a_refused_connection_names_the_option_that_permits_it(tier) {
        let one = client(at("127.0.0.1:1"), ECHO);
        for options in [&[][..], &["--net", "127.0.0.1:2,[::1]", "--dns"], &["--net", "listen:*"]] {
            outcome(tier, &one, options)
                .exits(134)
                .says("access-denied")
                .says("note: the program was refused a TCP connection to 127.0.0.1:1; --net connect:127.0.0.1:1 permits it");
        }
        outcome(tier, &one, &["-S", "inherit-network,tcp=n"]).exits(134).says("create").says("-S tcp permits it");
        // Nobody listens at this port.
        outcome(tier, &one, &["-S", "inherit-network"]).exits(134).says("finish").says("failed");
        outcome(tier, &client(at("[::1]:1"), ECHO), &["--net", "127.0.0.1"])
            .exits(134)
            .says("refused a TCP connection to [::1]:1; --net 'connect:[::1]:1' permits it");
    }

    fn a_refused_server_names_the_option_that_permits_it(tier) {
        for (address, options, step, refused, remedy) in [
            ("127.0.0.1:0", &[][..], "bind", "a TCP socket at 127.0.0.1:0", "--net listen:127.0.0.1:0"),
            ("127.0.0.1:80", &["--net", "connect:*"], "bind", "a TCP socket at 127.0.0.1:80", "--net listen:127.0.0.1:80"),
            ("[::1]:0", &["--net", "listen:127.0.0.1"], "bind", "a TCP socket at [::1]:0", "--net 'listen:[::1]:0'"),
            // A client may bind to a free port, but not listen there. The port is that of the host's choice.
            ("127.0.0.1:0", &["--net", "connect:*"], "listen", "a TCP socket at 127.0.0.1:", "--net listen:127.0.0.1:"),
        ] {
            outcome(tier, &listener(at(address)), options)
                .exits(134)
                .says("access-denied")
                .says(step)
                .says(&format!("note: the program was refused {refused}"))
                .says(&format!("; {remedy}"));
        }
        outcome(tier, &listener(at("127.0.0.1:0")), &["--net", "listen:127.0.0.1:0"]).exits(0).quietly();
    }

    fn a_refused_datagram_names_the_option_that_permits_it(tier) {
        let one = sender(at("127.0.0.1:0"), at("127.0.0.1:9"));
        outcome(tier, &one, &[])
            .exits(134)
            .says("access-denied")
            .says("note: the program was refused a UDP socket at 127.0.0.1:0; --net listen:127.0.0.1:0 permits it");
        for options in [["--net", "listen:127.0.0.1:0"], ["--net", "connect:127.0.0.1:8"]] {
            outcome(tier, &one, &options)
                .exits(134)
                .says("access-denied")
                .says("note: the program was refused UDP datagrams to 127.0.0.1:9; --net connect:127.0.0.1:9 permits it");
        }
        outcome(tier, &one, &["-S", "inherit-network,udp=n"]).exits(134).says("-S udp permits it");
        outcome(tier, &one, &["--net", "connect:127.0.0.1:9"]).exits(0).quietly();
    }

    fn a_refused_lookup_names_the_option_that_permits_it(tier) {
        for options in [&[][..], &["--net", "*"]] {
            outcome(tier, &lookup("localhost"), options)
                .exits(134)
                .says("access-denied")
                .says("note: the program was refused a lookup of the name `localhost`; --dns permits it");
        }
        outcome(tier, &lookup("localhost"), &["--dns"]).exits(0).quietly();
        outcome(tier, &lookup("127.0.0.1"), &[]).exits(0).quietly();
    }
}

#[test]
fn a_module_is_told_that_it_gets_no_network() {
    let scratch = Scratch::new();
    let file = scratch.file("module.wat", r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    Run::bare()
        .words(["run", "--net", "*"])
        .word(file)
        .end()
        .exits(0)
        .says("warning: --net and --dns grant only components anything");
}
