//! Components that import WASI 0.2, made of a core module's text.
//!
//! In: the functions of a core module, one of them exported as `run`. Out: a component whose `wasi:cli/run` is that function. The
//! module has the functions of [`FUNCTIONS`] under the names there, a memory, and the global `$next`: the address from which the
//! host puts lists and strings, one after the other. A guest sets it back when it needs them no more.
//!
//! Results of calls have the layout of the canonical ABI: a `result` has its case in the first byte.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// The name of an imported instance, its interface, and the types in it. What follows are aliases of its resource types. The
/// versions differ, as they do if a component is made of parts.
const INTERFACES: &[[&str; 4]] = &[
    [
        "error",
        "wasi:io/error@0.2.0",
        r#"(export "error" (type (sub resource)))"#,
        r#"(alias export $error "error" (type $error))"#,
    ],
    [
        "poll",
        "wasi:io/poll@0.2.4",
        r#"(export "pollable" (type $pollable (sub resource)))"#,
        r#"(alias export $poll "pollable" (type $pollable))"#,
    ],
    [
        "clock",
        "wasi:clocks/monotonic-clock@0.2.0",
        r#"(alias outer 1 $pollable (type $p)) (export "pollable" (type $pollable (eq $p)))"#,
        "",
    ],
    [
        "streams",
        "wasi:io/streams@0.2.0",
        r#"(alias outer 1 $error (type $e)) (export "error" (type $error (eq $e)))
           (alias outer 1 $pollable (type $p)) (export "pollable" (type $pollable (eq $p)))
           (export "input-stream" (type $input (sub resource)))
           (export "output-stream" (type $output (sub resource)))
           (type $v (variant (case "last-operation-failed" (own $error)) (case "closed")))
           (export "stream-error" (type $failure (eq $v)))"#,
        r#"(alias export $streams "input-stream" (type $input)) (alias export $streams "output-stream" (type $output))"#,
    ],
    [
        "stdin",
        "wasi:cli/stdin@0.2.0",
        r#"(alias outer 1 $input (type $i)) (export "input-stream" (type $input (eq $i)))"#,
        "",
    ],
    [
        "stdout",
        "wasi:cli/stdout@0.2.10",
        r#"(alias outer 1 $output (type $o)) (export "output-stream" (type $output (eq $o)))"#,
        "",
    ],
    // The function came with this version.
    ["exit", "wasi:cli/exit@0.2.12", "", ""],
    [
        "network",
        "wasi:sockets/network@0.2.0",
        r#"(export "network" (type (sub resource)))"#,
        r#"(alias export $network "network" (type $network))"#,
    ],
    ["default", "wasi:sockets/instance-network@0.2.0", "NETWORK", ""],
    [
        "lookup",
        "wasi:sockets/ip-name-lookup@0.2.0",
        r#"NETWORK POLLABLE ADDRESSES (export "resolve-address-stream" (type $answers (sub resource)))"#,
        "",
    ],
    [
        "tcp",
        "wasi:sockets/tcp@0.2.0",
        r#"NETWORK POLLABLE ADDRESSES
           (alias outer 1 $input (type $i)) (export "input-stream" (type $input (eq $i)))
           (alias outer 1 $output (type $o)) (export "output-stream" (type $output (eq $o)))
           (type $s (enum "receive" "send" "both")) (export "shutdown-type" (type $direction (eq $s)))
           (export "tcp-socket" (type $tcp-socket (sub resource)))"#,
        r#"(alias export $tcp "tcp-socket" (type $tcp-socket))"#,
    ],
    [
        "create-tcp",
        "wasi:sockets/tcp-create-socket@0.2.0",
        r#"ADDRESSES (alias outer 1 $tcp-socket (type $s)) (export "tcp-socket" (type $tcp-socket (eq $s)))"#,
        "",
    ],
    [
        "udp",
        "wasi:sockets/udp@0.2.0",
        r#"NETWORK POLLABLE ADDRESSES
           (type $r (record (field "data" (list u8)) (field "remote-address" $address)))
           (export "incoming-datagram" (type $received (eq $r)))
           (type $t (record (field "data" (list u8)) (field "remote-address" (option $address))))
           (export "outgoing-datagram" (type $sent (eq $t)))
           (export "udp-socket" (type $udp-socket (sub resource)))
           (export "incoming-datagram-stream" (type $incoming (sub resource)))
           (export "outgoing-datagram-stream" (type $outgoing (sub resource)))"#,
        r#"(alias export $udp "udp-socket" (type $udp-socket))"#,
    ],
    [
        "create-udp",
        "wasi:sockets/udp-create-socket@0.2.0",
        r#"ADDRESSES (alias outer 1 $udp-socket (type $s)) (export "udp-socket" (type $udp-socket (eq $s)))"#,
        "",
    ],
];

