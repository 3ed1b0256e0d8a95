//! States of TCP sockets: what each permits, and the errors of the rest.

use super::{accept, at, connect, connected, family, listener, new_tcp, pair, wait, with_rules};
use crate::ctx::WasiCtx;
use crate::network::Refusal;
use crate::p2::P2Ctx;
use crate::p2::sockets::tcp::{self, ShutdownType};
use crate::p2::sockets::{ErrorCode, IpAddressFamily, Network, TcpSocket, instance_network, tcp_options};
use crate::p2::table::Borrow;
use crate::p2::tests::built;
use crate::time::SECOND;

use ErrorCode::*;

/// Calls every operation that a state can refuse, and returns those that it does not refuse as `expected` says. Only refused
/// operations are called.
fn check_refusals(
    ctx: &mut P2Ctx,
    network: Borrow<Network>,
    socket: Borrow<TcpSocket>,
    expected: &[(&str, ErrorCode)],
) {
    for (name, code) in expected {
        let address = at("127.0.0.1:1");
        let outcome = match *name {
            "start-bind" => tcp::start_bind(ctx, socket, network, address).unwrap(),
            "finish-bind" => tcp::finish_bind(ctx, socket).unwrap(),
            "start-connect" => tcp::start_connect(ctx, socket, network, address).unwrap(),
            "finish-connect" => tcp::finish_connect(ctx, socket).unwrap().map(drop),
            "start-listen" => tcp::start_listen(ctx, socket).unwrap(),
            "finish-listen" => tcp::finish_listen(ctx, socket).unwrap(),
            "accept" => tcp::accept(ctx, socket).unwrap().map(drop),
            "shutdown" => tcp::shutdown(ctx, socket, ShutdownType::Both).unwrap(),
            "local-address" => tcp::local_address(ctx, socket).unwrap().map(drop),
            "remote-address" => tcp::remote_address(ctx, socket).unwrap().map(drop),
            "set-listen-backlog-size" => tcp_options::set_listen_backlog_size(ctx, socket, 9).unwrap(),
            "hop-limit" => tcp_options::hop_limit(ctx, socket).unwrap().map(drop),
            other => panic!("{other}"),
        };
        assert_eq!(outcome, Err(*code), "{name}");
    }
}

#[test]
fn each_state_refuses_what_it_does_not_permit() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let no_finish =
        [("finish-bind", NotInProgress), ("finish-connect", NotInProgress), ("finish-listen", NotInProgress)];
    let never = [("accept", InvalidState), ("shutdown", InvalidState), ("remote-address", InvalidState)];
    let busy = [
        ("start-bind", ConcurrencyConflict),
        ("start-connect", ConcurrencyConflict),
        ("start-listen", ConcurrencyConflict),
    ];

    let socket = new_tcp(ctx, IpAddressFamily::Ipv4);
    check_refusals(ctx, network, socket, &[&no_finish[..], &never].concat());
    check_refusals(ctx, network, socket, &[("start-listen", InvalidState), ("local-address", InvalidState)]);
    assert_eq!(tcp::is_listening(ctx, socket), Ok(false));
    assert_eq!(tcp::address_family(ctx, socket), Ok(IpAddressFamily::Ipv4));
    wait(ctx, socket);

    tcp::start_bind(ctx, socket, network, at("127.0.0.1:0")).unwrap().unwrap();
    check_refusals(ctx, network, socket, &[&no_finish[1..], &never, &busy].concat());
    check_refusals(ctx, network, socket, &[("local-address", InvalidState)]);
    wait(ctx, socket);
    tcp::finish_bind(ctx, socket).unwrap().unwrap();

    let address = tcp::local_address(ctx, socket).unwrap().unwrap();
    check_refusals(ctx, network, socket, &[&no_finish[..], &never, &[("start-bind", InvalidState)]].concat());
    wait(ctx, socket);

    tcp::start_listen(ctx, socket).unwrap().unwrap();
    check_refusals(ctx, network, socket, &[&no_finish[..2], &never, &busy].concat());
    assert_eq!(tcp::is_listening(ctx, socket), Ok(false));
    tcp::finish_listen(ctx, socket).unwrap().unwrap();

    let not_listening = [("start-bind", InvalidState), ("start-connect", InvalidState), ("start-listen", InvalidState)];
    check_refusals(ctx, network, socket, &[&no_finish[..], &never[1..], &not_listening].concat());
    check_refusals(ctx, network, socket, &[("accept", WouldBlock)]);
    assert_eq!(tcp::is_listening(ctx, socket), Ok(true));
    assert_eq!(tcp_options::set_listen_backlog_size(ctx, socket, u64::MAX).unwrap(), Ok(()));

    let client = connect(ctx, network, address);
    let server = accept(ctx, socket);
    for end in [&client, &server] {
        let socket = end.socket.borrow();
        let refused = [&no_finish[..], &never[..1], &not_listening, &[("set-listen-backlog-size", InvalidState)]];
        check_refusals(ctx, network, socket, &refused.concat());
        assert_eq!(tcp::is_listening(ctx, socket), Ok(false));
        wait(ctx, socket);
    }
    let [local, remote] = [tcp::local_address, tcp::remote_address];
    assert_eq!(local(ctx, client.socket.borrow()), remote(ctx, server.socket.borrow()));
    assert_eq!(remote(ctx, client.socket.borrow()).unwrap(), Ok(address));
}

