//! `wasi:sockets` over the loopback interface.

mod names;
mod tcp_states;
mod tcp_streams;
mod udp;

use std::time::{Duration, Instant};

use wasmr_runtime::InterruptHandle;

use super::built;
use crate::ctx::WasiCtx;
use crate::p2::P2Ctx;
use crate::p2::input::InputStream;
use crate::p2::output::OutputStream;
use crate::p2::poll;
use crate::p2::sockets::{IpAddressFamily, IpSocketAddress, Network, TcpSocket, instance_network, tcp};
use crate::p2::table::{Borrow, Own};

/// Returns a context whose rules cover everything.
fn connected() -> (P2Ctx, Borrow<Network>) {
    with_rules(&["*"], &["*"])
}

fn with_rules(connect: &[&str], listen: &[&str]) -> (P2Ctx, Borrow<Network>) {
    let mut builder = WasiCtx::builder();
    for rule in connect {
        builder.allow_connect(rule.parse().unwrap());
    }
    for rule in listen {
        builder.allow_listen(rule.parse().unwrap());
    }
    let mut ctx = built(&mut builder);
    let network = instance_network(&mut ctx).unwrap().borrow();
    (ctx, network)
}

fn at(address: &str) -> IpSocketAddress {
    address.parse::<std::net::SocketAddr>().unwrap().into()
}

fn family(address: IpSocketAddress) -> IpAddressFamily {
    match address {
        IpSocketAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpSocketAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    }
}

fn new_tcp(ctx: &mut P2Ctx, family: IpAddressFamily) -> Borrow<TcpSocket> {
    tcp::create_tcp_socket(ctx, family).unwrap().unwrap().borrow()
}

/// Waits until the socket's operation can be finished.
fn wait(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) {
    let pollable = tcp::subscribe(ctx, socket).unwrap();
    poll::block(ctx, pollable.borrow()).unwrap();
    ctx.drop_resource(pollable).unwrap();
}

/// Returns a listening socket and its address.
fn listener(ctx: &mut P2Ctx, network: Borrow<Network>, address: &str) -> (Borrow<TcpSocket>, IpSocketAddress) {
    let socket = new_tcp(ctx, family(at(address)));
    tcp::start_bind(ctx, socket, network, at(address)).unwrap().unwrap();
    tcp::finish_bind(ctx, socket).unwrap().unwrap();
    tcp::start_listen(ctx, socket).unwrap().unwrap();
    tcp::finish_listen(ctx, socket).unwrap().unwrap();
    let address = tcp::local_address(ctx, socket).unwrap().unwrap();
    (socket, address)
}

/// One end of a connection.
struct End {
    socket: Own<TcpSocket>,
    input: Own<InputStream>,
    output: Own<OutputStream>,
}

fn connect(ctx: &mut P2Ctx, network: Borrow<Network>, address: IpSocketAddress) -> End {
    let socket = tcp::create_tcp_socket(ctx, family(address)).unwrap().unwrap();
    tcp::start_connect(ctx, socket.borrow(), network, address).unwrap().unwrap();
    wait(ctx, socket.borrow());
    let (input, output) = tcp::finish_connect(ctx, socket.borrow()).unwrap().unwrap();
    End { socket, input, output }
}

fn accept(ctx: &mut P2Ctx, listener: Borrow<TcpSocket>) -> End {
    wait(ctx, listener);
    let (socket, input, output) = tcp::accept(ctx, listener).unwrap().unwrap();
    End { socket, input, output }
}

/// Returns the client's and the server's end of a connection within the guest.
fn pair(ctx: &mut P2Ctx, network: Borrow<Network>, address: &str) -> (End, End) {
    let (listener, address) = listener(ctx, network, address);
    let client = connect(ctx, network, address);
    let server = accept(ctx, listener);
    (client, server)
}

/// A call that waits.
type Wait<'a> = Box<dyn FnMut(&mut P2Ctx) -> Result<(), crate::p2::End> + 'a>;

/// Checks that an interrupt ends a wait soon. `wait` is called `name` in messages.
fn interrupted(ctx: &mut P2Ctx, name: &str, mut wait: impl FnMut(&mut P2Ctx) -> Result<(), crate::p2::End>) {
    let handle = InterruptHandle::new();
    ctx.wasi.set_interrupt_handle(Some(handle.clone()));
    let interrupter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.interrupt();
        Instant::now()
    });
    assert_eq!(wait(ctx), Err(crate::p2::End::Interrupted), "{name}");
    let ended = Instant::now();
    let interrupted = interrupter.join().unwrap();
    assert!(ended.saturating_duration_since(interrupted) < Duration::from_millis(100), "{name}");
}
