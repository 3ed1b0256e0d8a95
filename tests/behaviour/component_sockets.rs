//! Sockets of components: a TCP client against an echo server of the test.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::harness::{Run, Scratch};
use crate::tiers::{Tier, on_every_tier};

/// Interfaces of the client, and its lowered functions.
const IMPORTS: &str = r#"
    (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $error-type))
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $pollable (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $error-type (type $outer))
        (export "error" (type $error (eq $outer)))
        (export "input-stream" (type $input (sub resource)))
        (export "output-stream" (type $output (sub resource)))
        (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $failure)))
        (export "[method]input-stream.blocking-read"
            (func (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
        (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
    (alias export $streams "input-stream" (type $input))
    (alias export $streams "output-stream" (type $output))
    (import "wasi:sockets/network@0.2.0" (instance $network (export "network" (type (sub resource)))))
    (alias export $network "network" (type $network-type))
    (import "wasi:sockets/instance-network@0.2.0" (instance $default
        (alias outer 1 $network-type (type $outer))
        (export "network" (type $network (eq $outer)))
        (export "instance-network" (func (result (own $network))))))
    (import "wasi:sockets/tcp@0.2.0" (instance $tcp
        (alias outer 1 $network-type (type $outer-network))
        (alias outer 1 $input (type $outer-input))
        (alias outer 1 $output (type $outer-output))
        (alias outer 1 $pollable (type $outer-pollable))
        (export "network" (type $network (eq $outer-network)))
        (export "input-stream" (type $input (eq $outer-input)))
        (export "output-stream" (type $output (eq $outer-output)))
        (export "pollable" (type $pollable (eq $outer-pollable)))
        (type $codes (enum ERRORS))
        (export "error-code" (type $error-code (eq $codes)))
        (type $four (tuple u8 u8 u8 u8))
        (export "ipv4-address" (type $ipv4-address (eq $four)))
        (type $eight (tuple u16 u16 u16 u16 u16 u16 u16 u16))
        (export "ipv6-address" (type $ipv6-address (eq $eight)))
        (type $record4 (record (field "port" u16) (field "address" $ipv4-address)))
        (export "ipv4-socket-address" (type $ipv4-socket-address (eq $record4)))
        (type $record6 (record
            (field "port" u16) (field "flow-info" u32) (field "address" $ipv6-address) (field "scope-id" u32)))
        (export "ipv6-socket-address" (type $ipv6-socket-address (eq $record6)))
        (type $either (variant (case "ipv4" $ipv4-socket-address) (case "ipv6" $ipv6-socket-address)))
        (export "ip-socket-address" (type $ip-socket-address (eq $either)))
        (export "tcp-socket" (type $socket (sub resource)))
        (export "[method]tcp-socket.start-connect" (func
            (param "self" (borrow $socket)) (param "network" (borrow $network)) (param "remote-address" $ip-socket-address)
            (result (result (error $error-code)))))
        (export "[method]tcp-socket.finish-connect" (func
            (param "self" (borrow $socket))
            (result (result (tuple (own $input) (own $output)) (error $error-code)))))
        (export "[method]tcp-socket.subscribe" (func (param "self" (borrow $socket)) (result (own $pollable))))))
    (alias export $tcp "tcp-socket" (type $socket))
    (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
        (alias outer 1 $socket (type $outer))
        (export "tcp-socket" (type $socket (eq $outer)))
        (type $codes (enum ERRORS))
        (export "error-code" (type $error-code (eq $codes)))
        (type $families (enum "ipv4" "ipv6"))
        (export "ip-address-family" (type $family (eq $families)))
        (export "create-tcp-socket" (func
            (param "address-family" $family) (result (result (own $socket) (error $error-code)))))))
    (core module $libc
        (memory (export "memory") 1) (data (i32.const 16) "ping")
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
    (core instance $libc (instantiate $libc))
    (alias core export $libc "memory" (core memory $memory))
    (alias core export $libc "realloc" (core func $realloc))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core func $read (canon lower (func $streams "[method]input-stream.blocking-read") (memory $memory) (realloc $realloc)))
    (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
    (core func $network (canon lower (func $default "instance-network")))
    (core func $create (canon lower (func $create "create-tcp-socket") (memory $memory)))
    (core func $start (canon lower (func $tcp "[method]tcp-socket.start-connect") (memory $memory)))
    (core func $finish (canon lower (func $tcp "[method]tcp-socket.finish-connect") (memory $memory)))
    (core func $subscribe (canon lower (func $tcp "[method]tcp-socket.subscribe")))
"#;

/// Cases of `error-code`.
const ERRORS: &str = r#"
    "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout" "concurrency-conflict" "not-in-progress"
    "would-block" "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
    "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
    "temporary-resolver-failure" "permanent-resolver-failure""#;

/// Returns a component that connects to the port of 127.0.0.1 and then does `body`, with the streams in `$in` and `$out`. A failure
/// to connect is its exit by a trap whose function has the name of the failed step.
fn client(port: u16, body: &str) -> String {
    let imports = IMPORTS.replace("ERRORS", ERRORS);
    format!(
        r#"(component {imports}
    (core module $main
        (import "" "memory" (memory 1))
        (import "" "block" (func $block (param i32)))
        (import "" "read" (func $read (param i32 i64 i32)))
        (import "" "write" (func $write (param i32 i32 i32 i32)))
        (import "" "network" (func $network (result i32)))
        (import "" "create" (func $create (param i32 i32)))
        (import "" "start" (func $start
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "" "finish" (func $finish (param i32 i32)))
        (import "" "subscribe" (func $subscribe (param i32) (result i32)))
        (func $not-created unreachable)
        (func $access-denied unreachable)
        (func $not-started unreachable)
        (func $not-connected unreachable)
        (func (export "run") (result i32)
            (local $socket i32) (local $in i32) (local $out i32)
            (call $create (i32.const 0) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then (call $not-created)))
            (local.set $socket (i32.load (i32.const 68)))
            (call $start (local.get $socket) (call $network)
                (i32.const 0) (i32.const {port}) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 80))
            (if (i32.load8_u (i32.const 80)) (then
                (if (i32.eq (i32.load8_u (i32.const 81)) (i32.const 1)) (then (call $access-denied)))
                (call $not-started)))
            (call $block (call $subscribe (local.get $socket)))
            (call $finish (local.get $socket) (i32.const 96))
            (if (i32.load8_u (i32.const 96)) (then (call $not-connected)))
            (local.set $in (i32.load (i32.const 100)))
            (local.set $out (i32.load (i32.const 104)))
            {body}))
    (core instance $main (instantiate $main (with "" (instance
        (export "memory" (memory $memory))
        (export "block" (func $block))
        (export "read" (func $read))
        (export "write" (func $write))
        (export "network" (func $network))
        (export "create" (func $create))
        (export "start" (func $start))
        (export "finish" (func $finish))
        (export "subscribe" (func $subscribe))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $program (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $program)))"#
    )
}

/// Sends four bytes, and succeeds if they come back.
const ECHO: &str = r#"
    (call $write (local.get $out) (i32.const 16) (i32.const 4) (i32.const 160))
    (call $read (local.get $in) (i64.const 100) (i32.const 160))
    (i32.or
        (i32.load8_u (i32.const 160))
        (i32.ne (i32.load (i32.load (i32.const 164))) (i32.load (i32.const 16))))"#;

/// Waits for bytes that never come.
const SILENCE: &str = "(call $read (local.get $in) (i64.const 100) (i32.const 160)) (i32.const 0)";

fn outcome(tier: Tier, port: u16, body: &str, options: &[&str]) -> crate::harness::Outcome {
    let scratch = Scratch::new();
    let file = scratch.file("client.wat", client(port, body));
    Run::on(tier).words(options.iter().copied()).word(file).end()
}

on_every_tier! {
    fn a_client_talks_to_a_server(tier) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut bytes = [0; 4];
            peer.read_exact(&mut bytes).unwrap();
            peer.write_all(&bytes).unwrap();
            bytes
        });
        let grant = format!("connect:127.0.0.1:{port}");
        outcome(tier, port, ECHO, &["--net", &grant]).exits(0).quietly();
        assert_eq!(&server.join().unwrap(), b"ping");
    }

    fn a_refused_connection_names_the_option_that_permits_it(tier) {
        for options in [&[][..], &["--net", "127.0.0.1:2,[::1]", "--dns"], &["--net", "listen:*"]] {
            outcome(tier, 1, ECHO, options)
                .exits(134)
                .says("access-denied")
                .says("note: the program was refused a TCP connection to 127.0.0.1:1; --net connect:127.0.0.1:1 permits it");
        }
        outcome(tier, 1, ECHO, &["-S", "inherit-network,tcp=n"]).exits(134).says("not-created").says("-S tcp permits it");
        // Nobody listens at this port.
        outcome(tier, 1, ECHO, &["-S", "inherit-network"]).exits(134).says("not-connected");
    }

    fn a_timeout_ends_a_read_of_a_silent_peer(tier) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let began = Instant::now();
        outcome(tier, port, SILENCE, &["--net", "localhost", "--timeout", "500ms"]).exits(124);
        assert!(began.elapsed() < Duration::from_secs(30));
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
