//! `wasi:sockets/udp`: UDP sockets and their datagram streams.
//!
//! A bound [`UdpSocket`] has at most one pair of streams. All state is the socket's; the streams are its children and keep it. The
//! guest traps if it asks for new streams before it has dropped the old ones.
//!
//! # Permissions
//! A socket that a rule for listening covers receives from everywhere, and may answer: send to the last [`MAX_PEERS`] addresses
//! from which it has received. Any other address needs a rule for connecting. A socket without a rule for listening receives only
//! from addresses that rules for connecting cover; the host drops other datagrams.
//!
//! # Bounds
//! A call moves at most [`MAX_DATAGRAMS`] datagrams, each of less than 64 KiB, whatever number the guest passes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::{Errno as HostErrno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, bind, connect, connect_unspec, getsockname, recvfrom, send, sendto};
use wasmr_canon::record;

use super::address::{check_local, check_peer, of_host};
use super::{ErrorCode, IpAddressFamily, IpSocketAddress, Network, SocketResult, open, options};
use crate::ctx::WasiCtx;
use crate::host::socket;
use crate::interest::Interest;
use crate::network::{Binding, Protocol};
use crate::p2::poll::{self, Pollable};
use crate::p2::table::{Bond, Borrow, Kind, Object, Own};
use crate::p2::{End, Misuse, P2Ctx};
use crate::wait::is_ready;

/// Largest number of datagrams that one call receives, or that `check-send` permits.
pub const MAX_DATAGRAMS: usize = 16;

/// Number of addresses that a socket may answer.
pub const MAX_PEERS: usize = 256;

/// Bytes of a buffer that holds every datagram: UDP's lengths have 16 bits.
const MAX_DATAGRAM: usize = 1 << 16;

/// Largest number of datagrams that one call drops, so that it ends.
const MAX_DROPPED: usize = 256;

/// State of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unbound,
    BindStarted,
    Bound,
}

/// A `udp-socket`.
#[derive(Debug)]
pub struct UdpSocket {
    /// Number in the descriptor table.
    fd: u32,
    family: IpAddressFamily,
    state: State,
    /// Permission of the bound socket.
    binding: Option<Binding>,
    /// Address to which the guest bound the socket, with the port that the host chose.
    bound: Option<SocketAddr>,
    /// The only peer, if the streams are for one.
    remote: Option<SocketAddr>,
    /// Number of datagrams that may be sent until the next `check-send`.
    permit: usize,
    /// Addresses that the socket may answer, the latest last.
    peers: VecDeque<SocketAddr>,
}

/// An `incoming-datagram-stream`.
#[derive(Debug)]
pub struct IncomingDatagramStream {
    fd: u32,
}

/// An `outgoing-datagram-stream`.
#[derive(Debug)]
pub struct OutgoingDatagramStream {
    fd: u32,
}

record! {
    /// An `incoming-datagram`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct IncomingDatagram "incoming-datagram" {
        /// The payload.
        pub data "data": Vec<u8>,
        /// The sender.
        pub remote_address "remote-address": IpSocketAddress,
    }
}

record! {
    /// An `outgoing-datagram`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OutgoingDatagram "outgoing-datagram" {
        /// The payload.
        pub data "data": Vec<u8>,
        /// The receiver; none for the only peer.
        pub remote_address "remote-address": Option<IpSocketAddress>,
    }
}

fn interest(ctx: &WasiCtx, fd: u32, wanted: PollFlags) -> Interest<'_> {
    socket::descriptor(ctx, fd).map_or(Interest::Ready, |fd| Interest::Fd(fd, wanted))
}

impl IncomingDatagramStream {
    /// Returns the interest in a datagram, or in an error.
    pub(crate) fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        interest(ctx, self.fd, PollFlags::IN)
    }
}

impl OutgoingDatagramStream {
    /// Returns the interest in room for a datagram, or in an error.
    pub(crate) fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        interest(ctx, self.fd, PollFlags::OUT)
    }
}

