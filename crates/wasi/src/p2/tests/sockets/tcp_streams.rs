//! Streams of TCP connections.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::{End as Conn, connect, connected, listener, new_tcp, pair};
use crate::errno::Errno;
use crate::p2::P2Ctx;
use crate::p2::io::{Origin, to_debug_string};
use crate::p2::poll::{block, poll, ready};
use crate::p2::sockets::tcp::{self, ShutdownType};
use crate::p2::sockets::{IpAddressFamily, tcp_options};
use crate::p2::streams::*;

fn send(ctx: &mut P2Ctx, from: &Conn, bytes: &[u8]) {
    for piece in bytes.chunks(4096) {
        assert_eq!(blocking_write_and_flush(ctx, from.output.borrow(), piece).unwrap(), Ok(()));
    }
}

/// Reads until the stream is closed.
fn read_to_end(ctx: &mut P2Ctx, to: &Conn) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match blocking_read(ctx, to.input.borrow(), 1 << 20).unwrap() {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return all,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn bytes_arrive_in_both_directions() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut ctx, network) = connected();
        let (client, server) = pair(&mut ctx, network, address);
        assert_eq!(read(&mut ctx, server.input.borrow(), 9).unwrap(), Ok(vec![]), "nothing is there yet");
        send(&mut ctx, &client, b"ping");
        assert_eq!(blocking_read(&mut ctx, server.input.borrow(), 3).unwrap(), Ok(b"pin".to_vec()));
        assert_eq!(blocking_read(&mut ctx, server.input.borrow(), 9).unwrap(), Ok(b"g".to_vec()));
        send(&mut ctx, &server, b"pong");
        assert_eq!(blocking_read(&mut ctx, client.input.borrow(), 9).unwrap(), Ok(b"pong".to_vec()));
    }
}

#[test]
fn a_half_closed_connection_still_answers() {
    let (mut ctx, network) = connected();
    let (client, server) = pair(&mut ctx, network, "127.0.0.1:0");
    send(&mut ctx, &client, b"question");
    for _ in 0..2 {
        assert_eq!(tcp::shutdown(&mut ctx, client.socket.borrow(), ShutdownType::Send).unwrap(), Ok(()));
    }
    assert_eq!(check_write(&mut ctx, client.output.borrow()).unwrap(), Err(StreamError::Closed));
    assert_eq!(blocking_flush(&mut ctx, client.output.borrow()).unwrap(), Err(StreamError::Closed));
    assert_eq!(read_to_end(&mut ctx, &server), b"question");
    send(&mut ctx, &server, b"answer");
    ctx.drop_resource(server.output).unwrap();
    ctx.drop_resource(server.input).unwrap();
    ctx.drop_resource(server.socket).unwrap();
    assert_eq!(read_to_end(&mut ctx, &client), b"answer");
}

#[test]
fn a_shutdown_of_receiving_closes_the_input() {
    let (mut ctx, network) = connected();
    let (client, server) = pair(&mut ctx, network, "127.0.0.1:0");
    send(&mut ctx, &server, b"lost");
    assert_eq!(tcp::shutdown(&mut ctx, client.socket.borrow(), ShutdownType::Receive).unwrap(), Ok(()));
    assert_eq!(blocking_read(&mut ctx, client.input.borrow(), 9).unwrap(), Err(StreamError::Closed));
    send(&mut ctx, &client, b"still sent");
    assert_eq!(tcp::shutdown(&mut ctx, client.socket.borrow(), ShutdownType::Both).unwrap(), Ok(()));
    assert_eq!(read_to_end(&mut ctx, &server), b"still sent");
    // A shutdown after the streams have gone ends the connection all the same.
    ctx.drop_resource(server.input).unwrap();
    ctx.drop_resource(server.output).unwrap();
    assert_eq!(tcp::shutdown(&mut ctx, server.socket.borrow(), ShutdownType::Both).unwrap(), Ok(()));
}

#[test]
fn all_that_was_permitted_arrives_though_the_peer_reads_late() {
    for small in [false, true] {
        let (mut ctx, network) = connected();
        let (client, server) = pair(&mut ctx, network, "127.0.0.1:0");
        if small {
            tcp_options::set_send_buffer_size(&mut ctx, client.socket.borrow(), 1).unwrap().unwrap();
        }
        let output = client.output.borrow();
        let mut sent = 0u64;
        loop {
            let permit = check_write(&mut ctx, output).unwrap().unwrap();
            if permit == 0 {
                break;
            }
            let bytes: Vec<u8> = (sent..sent + permit).map(|at| at as u8).collect();
            assert_eq!(write(&mut ctx, output, &bytes).unwrap(), Ok(()));
            sent += permit;
        }
        let pollable = subscribe_output(&mut ctx, output).unwrap();
        assert_eq!(ready(&mut ctx, pollable.borrow()), Ok(false));
        assert_eq!(tcp::shutdown(&mut ctx, client.socket.borrow(), ShutdownType::Send).unwrap(), Ok(()));
        assert_eq!(ready(&mut ctx, pollable.borrow()), Ok(true), "a closed stream is ready");
        let all = read_to_end(&mut ctx, &server);
        assert!(all.len() as u64 == sent && (0..sent).zip(&all).all(|(at, byte)| at as u8 == *byte), "small {small}");
    }
}