/// Abbreviations in the types above.
const TYPES: &[(&str, &str)] = &[
    ("NETWORK", r#"(alias outer 1 $network (type $n)) (export "network" (type $network (eq $n)))"#),
    ("POLLABLE", r#"(alias outer 1 $pollable (type $p)) (export "pollable" (type $pollable (eq $p)))"#),
    (
        "ADDRESSES",
        r#"(type $c (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
               "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable"
               "address-in-use" "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
               "datagram-too-large" "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
           (export "error-code" (type $code (eq $c)))
           (type $f (enum "ipv4" "ipv6"))
           (export "ip-address-family" (type $family (eq $f)))
           (type $4 (tuple u8 u8 u8 u8))
           (export "ipv4-address" (type $ipv4 (eq $4)))
           (type $6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
           (export "ipv6-address" (type $ipv6 (eq $6)))
           (type $ip' (variant (case "ipv4" $ipv4) (case "ipv6" $ipv6)))
           (export "ip-address" (type $ip (eq $ip')))
           (type $a4 (record (field "port" u16) (field "address" $ipv4)))
           (export "ipv4-socket-address" (type $address4 (eq $a4)))
           (type $a6 (record
               (field "port" u16) (field "flow-info" u32) (field "address" $ipv6) (field "scope-id" u32)))
           (export "ipv6-socket-address" (type $address6 (eq $a6)))
           (type $a (variant (case "ipv4" $address4) (case "ipv6" $address6)))
           (export "ip-socket-address" (type $address (eq $a)))"#,
    ),
];

/// The functions: the name in the core module, the instance, the name in the interface, the component type and the core type.
const FUNCTIONS: &[[&str; 5]] = &[
    ["block", "poll", "[method]pollable.block", r#"(param "self" (borrow $pollable))"#, "(param i32)"],
    ["poll", "poll", "poll", r#"(param "in" (list (borrow $pollable))) (result (list u32))"#, "(param i32 i32 i32)"],
    [
        "after",
        "clock",
        "subscribe-duration",
        r#"(param "when" u64) (result (own $pollable))"#,
        "(param i64) (result i32)",
    ],
    ["at", "clock", "subscribe-instant", r#"(param "when" u64) (result (own $pollable))"#, "(param i64) (result i32)"],
    ["read", "streams", "[method]input-stream.read", READ, "(param i32 i64 i32)"],
    ["blocking-read", "streams", "[method]input-stream.blocking-read", READ, "(param i32 i64 i32)"],
    ["blocking-skip", "streams", "[method]input-stream.blocking-skip", SKIP, "(param i32 i64 i32)"],
    ["subscribe-input", "streams", "[method]input-stream.subscribe", OF_INPUT, "(param i32) (result i32)"],
    [
        "check-write",
        "streams",
        "[method]output-stream.check-write",
        r#"(param "self" (borrow $output)) (result (result u64 (error $failure)))"#,
        "(param i32 i32)",
    ],
    ["write", "streams", "[method]output-stream.write", WRITE, "(param i32 i32 i32 i32)"],
    ["blocking-write", "streams", "[method]output-stream.blocking-write-and-flush", WRITE, "(param i32 i32 i32 i32)"],
    [
        "blocking-zeroes",
        "streams",
        "[method]output-stream.blocking-write-zeroes-and-flush",
        r#"(param "self" (borrow $output)) (param "len" u64) (result (result (error $failure)))"#,
        "(param i32 i64 i32)",
    ],
    [
        "blocking-flush",
        "streams",
        "[method]output-stream.blocking-flush",
        r#"(param "self" (borrow $output)) (result (result (error $failure)))"#,
        "(param i32 i32)",
    ],
    [
        "blocking-splice",
        "streams",
        "[method]output-stream.blocking-splice",
        r#"(param "self" (borrow $output)) (param "src" (borrow $input)) (param "len" u64)
           (result (result u64 (error $failure)))"#,
        "(param i32 i32 i64 i32)",
    ],
    [
        "subscribe-output",
        "streams",
        "[method]output-stream.subscribe",
        r#"(param "self" (borrow $output)) (result (own $pollable))"#,
        "(param i32) (result i32)",
    ],
    ["stdin", "stdin", "get-stdin", "(result (own $input))", "(result i32)"],
    ["stdout", "stdout", "get-stdout", "(result (own $output))", "(result i32)"],
    ["exit", "exit", "exit-with-code", r#"(param "status-code" u8)"#, "(param i32)"],
    ["network", "default", "instance-network", "(result (own $network))", "(result i32)"],
    [
        "resolve",
        "lookup",
        "resolve-addresses",
        r#"(param "network" (borrow $network)) (param "name" string) (result (result (own $answers) (error $code)))"#,
        "(param i32 i32 i32 i32)",
    ],
    [
        "next-address",
        "lookup",
        "[method]resolve-address-stream.resolve-next-address",
        r#"(param "self" (borrow $answers)) (result (result (option $ip) (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "subscribe-answers",
        "lookup",
        "[method]resolve-address-stream.subscribe",
        r#"(param "self" (borrow $answers)) (result (own $pollable))"#,
        "(param i32) (result i32)",
    ],
    [
        "create-tcp",
        "create-tcp",
        "create-tcp-socket",
        r#"(param "address-family" $family) (result (result (own $tcp-socket) (error $code)))"#,
        "(param i32 i32)",
    ],
    ["tcp-start-bind", "tcp", "[method]tcp-socket.start-bind", TCP_LOCAL, ADDRESS],
    ["tcp-finish-bind", "tcp", "[method]tcp-socket.finish-bind", TCP_STEP, "(param i32 i32)"],
    ["start-listen", "tcp", "[method]tcp-socket.start-listen", TCP_STEP, "(param i32 i32)"],
    ["finish-listen", "tcp", "[method]tcp-socket.finish-listen", TCP_STEP, "(param i32 i32)"],
    [
        "start-connect",
        "tcp",
        "[method]tcp-socket.start-connect",
        r#"(param "self" (borrow $tcp-socket)) (param "network" (borrow $network)) (param "remote-address" $address)
           (result (result (error $code)))"#,
        ADDRESS,
    ],
    [
        "finish-connect",
        "tcp",
        "[method]tcp-socket.finish-connect",
        r#"(param "self" (borrow $tcp-socket)) (result (result (tuple (own $input) (own $output)) (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "accept",
        "tcp",
        "[method]tcp-socket.accept",
        r#"(param "self" (borrow $tcp-socket))
           (result (result (tuple (own $tcp-socket) (own $input) (own $output)) (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "tcp-local-address",
        "tcp",
        "[method]tcp-socket.local-address",
        r#"(param "self" (borrow $tcp-socket)) (result (result $address (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "shutdown",
        "tcp",
        "[method]tcp-socket.shutdown",
        r#"(param "self" (borrow $tcp-socket)) (param "shutdown-type" $direction) (result (result (error $code)))"#,
        "(param i32 i32 i32)",
    ],
    [
        "subscribe-tcp",
        "tcp",
        "[method]tcp-socket.subscribe",
        r#"(param "self" (borrow $tcp-socket)) (result (own $pollable))"#,
        "(param i32) (result i32)",
    ],
    [
        "create-udp",
        "create-udp",
        "create-udp-socket",
        r#"(param "address-family" $family) (result (result (own $udp-socket) (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "udp-start-bind",
        "udp",
        "[method]udp-socket.start-bind",
        r#"(param "self" (borrow $udp-socket)) (param "network" (borrow $network)) (param "local-address" $address)
           (result (result (error $code)))"#,
        ADDRESS,
    ],
    [
        "udp-finish-bind",
        "udp",
        "[method]udp-socket.finish-bind",
        r#"(param "self" (borrow $udp-socket)) (result (result (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "udp-local-address",
        "udp",
        "[method]udp-socket.local-address",
        r#"(param "self" (borrow $udp-socket)) (result (result $address (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "datagrams",
        "udp",
        "[method]udp-socket.stream",
        r#"(param "self" (borrow $udp-socket)) (param "remote-address" (option $address))
           (result (result (tuple (own $incoming) (own $outgoing)) (error $code)))"#,
        ADDRESS,
    ],
    [
        "receive",
        "udp",
        "[method]incoming-datagram-stream.receive",
        r#"(param "self" (borrow $incoming)) (param "max-results" u64) (result (result (list $received) (error $code)))"#,
        "(param i32 i64 i32)",
    ],
    [
        "subscribe-incoming",
        "udp",
        "[method]incoming-datagram-stream.subscribe",
        r#"(param "self" (borrow $incoming)) (result (own $pollable))"#,
        "(param i32) (result i32)",
    ],
    [
        "check-send",
        "udp",
        "[method]outgoing-datagram-stream.check-send",
        r#"(param "self" (borrow $outgoing)) (result (result u64 (error $code)))"#,
        "(param i32 i32)",
    ],
    [
        "send",
        "udp",
        "[method]outgoing-datagram-stream.send",
        r#"(param "self" (borrow $outgoing)) (param "datagrams" (list $sent)) (result (result u64 (error $code)))"#,
        "(param i32 i32 i32 i32)",
    ],
    [
        "subscribe-outgoing",
        "udp",
        "[method]outgoing-datagram-stream.subscribe",
        r#"(param "self" (borrow $outgoing)) (result (own $pollable))"#,
        "(param i32) (result i32)",
    ],
];

const READ: &str = r#"(param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $failure)))"#;
const SKIP: &str = r#"(param "self" (borrow $input)) (param "len" u64) (result (result u64 (error $failure)))"#;
const OF_INPUT: &str = r#"(param "self" (borrow $input)) (result (own $pollable))"#;
const WRITE: &str =
    r#"(param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $failure)))"#;
const TCP_LOCAL: &str = r#"(param "self" (borrow $tcp-socket)) (param "network" (borrow $network))
    (param "local-address" $address) (result (result (error $code)))"#;
const TCP_STEP: &str = r#"(param "self" (borrow $tcp-socket)) (result (result (error $code)))"#;

/// A socket, a network, an address or the case of an option before it, and the place for the result.
const ADDRESS: &str = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)";

/// Resource types whose handles a guest can drop, as `$drop-…`.
const DROPS: &[&str] = &["pollable", "input", "output", "tcp-socket"];

/// Address from which the host puts lists.
pub const LISTS: u32 = 1 << 16;

/// Returns a component whose `run` is that of a core module with these fields. `run` returns 0 for success and 1 for failure.
///
/// The function `$ok` traps if the result at address 64 is an error of sockets, whose code is at its argument. The backtrace then
/// has `$access-denied` or `$failed`.
pub fn component(fields: &str) -> String {
    let mut text = "(component\n".to_owned();
    for [id, name, types, aliases] in INTERFACES {
        let mut types = (*types).to_owned();
        for (short, long) in TYPES {
            types = types.replace(short, long);
        }
        let functions = FUNCTIONS.iter().filter(|function| function[1] == *id);
        let functions: String =
            functions.map(|[_, _, name, ty, _]| format!("(export \"{name}\" (func {ty}))\n")).collect();
        writeln!(text, "(import \"{name}\" (instance ${id} {types} {functions}))\n{aliases}").unwrap();
    }
    write!(
        text,
        r#"(core module $libc
    (memory (export "memory") 32)
    (global $next (export "next") (mut i32) (i32.const {LISTS}))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $next))
        (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
        (local.get $at)))
(core instance $libc (instantiate $libc))
(alias core export $libc "memory" (core memory $memory))
(alias core export $libc "realloc" (core func $realloc))
"#
    )
    .unwrap();
    let (mut imports, mut exports) = (String::new(), String::new());
    let mut define = |name: &str, ty: &str, canon: &str| {
        writeln!(text, "(core func ${name} (canon {canon}))").unwrap();
        writeln!(imports, "(import \"\" \"{name}\" (func ${name} {ty}))").unwrap();
        writeln!(exports, "(export \"{name}\" (func ${name}))").unwrap();
    };
    for [name, instance, function, _, ty] in FUNCTIONS {
        let options = "(memory $memory) (realloc $realloc)";
        define(name, ty, &format!("lower (func ${instance} \"{function}\") {options}"));
    }
    for name in DROPS {
        define(&format!("drop-{name}"), "(param i32)", &format!("resource.drop ${name}"));
    }
    write!(
        text,
        r#"(core module $main
    (import "libc" "memory" (memory 32))
    (import "libc" "next" (global $next (mut i32)))
    {imports}
    (func $access-denied unreachable)
    (func $failed unreachable)
    (func $ok (param $code i32)
        (if (i32.load8_u (i32.const 64)) (then
            (if (i32.eq (i32.load8_u (local.get $code)) (i32.const 1)) (then (call $access-denied)))
            (call $failed))))
    {fields})
(core instance $main (instantiate $main (with "libc" (instance $libc)) (with "" (instance {exports}))))
(func $run (result (result)) (canon lift (core func $main "run")))
(instance $program (export "run" (func $run)))
(export "wasi:cli/run@0.2.0" (instance $program)))"#
    )
    .unwrap();
    text
}

/// Returns the number of the address family.
pub fn family(address: SocketAddr) -> u32 {
    u32::from(address.is_ipv6())
}

/// Returns the operands for an `ip-socket-address`.
pub fn operands(address: SocketAddr) -> String {
    let mut flat = vec![family(address), address.port().into()];
    match address {
        SocketAddr::V4(address) => flat.extend(address.ip().octets().map(u32::from)),
        SocketAddr::V6(address) => {
            flat.push(address.flowinfo());
            flat.extend(address.ip().segments().map(u32::from));
            flat.push(address.scope_id());
        }
    }
    flat.resize(12, 0);
    flat.into_iter().map(|operand| format!("(i32.const {operand}) ")).collect()
}
