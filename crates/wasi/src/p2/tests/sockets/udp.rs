//! UDP sockets.

use std::net::{SocketAddr, UdpSocket as HostSocket};

use super::{at, connected, family, interrupted, with_rules};
use crate::ctx::WasiCtx;
use crate::p2::poll::{block, poll, ready};
use crate::p2::sockets::udp::*;
use crate::p2::sockets::{ErrorCode, IpAddressFamily, IpSocketAddress, Network, instance_network};
use crate::p2::table::{Borrow, Own};
use crate::p2::tests::built;
use crate::p2::{Misuse, P2Ctx};

use ErrorCode::*;

fn new(ctx: &mut P2Ctx, family: IpAddressFamily) -> Own<UdpSocket> {
    create_udp_socket(ctx, family).unwrap().unwrap()
}

/// Returns a socket that is bound to the address, and its address.
fn bound(ctx: &mut P2Ctx, network: Borrow<Network>, address: &str) -> (Borrow<UdpSocket>, IpSocketAddress) {
    let socket = new(ctx, family(at(address))).borrow();
    start_bind(ctx, socket, network, at(address)).unwrap().unwrap();
    finish_bind(ctx, socket).unwrap().unwrap();
    (socket, local_address(ctx, socket).unwrap().unwrap())
}

fn streams(
    ctx: &mut P2Ctx,
    socket: Borrow<UdpSocket>,
    remote: Option<IpSocketAddress>,
) -> (Borrow<IncomingDatagramStream>, Borrow<OutgoingDatagramStream>) {
    let (incoming, outgoing) = stream(ctx, socket, remote).unwrap().unwrap();
    (incoming.borrow(), outgoing.borrow())
}

fn drop_streams(ctx: &mut P2Ctx, incoming: Borrow<IncomingDatagramStream>, outgoing: Borrow<OutgoingDatagramStream>) {
    ctx.drop_resource(Own::<IncomingDatagramStream>::from_rep(incoming.rep())).unwrap();
    ctx.drop_resource(Own::<OutgoingDatagramStream>::from_rep(outgoing.rep())).unwrap();
}

fn to(address: Option<IpSocketAddress>, data: &[u8]) -> OutgoingDatagram {
    OutgoingDatagram { data: data.to_vec(), remote_address: address }
}

fn send(ctx: &mut P2Ctx, stream: Borrow<OutgoingDatagramStream>, one: OutgoingDatagram) -> Result<u64, ErrorCode> {
    assert_eq!(check_send(ctx, stream).unwrap(), Ok(MAX_DATAGRAMS as u64));
    send_datagrams(ctx, stream, vec![one]).unwrap()
}

/// Receives the datagrams that come next.
fn next(ctx: &mut P2Ctx, stream: Borrow<IncomingDatagramStream>) -> Vec<(Vec<u8>, IpSocketAddress)> {
    let pollable = subscribe_incoming(ctx, stream).unwrap();
    block(ctx, pollable.borrow()).unwrap();
    ctx.drop_resource(pollable).unwrap();
    let received = receive(ctx, stream, u64::MAX).unwrap().unwrap();
    received.into_iter().map(|datagram| (datagram.data, datagram.remote_address)).collect()
}

#[test]
fn datagrams_are_echoed() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut ctx, network) = connected();
        let ctx = &mut ctx;
        let (server, server_address) = bound(ctx, network, address);
        let (client, client_address) = bound(ctx, network, address);
        let (server_in, server_out) = streams(ctx, server, None);
        let (client_in, client_out) = streams(ctx, client, Some(server_address));
        assert_eq!(remote_address(ctx, client).unwrap(), Ok(server_address));
        assert_eq!(remote_address(ctx, server).unwrap(), Err(InvalidState));
        assert_eq!(receive(ctx, server_in, 9).unwrap(), Ok(vec![]), "nothing is there yet");
        assert_eq!(send(ctx, client_out, to(None, b"ping")), Ok(1));
        assert_eq!(send(ctx, client_out, to(Some(server_address), b"")), Ok(1));
        let mut received = next(ctx, server_in);
        while received.len() < 2 {
            received.extend(next(ctx, server_in));
        }
        assert_eq!(received, [(b"ping".to_vec(), client_address), (vec![], client_address)]);
        assert_eq!(send(ctx, server_out, to(Some(client_address), b"pong")), Ok(1));
        assert_eq!(next(ctx, client_in), [(b"pong".to_vec(), server_address)]);
        assert_eq!(address_family(ctx, client), Ok(family(server_address)));
    }
}

