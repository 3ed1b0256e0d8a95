//! `wasi:sockets/tcp`: the states of a [`TcpSocket`], connections and their streams.
//!
//! ```text
//! Unbound ─start-bind─▶ Binding ─finish-bind─▶ Bound ─start-listen─▶ ListenStarted ─finish-listen─▶ Listening
//!    │                                           │                                                     │ accept
//!    └───────────────start-connect───────────────┴─▶ Connecting ─finish-connect─▶ Connected ◀──────────┘
//!                                                       └──────────(failure)─────▶ Closed
//! ```
//!
//! The states and the pollable's readiness are those of the [operational semantics]. The host binds and listens at once, in the
//! `start-` function; its `finish-` function only changes the state.
//!
//! The streams of a connection keep the host's socket: it closes when the guest has dropped the socket and both streams.
//!
//! [operational semantics]: https://github.com/WebAssembly/WASI/blob/main/proposals/sockets/TcpSocketOperationalSemantics.md

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use rustix::io::{Errno as HostErrno, retry_on_intr};
use rustix::net::{Shutdown, SocketFlags, accept_with, bind, connect, getpeername, getsockname, listen, sockopt};
use wasmr_canon::enumeration;

use super::address::{check_local, check_remote, of_host};
use super::{ErrorCode, IpAddressFamily, IpSocketAddress, Network, SocketResult, open};
use crate::abi::Filetype;
use crate::ctx::WasiCtx;
use crate::fd_table::{Descriptor, Kind};
use crate::host::socket;
use crate::interest::Interest;
use crate::network::{Binding, Protocol};
use crate::p2::input::{InputStream, Source};
use crate::p2::output::{OutputStream, Sink};
use crate::p2::poll::{self, Pollable};
use crate::p2::table::{Bond, Borrow, Own};
use crate::p2::{End, P2Ctx};
use crate::wait::is_ready;

/// Connections that may wait for `accept` if the guest names no number. The host has a limit too (`somaxconn`).
const DEFAULT_BACKLOG: i32 = 4096;

enumeration! {
    /// A `shutdown-type`.
    pub enum ShutdownType "shutdown-type" {
        /// Ends receiving.
        Receive "receive",
        /// Ends sending.
        Send "send",
        /// Ends both.
        Both "both",
    }
}

/// State of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unbound,
    BindStarted,
    Bound,
    ListenStarted,
    Listening,
    Connecting,
    Connected,
    Closed,
}

impl State {
    /// Checks that an operation can start which is possible in the states `from`.
    fn may_start(self, from: &[State]) -> Result<(), ErrorCode> {
        match self {
            State::BindStarted | State::ListenStarted | State::Connecting => Err(ErrorCode::ConcurrencyConflict),
            state if from.contains(&state) => Ok(()),
            _ => Err(ErrorCode::InvalidState),
        }
    }
}

/// A `tcp-socket`.
#[derive(Debug)]
pub struct TcpSocket {
    /// Number in the descriptor table.
    fd: u32,
    family: IpAddressFamily,
    state: State,
    /// Permission of the bound socket.
    binding: Option<Binding>,
    /// Number of connections that may wait for `accept`.
    backlog: i32,
    /// The peer of a connection. The host forgets it when the connection ends, and guests ask for it in messages.
    remote: Option<SocketAddr>,
    /// Representations of the streams, which may be gone.
    streams: Option<(u32, u32)>,
}

impl TcpSocket {
    fn new(fd: u32, family: IpAddressFamily, state: State) -> TcpSocket {
        TcpSocket { fd, family, state, binding: None, backlog: DEFAULT_BACKLOG, remote: None, streams: None }
    }

    /// Returns the address family.
    pub(super) fn family(&self) -> IpAddressFamily {
        self.family
    }