#[test]
fn a_refused_connection_closes_the_socket() {
    let (mut ctx, network) = connected();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
    tcp::start_connect(&mut ctx, socket, network, free.into()).unwrap().unwrap();
    wait(&mut ctx, socket);
    assert_eq!(tcp::finish_connect(&mut ctx, socket).unwrap().map(drop), Err(ConnectionRefused));
    let refused = ["start-bind", "start-connect", "start-listen", "accept", "shutdown", "local-address", "hop-limit"];
    check_refusals(&mut ctx, network, socket, &refused.map(|name| (name, InvalidState)));
    check_refusals(&mut ctx, network, socket, &[("finish-connect", NotInProgress)]);
    wait(&mut ctx, socket);
}

#[test]
fn a_connection_in_progress_permits_nothing_else() {
    let (mut ctx, network) = connected();
    // A listener whose queue is full answers nobody.
    let (full, address) = listener(&mut ctx, network, "127.0.0.1:0");
    tcp_options::set_listen_backlog_size(&mut ctx, full, 1).unwrap().unwrap();
    let _waiting: Vec<_> = (0..4)
        .map(|_| {
            let socket = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
            tcp::start_connect(&mut ctx, socket, network, address).unwrap().unwrap();
        })
        .collect();
    let socket = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
    tcp::start_connect(&mut ctx, socket, network, address).unwrap().unwrap();
    let expected = [
        ("finish-connect", WouldBlock),
        ("start-connect", ConcurrencyConflict),
        ("start-bind", ConcurrencyConflict),
        ("start-listen", ConcurrencyConflict),
        ("finish-bind", NotInProgress),
        ("finish-listen", NotInProgress),
        ("shutdown", InvalidState),
        ("remote-address", InvalidState),
        ("set-listen-backlog-size", InvalidState),
        ("finish-connect", WouldBlock),
    ];
    check_refusals(&mut ctx, network, socket, &expected);
}

#[test]
fn addresses_are_checked_before_the_host_sees_them() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    for (family, address) in [
        (IpAddressFamily::Ipv4, "[::1]:80"),
        (IpAddressFamily::Ipv6, "127.0.0.1:80"),
        (IpAddressFamily::Ipv6, "[::ffff:127.0.0.1]:80"),
        (IpAddressFamily::Ipv4, "224.0.0.1:80"),
        (IpAddressFamily::Ipv4, "255.255.255.255:80"),
    ] {
        let socket = new_tcp(ctx, family);
        assert_eq!(tcp::start_bind(ctx, socket, network, at(address)).unwrap(), Err(InvalidArgument), "{address}");
        // A failed bind changes nothing.
        assert_eq!(tcp::start_connect(ctx, socket, network, at(address)).unwrap(), Err(InvalidArgument), "{address}");
        // A failed connection does.
        assert_eq!(tcp::start_connect(ctx, socket, network, at(address)).unwrap(), Err(InvalidState), "{address}");
    }
    for address in ["0.0.0.0:80", "127.0.0.1:0", "[::]:80", "[::1]:0"] {
        let socket = new_tcp(ctx, family(at(address)));
        assert_eq!(tcp::start_connect(ctx, socket, network, at(address)).unwrap(), Err(InvalidArgument), "{address}");
    }
    let socket = new_tcp(ctx, IpAddressFamily::Ipv4);
    assert_eq!(tcp::start_bind(ctx, socket, network, at("198.51.100.1:0")).unwrap(), Err(AddressNotBindable));
    let (_listener, taken) = listener(ctx, network, "127.0.0.1:0");
    assert_eq!(tcp::start_bind(ctx, socket, network, taken).unwrap(), Err(AddressInUse));
    assert_eq!(tcp::start_bind(ctx, socket, network, at("127.0.0.1:0")).unwrap(), Ok(()));
}