#[test]
fn states_and_arguments_are_checked() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let socket = new(ctx, IpAddressFamily::Ipv4).borrow();
    assert_eq!(finish_bind(ctx, socket).unwrap(), Err(NotInProgress));
    assert_eq!(local_address(ctx, socket).unwrap(), Err(InvalidState));
    assert_eq!(stream(ctx, socket, None).unwrap(), Err(InvalidState));
    for address in ["[::1]:0", "224.0.0.1:0", "255.255.255.255:0"] {
        assert_eq!(start_bind(ctx, socket, network, at(address)).unwrap(), Err(InvalidArgument), "{address}");
    }
    assert_eq!(start_bind(ctx, socket, network, at("198.51.100.1:0")).unwrap(), Err(AddressNotBindable));
    assert_eq!(start_bind(ctx, socket, network, at("127.0.0.1:0")).unwrap(), Ok(()));
    assert_eq!(start_bind(ctx, socket, network, at("127.0.0.1:0")).unwrap(), Err(ConcurrencyConflict));
    assert_eq!(local_address(ctx, socket).unwrap(), Err(InvalidState));
    assert_eq!(stream(ctx, socket, None).unwrap(), Err(InvalidState));
    let pollable = subscribe(ctx, socket).unwrap().borrow();
    assert_eq!(ready(ctx, pollable), Ok(true));
    assert_eq!(finish_bind(ctx, socket).unwrap(), Ok(()));
    assert_eq!(start_bind(ctx, socket, network, at("127.0.0.1:0")).unwrap(), Err(InvalidState));
    let address = local_address(ctx, socket).unwrap().unwrap();
    let other = new(ctx, IpAddressFamily::Ipv4).borrow();
    assert_eq!(start_bind(ctx, other, network, address).unwrap(), Err(AddressInUse));
    let invalid = ["0.0.0.0:9", "127.0.0.1:0", "[::1]:9"];
    for remote in invalid {
        assert_eq!(stream(ctx, socket, Some(at(remote))).unwrap(), Err(InvalidArgument), "{remote}");
    }
    let (_, outgoing) = streams(ctx, socket, None);
    for remote in invalid {
        assert_eq!(send(ctx, outgoing, to(Some(at(remote)), b"x")), Err(InvalidArgument), "{remote}");
    }
    assert_eq!(send(ctx, outgoing, to(None, b"x")), Err(InvalidArgument));
    assert_eq!(send(ctx, outgoing, to(Some(address), &[0; 70_000])), Err(DatagramTooLarge));
    assert_eq!(unicast_hop_limit(ctx, socket).unwrap().map(|limit| limit > 0), Ok(true));
    assert_eq!(set_unicast_hop_limit(ctx, socket, 7).unwrap(), Ok(()));
    assert_eq!(unicast_hop_limit(ctx, socket).unwrap(), Ok(7));
    assert_eq!(set_unicast_hop_limit(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_receive_buffer_size(ctx, socket, 0x8000).unwrap(), Ok(()));
    assert_eq!(receive_buffer_size(ctx, socket).unwrap(), Ok(0x8000));
    assert_eq!(set_send_buffer_size(ctx, socket, 0x8000).unwrap(), Ok(()));
    assert_eq!(send_buffer_size(ctx, socket).unwrap(), Ok(0x8000));
    assert_eq!(set_send_buffer_size(ctx, socket, 0).unwrap(), Err(InvalidArgument));
    assert_eq!(set_receive_buffer_size(ctx, socket, 0).unwrap(), Err(InvalidArgument));
}

#[test]
fn new_streams_trap_while_old_ones_live() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let (socket, _) = bound(ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(ctx, socket, None);
    assert_eq!(stream(ctx, socket, None), Err(Misuse::StreamsInUse.into()));
    ctx.drop_resource(Own::<IncomingDatagramStream>::from_rep(incoming.rep())).unwrap();
    assert_eq!(stream(ctx, socket, None), Err(Misuse::StreamsInUse.into()));
    ctx.drop_resource(Own::<OutgoingDatagramStream>::from_rep(outgoing.rep())).unwrap();
    let (incoming, outgoing) = streams(ctx, socket, None);
    // The streams keep the socket.
    ctx.drop_resource(Own::<UdpSocket>::from_rep(socket.rep())).unwrap();
    assert_eq!(receive(ctx, incoming, 1).unwrap(), Ok(vec![]));
    drop_streams(ctx, incoming, outgoing);
    assert_eq!(ctx.table().len(), 1, "only the network is left");
}