    /// Returns the host's socket.
    fn host<'c>(&self, ctx: &'c WasiCtx) -> Result<BorrowedFd<'c>, ErrorCode> {
        // The number is this resource's alone, so it is open.
        socket::descriptor(ctx, self.fd).map_err(|_| ErrorCode::Unknown)
    }

    /// Returns the host's socket for reading or changing an option.
    pub(super) fn options<'c>(&self, ctx: &'c WasiCtx) -> Result<BorrowedFd<'c>, ErrorCode> {
        if self.state == State::Closed { Err(ErrorCode::InvalidState) } else { self.host(ctx) }
    }

    /// Closes the host's socket.
    pub(crate) fn close(self, ctx: &mut WasiCtx) {
        // The number is this resource's alone, so it is open.
        let _ = ctx.fds.remove(self.fd);
    }

    /// Returns the interest in the end of the operation in progress, or in a connection to accept.
    pub(crate) fn interest<'c>(&self, ctx: &'c WasiCtx) -> Interest<'c> {
        match (self.state, self.host(ctx)) {
            (State::Connecting, Ok(fd)) => Interest::Fd(fd, PollFlags::OUT),
            (State::Listening, Ok(fd)) => Interest::Fd(fd, PollFlags::IN),
            _ => Interest::Ready,
        }
    }

    fn start_bind(&mut self, ctx: &mut WasiCtx, address: SocketAddr) -> Result<(), ErrorCode> {
        self.state.may_start(&[State::Unbound])?;
        check_local(self.family, address)?;
        let binding = ctx.network.may_bind(Protocol::Tcp, address).ok_or(ErrorCode::AccessDenied)?;
        let fd = self.host(ctx)?;
        // Connections that have ended do not keep the port from its next user, if both have this option.
        sockopt::set_socket_reuseaddr(fd, true)?;
        bind(fd, &address)?;
        self.binding = Some(binding);
        self.state = State::BindStarted;
        Ok(())
    }

    fn start_connect(&mut self, ctx: &mut WasiCtx, address: SocketAddr) -> Result<(), ErrorCode> {
        self.state.may_start(&[State::Unbound, State::Bound])?;
        self.state = State::Closed;
        check_remote(self.family, address)?;
        if !ctx.network.may_connect(Protocol::Tcp, address) {
            return Err(ErrorCode::AccessDenied);
        }
        match connect(self.host(ctx)?, &address) {
            // A signal ends the call, and the connection goes on being made.
            Ok(()) | Err(HostErrno::INPROGRESS | HostErrno::INTR) => {}
            // No port is free for the connection.
            Err(HostErrno::ADDRNOTAVAIL | HostErrno::AGAIN) => return Err(ErrorCode::AddressInUse),
            Err(errno) => return Err(errno.into()),
        }
        self.remote = Some(address);
        self.state = State::Connecting;
        Ok(())
    }

    fn finish_connect(&mut self, ctx: &WasiCtx) -> Result<(), ErrorCode> {
        if self.state != State::Connecting {
            return Err(ErrorCode::NotInProgress);
        }
        let fd = self.host(ctx)?;
        if !is_ready(fd, PollFlags::OUT).map_err(|_| ErrorCode::Unknown)? {
            return Err(ErrorCode::WouldBlock);
        }
        self.state = State::Closed;
        sockopt::socket_error(fd)??;
        self.state = State::Connected;
        Ok(())
    }

    fn start_listen(&mut self, ctx: &mut WasiCtx) -> Result<(), ErrorCode> {
        self.state.may_start(&[State::Bound])?;
        self.state = State::Closed;
        let fd = self.host(ctx)?;
        if self.binding != Some(Binding::Open) {
            let address = of_host(getsockname(fd)?)?;
            ctx.network.refuse_listen(Protocol::Tcp, address);
            return Err(ErrorCode::AccessDenied);
        }
        listen(fd, self.backlog)?;
        self.state = State::ListenStarted;
        Ok(())
    }

    /// Ends an operation that the host has completed already.
    fn finish(&mut self, started: State, done: State) -> Result<(), ErrorCode> {
        if self.state != started {
            return Err(ErrorCode::NotInProgress);
        }
        self.state = done;
        Ok(())
    }

    /// Accepts a connection.
    fn accept(&self, ctx: &mut WasiCtx) -> Result<TcpSocket, ErrorCode> {
        if self.state != State::Listening {
            return Err(ErrorCode::InvalidState);
        }
        ctx.fds.check_free().map_err(|_| ErrorCode::NewSocketLimit)?;
        let fd = self.host(ctx)?;
        let accepted = retry_on_intr(|| accept_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC));
        let connection = accepted.map_err(|errno| match ErrorCode::from(errno) {
            // Linux reports errors of the new connection here (accept(2), "Error handling").
            ErrorCode::RemoteUnreachable | ErrorCode::NotSupported => ErrorCode::ConnectionAborted,
            _ if errno == HostErrno::PROTO => ErrorCode::ConnectionAborted,
            code => code,
        })?;
        let remote = getpeername(&connection).ok().flatten().and_then(|address| of_host(address).ok());
        let descriptor = Descriptor::endpoint(connection, Kind::Socket, Filetype::SocketStream);
        let fd = ctx.fds.insert(descriptor).map_err(|_| ErrorCode::NewSocketLimit)?;
        Ok(TcpSocket { remote, ..TcpSocket::new(fd, self.family, State::Connected) })
    }

    fn local_address(&self, ctx: &WasiCtx) -> Result<IpSocketAddress, ErrorCode> {
        match self.state {
            State::Unbound | State::BindStarted | State::Closed => Err(ErrorCode::InvalidState),
            _ => Ok(of_host(getsockname(self.host(ctx)?)?)?.into()),
        }
    }

    fn remote_address(&self, ctx: &WasiCtx) -> Result<IpSocketAddress, ErrorCode> {
        if self.state != State::Connected {
            return Err(ErrorCode::InvalidState);
        }
        match getpeername(self.host(ctx)?) {
            Ok(Some(address)) => Ok(of_host(address)?.into()),
            _ => Ok(self.remote.ok_or(ErrorCode::InvalidState)?.into()),
        }
    }

    /// `set-listen-backlog-size`.
    pub(super) fn set_backlog(&mut self, ctx: &WasiCtx, value: u64) -> Result<(), ErrorCode> {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(value).unwrap_or(i32::MAX);
        match self.state {
            State::Connecting | State::Connected | State::Closed => return Err(ErrorCode::InvalidState),
            State::ListenStarted | State::Listening => listen(self.host(ctx)?, backlog)?,
            State::Unbound | State::BindStarted | State::Bound => {}
        }
        self.backlog = backlog;
        Ok(())
    }
}