#[test]
fn a_port_can_be_bound_again_at_once() {
    let (mut ctx, network) = connected();
    let (listening, address) = listener(&mut ctx, network, "127.0.0.1:0");
    let client = connect(&mut ctx, network, address);
    let server = accept(&mut ctx, listening);
    // The server's end closes first and stays in TIME_WAIT.
    for end in [server, client] {
        ctx.drop_resource(end.input).unwrap();
        ctx.drop_resource(end.output).unwrap();
        ctx.drop_resource(end.socket).unwrap();
    }
    ctx.drop_resource(crate::p2::table::Own::<TcpSocket>::from_rep(listening.rep())).unwrap();
    let std::net::SocketAddr::V4(address) = address.into() else { panic!() };
    listener(&mut ctx, network, &address.to_string());
}

#[test]
fn without_a_grant_everything_is_denied() {
    let (mut ctx, network) = with_rules(&[], &[]);
    let ctx = &mut ctx;
    for address in ["127.0.0.1:80", "[::1]:80", "[::1]:0"] {
        let socket = new_tcp(ctx, family(at(address)));
        assert_eq!(tcp::start_bind(ctx, socket, network, at(address)).unwrap(), Err(AccessDenied));
        let port = address.replace(":0", ":9");
        assert_eq!(tcp::start_connect(ctx, socket, network, at(&port)).unwrap(), Err(AccessDenied));
    }
    let told: Vec<String> = ctx.wasi_mut().network_refusals().iter().map(Refusal::to_string).collect();
    assert_eq!(told[..2], ["a TCP socket at 127.0.0.1:80", "a TCP connection to 127.0.0.1:80"]);
    let mut ctx = built(WasiCtx::builder().allow_connect("*".parse().unwrap()).allow_tcp(false));
    instance_network(&mut ctx).unwrap();
    assert_eq!(tcp::create_tcp_socket(&mut ctx, IpAddressFamily::Ipv4).unwrap(), Err(AccessDenied));
}

#[test]
fn a_grant_to_connect_is_none_to_listen() {
    let (mut ctx, network) = with_rules(&["127.0.0.1"], &["127.0.0.1:1000-1001"]);
    let socket = new_tcp(&mut ctx, IpAddressFamily::Ipv4);
    // Not the port, and not the address.
    for address in ["127.0.0.1:1002", "0.0.0.0:1000"] {
        assert_eq!(tcp::start_bind(&mut ctx, socket, network, at(address)).unwrap(), Err(AccessDenied));
    }
    tcp::start_bind(&mut ctx, socket, network, at("127.0.0.1:0")).unwrap().unwrap();
    tcp::finish_bind(&mut ctx, socket).unwrap().unwrap();
    assert_eq!(tcp::start_listen(&mut ctx, socket).unwrap(), Err(AccessDenied));
    assert_eq!(ctx.wasi_mut().network_refusals().len(), 3);
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    connect(&mut ctx, network, host.local_addr().unwrap().into());
}