#[test]
fn a_send_needs_a_permit() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let (socket, address) = bound(ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(ctx, socket, Some(address));
    assert_eq!(send_datagrams(ctx, outgoing, vec![]).unwrap(), Ok(0));
    let trap = |len, permitted| Err(Misuse::UnpermittedSend { len, permitted }.into());
    assert_eq!(send_datagrams(ctx, outgoing, vec![to(None, b"x")]), trap(1, 0));
    let permit = check_send(ctx, outgoing).unwrap().unwrap() as usize;
    assert_eq!(send_datagrams(ctx, outgoing, vec![to(None, b"x"); permit + 1]), trap(permit + 1, permit));
    assert_eq!(send_datagrams(ctx, outgoing, vec![to(None, b"x"); permit - 1]).unwrap(), Ok(permit as u64 - 1));
    assert_eq!(send_datagrams(ctx, outgoing, vec![to(None, b"x"); 2]), trap(2, 1));
    // A failure after a success is told by the number.
    check_send(ctx, outgoing).unwrap().unwrap();
    let datagrams = vec![to(None, b"a"), to(Some(at("127.0.0.1:1")), b"b"), to(None, b"c")];
    assert_eq!(send_datagrams(ctx, outgoing, datagrams).unwrap(), Ok(1));
    let mut received = 0;
    while received < permit {
        received += next(ctx, incoming).len();
    }
    assert_eq!(receive(ctx, incoming, 0).unwrap(), Ok(vec![]));
}

#[test]
fn lists_are_bounded_whatever_the_guest_asks_for() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let (socket, address) = bound(ctx, network, "127.0.0.1:0");
    let host = HostSocket::bind("127.0.0.1:0").unwrap();
    let (incoming, _) = streams(ctx, socket, None);
    for _ in 0..MAX_DATAGRAMS + 3 {
        host.send_to(b"x", SocketAddr::from(address)).unwrap();
    }
    assert_eq!(receive(ctx, incoming, u64::MAX).unwrap().unwrap().len(), MAX_DATAGRAMS);
    assert_eq!(receive(ctx, incoming, 2).unwrap().unwrap().len(), 2);
    assert_eq!(receive(ctx, incoming, u64::MAX).unwrap().unwrap().len(), 1);
}

#[test]
fn a_peer_is_the_only_one_and_can_be_changed() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let (socket, address) = bound(ctx, network, "0.0.0.0:0");
    let port = SocketAddr::from(address).port();
    let [one, two] = [(); 2].map(|()| HostSocket::bind("127.0.0.1:0").unwrap());
    let [one_address, two_address] = [&one, &two].map(|host| IpSocketAddress::from(host.local_addr().unwrap()));
    let own = SocketAddr::from(([127, 0, 0, 1], port));
    // A datagram that was there before the peer was chosen is not seen.
    two.send_to(b"early", own).unwrap();
    let (incoming, outgoing) = streams(ctx, socket, Some(one_address));
    two.send_to(b"late", own).unwrap();
    one.send_to(b"right", own).unwrap();
    let mut received = Vec::new();
    while received.is_empty() {
        received = next(ctx, incoming);
    }
    assert_eq!(received, [(b"right".to_vec(), one_address)]);
    assert_eq!(send(ctx, outgoing, to(Some(two_address), b"x")), Err(InvalidArgument));
    assert_eq!(SocketAddr::from(local_address(ctx, socket).unwrap().unwrap()), own);
    drop_streams(ctx, incoming, outgoing);
    let (incoming, outgoing) = streams(ctx, socket, Some(two_address));
    assert_eq!(send(ctx, outgoing, to(None, b"x")), Ok(1));
    assert_eq!(remote_address(ctx, socket).unwrap(), Ok(two_address));
    drop_streams(ctx, incoming, outgoing);
    // Without a peer, the socket has the port that it had first.
    let (incoming, _) = streams(ctx, socket, None);
    assert_eq!(local_address(ctx, socket).unwrap(), Ok(address));
    one.send_to(b"again", own).unwrap();
    assert_eq!(next(ctx, incoming), [(b"again".to_vec(), one_address)]);
}