#[test]
fn a_reset_is_an_error_once() {
    let (mut ctx, network) = connected();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connect(&mut ctx, network, host.local_addr().unwrap().into());
    let (peer, _) = host.accept().unwrap();
    send(&mut ctx, &client, b"unread");
    // A peer that closes with unread bytes resets the connection.
    drop(peer);
    let Err(StreamError::LastOperationFailed(error)) = blocking_read(&mut ctx, client.input.borrow(), 9).unwrap()
    else {
        panic!("the connection was reset");
    };
    assert_eq!(to_debug_string(&mut ctx, error.borrow()).unwrap(), "cannot read from a socket: connreset");
    let error = ctx.table().get(error.borrow()).unwrap();
    assert_eq!((error.errno, error.origin), (Errno::Connreset, Origin::Network));
    assert_eq!(blocking_read(&mut ctx, client.input.borrow(), 9).unwrap(), Err(StreamError::Closed));
    let outcome = blocking_write_and_flush(&mut ctx, client.output.borrow(), b"x").unwrap();
    assert!(matches!(outcome, Err(StreamError::LastOperationFailed(_))), "{outcome:?}");
    assert_eq!(check_write(&mut ctx, client.output.borrow()).unwrap(), Err(StreamError::Closed));
    let remote = host.local_addr().unwrap();
    assert_eq!(tcp::remote_address(&mut ctx, client.socket.borrow()).unwrap(), Ok(remote.into()));
}

#[test]
fn a_poll_finds_the_end_that_is_ready() {
    let (mut ctx, network) = connected();
    let (listening, address) = listener(&mut ctx, network, "127.0.0.1:0");
    let incoming = tcp::subscribe(&mut ctx, listening).unwrap().borrow();
    assert_eq!(ready(&mut ctx, incoming), Ok(false));
    let client = connect(&mut ctx, network, address);
    assert_eq!(poll(&mut ctx, vec![incoming]), Ok(vec![0]));
    let server = super::accept(&mut ctx, listening);
    assert_eq!(ready(&mut ctx, incoming), Ok(false));
    let readable = subscribe_input(&mut ctx, server.input.borrow()).unwrap().borrow();
    let writable = subscribe_output(&mut ctx, server.output.borrow()).unwrap().borrow();
    assert_eq!(poll(&mut ctx, vec![readable, incoming, writable]), Ok(vec![2]));
    send(&mut ctx, &client, b"x");
    assert_eq!(poll(&mut ctx, vec![readable, incoming, readable]), Ok(vec![0, 2]));
    assert_eq!(blocking_skip(&mut ctx, server.input.borrow(), 9).unwrap(), Ok(1));
    assert_eq!(ready(&mut ctx, readable), Ok(false));
    ctx.drop_resource(client.output).unwrap();
    ctx.drop_resource(client.input).unwrap();
    ctx.drop_resource(client.socket).unwrap();
    assert_eq!(block(&mut ctx, readable), Ok(()), "the end is news");
    assert_eq!(read(&mut ctx, server.input.borrow(), 9).unwrap(), Err(StreamError::Closed));
}

#[test]
fn bytes_are_spliced_from_socket_to_socket() {
    let (mut ctx, network) = connected();
    let (client, server) = pair(&mut ctx, network, "127.0.0.1:0");
    send(&mut ctx, &client, b"echo");
    let (input, output) = (server.input.borrow(), server.output.borrow());
    assert_eq!(blocking_splice(&mut ctx, output, input, 99).unwrap(), Ok(4));
    assert_eq!(blocking_read(&mut ctx, client.input.borrow(), 9).unwrap(), Ok(b"echo".to_vec()));
}

#[test]
fn hosts_and_guests_talk() {
    let (mut ctx, network) = connected();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut peer, _) = host.accept().unwrap();
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        peer.write_all(&all).unwrap();
    });
    let client = connect(&mut ctx, network, address.into());
    let sent: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    send(&mut ctx, &client, &sent);
    tcp::shutdown(&mut ctx, client.socket.borrow(), ShutdownType::Send).unwrap().unwrap();
    assert!(read_to_end(&mut ctx, &client) == sent);
    echo.join().unwrap();
}

#[test]
fn an_interrupt_ends_every_wait_for_a_socket() {
    let (mut ctx, network) = connected();
    let (listening, address) = listener(&mut ctx, network, "127.0.0.1:0");
    let client = connect(&mut ctx, network, address);
    // The queue of this listener is full, so that a connection stays in progress.
    let (full, full_address) = listener(&mut ctx, network, "127.0.0.1:0");
    tcp_options::set_listen_backlog_size(&mut ctx, full, 1).unwrap().unwrap();
    let mut waiting = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
    for _ in 0..4 {
        waiting = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
        tcp::start_connect(&mut ctx, waiting, network, full_address).unwrap().unwrap();
    }
    super::accept(&mut ctx, listening);
    let accepting = tcp::subscribe(&mut ctx, listening).unwrap().borrow();
    let connecting = tcp::subscribe(&mut ctx, waiting).unwrap().borrow();
    let (input, output) = (client.input.borrow(), client.output.borrow());
    let waits: [(&str, super::Wait<'_>); 4] = [
        ("accept", Box::new(|ctx| block(ctx, accepting))),
        ("connect", Box::new(|ctx| block(ctx, connecting))),
        ("receive", Box::new(|ctx| blocking_read(ctx, input, 1).map(drop))),
        (
            "send",
            Box::new(|ctx| {
                loop {
                    blocking_write_and_flush(ctx, output, &[0; 4096])?.unwrap();
                }
            }),
        ),
    ];
    for (name, wait) in waits {
        super::interrupted(&mut ctx, name, wait);
    }
}