#[test]
fn sockets_are_descriptors_of_the_limit() {
    let mut builder = WasiCtx::builder();
    builder.allow_connect("*".parse().unwrap()).allow_listen("*".parse().unwrap()).max_fds(6);
    let mut ctx = built(&mut builder);
    let network = instance_network(&mut ctx).unwrap().borrow();
    let (listening, address) = listener(&mut ctx, network, "127.0.0.1:0");
    let client = connect(&mut ctx, network, address);
    let other = tcp::create_tcp_socket(&mut ctx, IpAddressFamily::Ipv6).unwrap().unwrap();
    assert_eq!(tcp::create_tcp_socket(&mut ctx, IpAddressFamily::Ipv4).unwrap(), Err(NewSocketLimit));
    wait(&mut ctx, listening);
    assert_eq!(tcp::accept(&mut ctx, listening).unwrap().map(drop), Err(NewSocketLimit));
    ctx.drop_resource(other).unwrap();
    accept(&mut ctx, listening);
    // A socket goes with the last of its resources.
    ctx.drop_resource(client.socket).unwrap();
    ctx.drop_resource(client.input).unwrap();
    assert_eq!(tcp::create_tcp_socket(&mut ctx, IpAddressFamily::Ipv4).unwrap(), Err(NewSocketLimit));
    ctx.drop_resource(client.output).unwrap();
    assert!(tcp::create_tcp_socket(&mut ctx, IpAddressFamily::Ipv4).unwrap().is_ok());
}

#[test]
fn options_keep_their_values_and_connections_inherit_them() {
    use tcp_options::*;
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let (listening, address) = listener(ctx, network, "[::1]:0");
    let set = |ctx: &mut P2Ctx, socket| {
        set_keep_alive_enabled(ctx, socket, true).unwrap().unwrap();
        set_keep_alive_idle_time(ctx, socket, 41 * SECOND).unwrap().unwrap();
        set_keep_alive_interval(ctx, socket, 6 * SECOND + 1).unwrap().unwrap();
        set_keep_alive_count(ctx, socket, 5).unwrap().unwrap();
        set_hop_limit(ctx, socket, 43).unwrap().unwrap();
        set_receive_buffer_size(ctx, socket, 0x4000).unwrap().unwrap();
        set_send_buffer_size(ctx, socket, 0x4000).unwrap().unwrap();
    };
    let check = |ctx: &mut P2Ctx, socket| {
        assert_eq!(keep_alive_enabled(ctx, socket).unwrap(), Ok(true));
        assert_eq!(keep_alive_idle_time(ctx, socket).unwrap(), Ok(41 * SECOND));
        assert_eq!(keep_alive_interval(ctx, socket).unwrap(), Ok(7 * SECOND));
        assert_eq!(keep_alive_count(ctx, socket).unwrap(), Ok(5));
        assert_eq!(hop_limit(ctx, socket).unwrap(), Ok(43));
        assert_eq!(receive_buffer_size(ctx, socket).unwrap(), Ok(0x4000));
        assert_eq!(send_buffer_size(ctx, socket).unwrap(), Ok(0x4000));
    };
    set(ctx, listening);
    check(ctx, listening);
    let client = connect(ctx, network, address);
    let server = accept(ctx, listening);
    check(ctx, server.socket.borrow());
    // Values that no host takes are clamped.
    let socket = client.socket.borrow();
    assert_eq!(set_keep_alive_idle_time(ctx, socket, u64::MAX).unwrap(), Ok(()));
    assert_eq!(set_keep_alive_interval(ctx, socket, u64::MAX).unwrap(), Ok(()));
    assert_eq!(set_keep_alive_count(ctx, socket, u32::MAX).unwrap(), Ok(()));
    assert_eq!(set_receive_buffer_size(ctx, socket, u64::MAX).unwrap(), Ok(()));
    assert_eq!(set_send_buffer_size(ctx, socket, 1).unwrap(), Ok(()));
    assert_eq!(set_hop_limit(ctx, socket, 255).unwrap(), Ok(()));
    // Zero is no value.
    assert_eq!(set_keep_alive_idle_time(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_keep_alive_interval(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_keep_alive_count(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_receive_buffer_size(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_send_buffer_size(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_hop_limit(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_listen_backlog_size(ctx, listening, 0).unwrap(), Err(InvalidArgument));
}

#[test]
fn an_ipv6_socket_does_not_take_the_ipv4_port() {
    let (mut ctx, network) = connected();
    let (_six, address) = listener(&mut ctx, network, "[::]:0");
    let port = std::net::SocketAddr::from(address).port();
    listener(&mut ctx, network, &format!("0.0.0.0:{port}"));
    let (client, server) = pair(&mut ctx, network, "[::1]:0");
    assert_eq!(tcp::address_family(&mut ctx, client.socket.borrow()), Ok(IpAddressFamily::Ipv6));
    assert_eq!(tcp::address_family(&mut ctx, server.socket.borrow()), Ok(IpAddressFamily::Ipv6));
}