/// Calls `act` with a socket and the context.
pub(super) fn with<T>(
    ctx: &mut P2Ctx,
    socket: Borrow<TcpSocket>,
    act: impl FnOnce(&mut TcpSocket, &mut WasiCtx) -> Result<T, ErrorCode>,
) -> SocketResult<T> {
    Ok(act(ctx.table.get_mut(socket)?, &mut ctx.wasi))
}

/// Adds the streams of a connected socket.
fn streams(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> Result<(Own<InputStream>, Own<OutputStream>), End> {
    let fd = ctx.table.get(socket)?.fd;
    let input = ctx.table.push_child(InputStream::new(Source::Socket(fd)), socket, Bond::Keep)?;
    let output = ctx.table.push_child(OutputStream::new(Sink::Socket(fd)), socket, Bond::Keep)?;
    ctx.table.get_mut(socket)?.streams = Some((input.rep(), output.rep()));
    Ok((input, output))
}

/// `wasi:sockets/tcp-create-socket#create-tcp-socket`.
pub fn create_tcp_socket(ctx: &mut P2Ctx, address_family: IpAddressFamily) -> SocketResult<Own<TcpSocket>> {
    match open(&mut ctx.wasi, address_family, Protocol::Tcp) {
        Ok(fd) => Ok(Ok(ctx.table.push(TcpSocket::new(fd, address_family, State::Unbound))?)),
        Err(code) => Ok(Err(code)),
    }
}

/// `[method]tcp-socket.start-bind`.
pub fn start_bind(
    ctx: &mut P2Ctx,
    socket: Borrow<TcpSocket>,
    network: Borrow<Network>,
    local_address: IpSocketAddress,
) -> SocketResult<()> {
    ctx.table.get(network)?;
    with(ctx, socket, |socket, ctx| socket.start_bind(ctx, local_address.into()))
}

/// `[method]tcp-socket.finish-bind`.
pub fn finish_bind(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<()> {
    with(ctx, socket, |socket, _| socket.finish(State::BindStarted, State::Bound))
}

/// `[method]tcp-socket.start-connect`.
pub fn start_connect(
    ctx: &mut P2Ctx,
    socket: Borrow<TcpSocket>,
    network: Borrow<Network>,
    remote_address: IpSocketAddress,
) -> SocketResult<()> {
    ctx.table.get(network)?;
    with(ctx, socket, |socket, ctx| socket.start_connect(ctx, remote_address.into()))
}

/// `[method]tcp-socket.finish-connect`.
pub fn finish_connect(
    ctx: &mut P2Ctx,
    socket: Borrow<TcpSocket>,
) -> SocketResult<(Own<InputStream>, Own<OutputStream>)> {
    match with(ctx, socket, |socket, ctx| socket.finish_connect(ctx))? {
        Ok(()) => Ok(Ok(streams(ctx, socket)?)),
        Err(code) => Ok(Err(code)),
    }
}

/// `[method]tcp-socket.start-listen`.
pub fn start_listen(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<()> {
    with(ctx, socket, TcpSocket::start_listen)
}

/// `[method]tcp-socket.finish-listen`.
pub fn finish_listen(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<()> {
    with(ctx, socket, |socket, _| socket.finish(State::ListenStarted, State::Listening))
}

/// The resources of an accepted connection.
pub type Accepted = (Own<TcpSocket>, Own<InputStream>, Own<OutputStream>);

/// `[method]tcp-socket.accept`. The host lets the connection inherit the options.
pub fn accept(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<Accepted> {
    match with(ctx, socket, |socket, ctx| socket.accept(ctx))? {
        Ok(accepted) => {
            let accepted = ctx.table.push(accepted)?;
            let (input, output) = streams(ctx, accepted.borrow())?;
            Ok(Ok((accepted, input, output)))
        }
        Err(code) => Ok(Err(code)),
    }
}

/// `[method]tcp-socket.local-address`.
pub fn local_address(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<IpSocketAddress> {
    with(ctx, socket, |socket, ctx| socket.local_address(ctx))
}

/// `[method]tcp-socket.remote-address`.
pub fn remote_address(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<IpSocketAddress> {
    with(ctx, socket, |socket, ctx| socket.remote_address(ctx))
}

/// `[method]tcp-socket.is-listening`.
pub fn is_listening(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> Result<bool, End> {
    Ok(ctx.table.get(socket)?.state == State::Listening)
}

/// `[method]tcp-socket.address-family`.
pub fn address_family(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> Result<IpAddressFamily, End> {
    Ok(ctx.table.get(socket)?.family)
}

/// `[method]tcp-socket.subscribe`.
pub fn subscribe(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> Result<Own<Pollable>, End> {
    poll::subscribe(ctx, socket)
}

/// `[method]tcp-socket.shutdown`: closes the streams, and ends the connection's directions on the host. Bytes that the guest
/// has written are sent before the end.
pub fn shutdown(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, shutdown_type: ShutdownType) -> SocketResult<()> {
    let TcpSocket { fd, state, streams, .. } = *ctx.table.get(socket)?;
    if state != State::Connected {
        return Ok(Err(ErrorCode::InvalidState));
    }
    let (input, output) = streams.unzip();
    if shutdown_type != ShutdownType::Send {
        // A stream that was dropped may have left its representation to a stream of another socket.
        if let Some(Ok(stream)) = input.map(|rep| ctx.table.get_mut(Borrow::<InputStream>::from_rep(rep)))
            && stream.is_of_socket(fd)
        {
            stream.close();
        }
        socket::end(&ctx.wasi, fd, Shutdown::Read);
    }
    if shutdown_type != ShutdownType::Receive {
        match output.map(|rep| ctx.table.get_mut(Borrow::<OutputStream>::from_rep(rep))) {
            Some(Ok(stream)) if stream.is_of_socket(fd) => stream.end(&mut ctx.wasi)?,
            _ => socket::end(&ctx.wasi, fd, Shutdown::Write),
        }
    }
    Ok(Ok(()))
}