#[test]
fn a_refused_datagram_is_an_error() {
    let (mut ctx, network) = connected();
    let ctx = &mut ctx;
    let gone = HostSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (socket, _) = bound(ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(ctx, socket, Some(gone.into()));
    assert_eq!(send(ctx, outgoing, to(None, b"x")), Ok(1));
    let pollable = subscribe_incoming(ctx, incoming).unwrap().borrow();
    block(ctx, pollable).unwrap();
    assert_eq!(receive(ctx, incoming, 1).unwrap(), Err(ConnectionRefused));
    assert_eq!(receive(ctx, incoming, 1).unwrap(), Ok(vec![]));
}

#[test]
fn without_a_grant_everything_is_denied() {
    let (mut ctx, network) = with_rules(&[], &[]);
    let socket = new(&mut ctx, IpAddressFamily::Ipv4).borrow();
    assert_eq!(start_bind(&mut ctx, socket, network, at("127.0.0.1:0")).unwrap(), Err(AccessDenied));
    let told: Vec<String> = ctx.wasi_mut().network_refusals().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["a UDP socket at 127.0.0.1:0"]);
    let mut ctx = built(WasiCtx::builder().allow_listen("*".parse().unwrap()).allow_udp(false));
    instance_network(&mut ctx).unwrap();
    assert_eq!(create_udp_socket(&mut ctx, IpAddressFamily::Ipv4).unwrap(), Err(AccessDenied));
}

#[test]
fn a_client_receives_only_from_where_it_may_send() {
    let [allowed, other] = [(); 2].map(|()| HostSocket::bind("127.0.0.1:0").unwrap());
    let [allowed_address, other_address] = [&allowed, &other].map(|host| host.local_addr().unwrap());
    let (mut ctx, network) = with_rules(&[&allowed_address.to_string()], &[]);
    let ctx = &mut ctx;
    let (socket, own) = bound(ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(ctx, socket, None);
    other.send_to(b"unwanted", SocketAddr::from(own)).unwrap();
    allowed.send_to(b"wanted", SocketAddr::from(own)).unwrap();
    assert_eq!(next(ctx, incoming), [(b"wanted".to_vec(), allowed_address.into())]);
    assert_eq!(send(ctx, outgoing, to(Some(other_address.into()), b"x")), Err(AccessDenied));
    assert_eq!(send(ctx, outgoing, to(Some(allowed_address.into()), b"x")), Ok(1));
    drop_streams(ctx, incoming, outgoing);
    assert_eq!(stream(ctx, socket, Some(other_address.into())).unwrap(), Err(AccessDenied));
}

#[test]
fn a_server_may_answer_and_no_more() {
    let (mut ctx, network) = with_rules(&[], &["127.0.0.1"]);
    let ctx = &mut ctx;
    let (socket, own) = bound(ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(ctx, socket, None);
    let [asking, silent] = [(); 2].map(|()| HostSocket::bind("127.0.0.1:0").unwrap());
    let [asking_address, silent_address] = [&asking, &silent].map(|host| host.local_addr().unwrap());
    asking.send_to(b"question", SocketAddr::from(own)).unwrap();
    assert_eq!(next(ctx, incoming), [(b"question".to_vec(), asking_address.into())]);
    assert_eq!(send(ctx, outgoing, to(Some(asking_address.into()), b"answer")), Ok(1));
    assert_eq!(send(ctx, outgoing, to(Some(silent_address.into()), b"spam")), Err(AccessDenied));
    let mut buffer = [0; 9];
    assert_eq!(asking.recv(&mut buffer).unwrap(), 6);
    // Only the latest senders may be answered.
    let many: Vec<_> = (0..MAX_PEERS).map(|_| HostSocket::bind("127.0.0.1:0").unwrap()).collect();
    for host in &many {
        host.send_to(b"x", SocketAddr::from(own)).unwrap();
        next(ctx, incoming);
    }
    assert_eq!(send(ctx, outgoing, to(Some(asking_address.into()), b"x")), Err(AccessDenied));
    assert_eq!(send(ctx, outgoing, to(Some(many[0].local_addr().unwrap().into()), b"x")), Ok(1));
}

#[test]
fn an_interrupt_ends_the_wait_for_a_datagram() {
    let (mut ctx, network) = connected();
    let (socket, _) = bound(&mut ctx, network, "127.0.0.1:0");
    let (incoming, outgoing) = streams(&mut ctx, socket, None);
    let (readable, writable) = (
        subscribe_incoming(&mut ctx, incoming).unwrap().borrow(),
        subscribe_outgoing(&mut ctx, outgoing).unwrap().borrow(),
    );
    assert_eq!(poll(&mut ctx, vec![readable, writable]), Ok(vec![1]));
    interrupted(&mut ctx, "receive", |ctx| block(ctx, readable));
}