impl UdpSocket {
    fn host<'c>(&self, ctx: &'c WasiCtx) -> Result<BorrowedFd<'c>, ErrorCode> {
        // The number is this resource's alone, so it is open.
        socket::descriptor(ctx, self.fd).map_err(|_| ErrorCode::Unknown)
    }

    /// Closes the host's socket.
    pub(crate) fn close(self, ctx: &mut WasiCtx) {
        let _ = ctx.fds.remove(self.fd);
    }

    fn start_bind(&mut self, ctx: &mut WasiCtx, address: SocketAddr) -> Result<(), ErrorCode> {
        match self.state {
            State::Unbound => {}
            State::BindStarted => return Err(ErrorCode::ConcurrencyConflict),
            State::Bound => return Err(ErrorCode::InvalidState),
        }
        check_local(self.family, address)?;
        let binding = ctx.network.may_bind(Protocol::Udp, address).ok_or(ErrorCode::AccessDenied)?;
        let fd = self.host(ctx)?;
        bind(fd, &address)?;
        self.bound = Some(of_host(getsockname(fd)?)?);
        self.binding = Some(binding);
        self.state = State::BindStarted;
        Ok(())
    }

    fn finish_bind(&mut self) -> Result<(), ErrorCode> {
        if self.state != State::BindStarted {
            return Err(ErrorCode::NotInProgress);
        }
        self.state = State::Bound;
        Ok(())
    }

    /// Returns the address that the guest bound, if it has.
    fn bound(&self) -> Result<SocketAddr, ErrorCode> {
        self.bound.filter(|_| self.state == State::Bound).ok_or(ErrorCode::InvalidState)
    }

    /// Asks for permission to send to the address.
    fn may_send(&self, ctx: &mut WasiCtx, address: SocketAddr) -> bool {
        self.peers.contains(&address) || ctx.network.may_connect(Protocol::Udp, address)
    }

    /// Changes the only peer.
    fn set_remote(&mut self, ctx: &mut WasiCtx, remote: Option<SocketAddr>) -> Result<(), ErrorCode> {
        let bound = self.bound()?;
        if let Some(address) = remote {
            check_peer(self.family, address)?;
            if !self.may_send(ctx, address) {
                return Err(ErrorCode::AccessDenied);
            }
        }
        self.permit = 0;
        let fd = self.host(ctx)?;
        if self.remote.take().is_some() {
            connect_unspec(fd)?;
            // Linux gives up a port that it chose itself.
            if of_host(getsockname(fd)?)?.port() == 0 {
                bind(fd, &bound)?;
            }
        }
        if let Some(address) = remote {
            connect(fd, &address).map_err(|errno| match errno {
                HostErrno::ADDRNOTAVAIL | HostErrno::AGAIN => ErrorCode::AddressInUse,
                HostErrno::CONNRESET => ErrorCode::RemoteUnreachable,
                errno => errno.into(),
            })?;
        }
        self.remote = remote;
        Ok(())
    }

    fn local_address(&self, ctx: &WasiCtx) -> Result<IpSocketAddress, ErrorCode> {
        self.bound()?;
        Ok(of_host(getsockname(self.host(ctx)?)?)?.into())
    }

    /// Returns true if the guest may see a datagram of this sender, and notes that it may answer.
    fn admits(&mut self, ctx: &WasiCtx, sender: SocketAddr) -> bool {
        match self.remote {
            // Datagrams of others may have arrived before the host knew the only peer.
            Some(remote) => return is_same(remote, sender),
            None if self.binding != Some(Binding::Open) => return ctx.network.reaches(sender),
            None => {}
        }
        if self.peers.back() != Some(&sender) {
            self.peers.retain(|peer| *peer != sender);
            if self.peers.len() == MAX_PEERS {
                self.peers.pop_front();
            }
            self.peers.push_back(sender);
        }
        true
    }

    fn receive(&mut self, ctx: &mut WasiCtx, max_results: u64) -> Result<Vec<IncomingDatagram>, ErrorCode> {
        let wanted = usize::try_from(max_results).unwrap_or(usize::MAX).min(MAX_DATAGRAMS);
        let mut received = Vec::new();
        if wanted == 0 {
            return Ok(received);
        }
        // Not filled with zeros, which would take as long as a system call.
        let mut buffer = Vec::with_capacity(MAX_DATAGRAM);
        let mut dropped = 0;
        while received.len() < wanted && dropped < MAX_DROPPED {
            let fd = self.host(ctx)?;
            buffer.clear();
            match retry_on_intr(|| recvfrom(fd, spare_capacity(&mut buffer), RecvFlags::empty())) {
                Ok((_, _, sender)) => {
                    let sender = of_host(sender.ok_or(ErrorCode::Unknown)?)?;
                    if self.admits(ctx, sender) {
                        received.push(IncomingDatagram { data: buffer.clone(), remote_address: sender.into() });
                    } else {
                        dropped += 1;
                    }
                }
                Err(HostErrno::AGAIN) => break,
                // Errors are of datagrams sent earlier, and UDP promises no report of these.
                Err(_) if !received.is_empty() => break,
                Err(HostErrno::CONNRESET) => return Err(ErrorCode::RemoteUnreachable),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(received)
    }

    fn check_send(&mut self, ctx: &WasiCtx) -> Result<u64, ErrorCode> {
        let is_ready = is_ready(self.host(ctx)?, PollFlags::OUT).map_err(|_| ErrorCode::Unknown)?;
        self.permit = if is_ready { MAX_DATAGRAMS } else { 0 };
        Ok(self.permit as u64)
    }

    /// Sends one datagram.
    fn send_one(&self, ctx: &mut WasiCtx, datagram: &OutgoingDatagram) -> Result<(), ErrorCode> {
        let address = datagram.remote_address.map(SocketAddr::from);
        if let Some(address) = address {
            check_peer(self.family, address)?;
        }
        let sent = match (self.remote, address) {
            (Some(remote), Some(address)) if remote != address => return Err(ErrorCode::InvalidArgument),
            (Some(_), _) => {
                let fd = self.host(ctx)?;
                retry_on_intr(|| send(fd, &datagram.data, SendFlags::NOSIGNAL))
            }
            (None, None) => return Err(ErrorCode::InvalidArgument),
            (None, Some(address)) => {
                if !self.may_send(ctx, address) {
                    return Err(ErrorCode::AccessDenied);
                }
                let fd = self.host(ctx)?;
                retry_on_intr(|| sendto(fd, &datagram.data, SendFlags::NOSIGNAL, &address))
            }
        };
        match sent {
            Ok(_) => Ok(()),
            Err(HostErrno::CONNRESET) => Err(ErrorCode::RemoteUnreachable),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sends the datagrams that the host accepts now. Returns their number.
    fn send(&mut self, ctx: &mut WasiCtx, datagrams: &[OutgoingDatagram]) -> Result<u64, ErrorCode> {
        let mut sent = 0;
        for datagram in datagrams {
            match self.send_one(ctx, datagram) {
                Ok(()) => sent += 1,
                Err(ErrorCode::WouldBlock) => break,
                Err(_) if sent > 0 => break,
                Err(code) => return Err(code),
            }
        }
        Ok(sent)
    }
}

/// Returns true if the addresses are of one endpoint. The host fills in flow labels and scopes by itself.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}

/// Calls `act` with a socket and the context.
fn with<T>(
    ctx: &mut P2Ctx,
    socket: Borrow<UdpSocket>,
    act: impl FnOnce(&mut UdpSocket, &mut WasiCtx) -> Result<T, ErrorCode>,
) -> SocketResult<T> {
    Ok(act(ctx.table.get_mut(socket)?, &mut ctx.wasi))
}

/// Calls `act` with the socket of a datagram stream and the context.
fn with_socket<K: Kind, T>(
    ctx: &mut P2Ctx,
    stream: Borrow<K>,
    act: impl FnOnce(&mut UdpSocket, &mut WasiCtx) -> Result<T, End>,
) -> Result<T, End> {
    match ctx.table.parent_mut(stream)? {
        Some(Object::UdpSocket(socket)) => act(socket, &mut ctx.wasi),
        _ => Err(crate::p2::table::TableError::Gone(UdpSocket::NAME).into()),
    }
}

/// `wasi:sockets/udp-create-socket#create-udp-socket`.
pub fn create_udp_socket(ctx: &mut P2Ctx, address_family: IpAddressFamily) -> SocketResult<Own<UdpSocket>> {
    let fd = match open(&mut ctx.wasi, address_family, Protocol::Udp) {
        Ok(fd) => fd,
        Err(code) => return Ok(Err(code)),
    };
    Ok(Ok(ctx.table.push(UdpSocket {
        fd,
        family: address_family,
        state: State::Unbound,
        binding: None,
        bound: None,
        remote: None,
        permit: 0,
        peers: VecDeque::new(),
    })?))
}

/// `[method]udp-socket.start-bind`.
pub fn start_bind(
    ctx: &mut P2Ctx,
    socket: Borrow<UdpSocket>,
    network: Borrow<Network>,
    local_address: IpSocketAddress,
) -> SocketResult<()> {
    ctx.table.get(network)?;
    with(ctx, socket, |socket, ctx| socket.start_bind(ctx, local_address.into()))
}

/// `[method]udp-socket.finish-bind`.
pub fn finish_bind(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<()> {
    with(ctx, socket, |socket, _| socket.finish_bind())
}

/// The streams of a socket.
pub type Streams = (Own<IncomingDatagramStream>, Own<OutgoingDatagramStream>);

/// `[method]udp-socket.stream`.
///
/// # Errors
/// [`Misuse::StreamsInUse`] if streams of an earlier call have not been dropped.
pub fn stream(
    ctx: &mut P2Ctx,
    socket: Borrow<UdpSocket>,
    remote_address: Option<IpSocketAddress>,
) -> SocketResult<Streams> {
    if ctx.table.is_kept(socket)? {
        return Err(Misuse::StreamsInUse.into());
    }
    let remote = remote_address.map(SocketAddr::from);
    if let Err(code) = with(ctx, socket, |socket, ctx| socket.set_remote(ctx, remote))? {
        return Ok(Err(code));
    }
    let fd = ctx.table.get(socket)?.fd;
    let incoming = ctx.table.push_child(IncomingDatagramStream { fd }, socket, Bond::Keep)?;
    let outgoing = ctx.table.push_child(OutgoingDatagramStream { fd }, socket, Bond::Keep)?;
    Ok(Ok((incoming, outgoing)))
}

/// `[method]udp-socket.local-address`.
pub fn local_address(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<IpSocketAddress> {
    with(ctx, socket, |socket, ctx| socket.local_address(ctx))
}

/// `[method]udp-socket.remote-address`.
pub fn remote_address(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<IpSocketAddress> {
    with(ctx, socket, |socket, _| Ok(socket.remote.ok_or(ErrorCode::InvalidState)?.into()))
}

/// `[method]udp-socket.address-family`.
pub fn address_family(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> Result<IpAddressFamily, End> {
    Ok(ctx.table.get(socket)?.family)
}

/// `[method]udp-socket.unicast-hop-limit`.
pub fn unicast_hop_limit(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<u8> {
    with(ctx, socket, |socket, ctx| options::hop_limit(socket.host(ctx)?, socket.family))
}

/// `[method]udp-socket.set-unicast-hop-limit`.
pub fn set_unicast_hop_limit(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>, value: u8) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_hop_limit(socket.host(ctx)?, socket.family, value))
}

/// `[method]udp-socket.receive-buffer-size`.
pub fn receive_buffer_size(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| options::receive_buffer_size(socket.host(ctx)?))
}

/// `[method]udp-socket.set-receive-buffer-size`.
pub fn set_receive_buffer_size(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_receive_buffer_size(socket.host(ctx)?, value))
}

/// `[method]udp-socket.send-buffer-size`.
pub fn send_buffer_size(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| options::send_buffer_size(socket.host(ctx)?))
}

/// `[method]udp-socket.set-send-buffer-size`.
pub fn set_send_buffer_size(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_send_buffer_size(socket.host(ctx)?, value))
}

/// `[method]udp-socket.subscribe`: a bind is complete at once.
pub fn subscribe(ctx: &mut P2Ctx, socket: Borrow<UdpSocket>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, socket)
}

/// `[method]incoming-datagram-stream.receive`.
pub fn receive(
    ctx: &mut P2Ctx,
    stream: Borrow<IncomingDatagramStream>,
    max_results: u64,
) -> SocketResult<Vec<IncomingDatagram>> {
    with_socket(ctx, stream, |socket, ctx| Ok(socket.receive(ctx, max_results)))
}

/// `[method]incoming-datagram-stream.subscribe`.
pub fn subscribe_incoming(ctx: &mut P2Ctx, stream: Borrow<IncomingDatagramStream>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, stream)
}

/// `[method]outgoing-datagram-stream.check-send`.
pub fn check_send(ctx: &mut P2Ctx, stream: Borrow<OutgoingDatagramStream>) -> SocketResult<u64> {
    with_socket(ctx, stream, |socket, ctx| Ok(socket.check_send(ctx)))
}

/// `[method]outgoing-datagram-stream.send`.
///
/// # Errors
/// [`Misuse::UnpermittedSend`] for more datagrams than `check-send` permitted.
pub fn send_datagrams(
    ctx: &mut P2Ctx,
    stream: Borrow<OutgoingDatagramStream>,
    datagrams: Vec<OutgoingDatagram>,
) -> SocketResult<u64> {
    with_socket(ctx, stream, |socket, ctx| {
        let len = datagrams.len();
        let Some(left) = socket.permit.checked_sub(len) else {
            return Err(Misuse::UnpermittedSend { len, permitted: socket.permit }.into());
        };
        socket.permit = left;
        Ok(socket.send(ctx, &datagrams))
    })
}

/// `[method]outgoing-datagram-stream.subscribe`.
pub fn subscribe_outgoing(ctx: &mut P2Ctx, stream: Borrow<OutgoingDatagramStream>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, stream)
}
