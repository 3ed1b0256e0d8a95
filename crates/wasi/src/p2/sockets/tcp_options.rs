//! Options of a [`TcpSocket`].
//!
//! Times are nanoseconds for the guest and seconds for the host, rounded up. Values beyond the host's range ([`tcp(7)`]) are the
//! nearest one within.
//!
//! [`tcp(7)`]: https://man7.org/linux/man-pages/man7/tcp.7.html

use std::time::Duration;

use rustix::net::sockopt;

use super::tcp::with;
use super::{ErrorCode, SocketResult, TcpSocket, options};
use crate::p2::P2Ctx;
use crate::p2::table::Borrow;
use crate::time::SECOND;

/// Longest time in seconds that Linux takes for keep-alive packets.
const MAX_KEEP_ALIVE: u64 = 32767;

/// Largest number of keep-alive packets that Linux takes.
const MAX_KEEP_ALIVE_COUNT: u32 = 127;

/// Returns the time to ask the host for.
fn seconds(value: u64) -> Result<Duration, ErrorCode> {
    if value == 0 {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(Duration::from_secs(value.div_ceil(SECOND).min(MAX_KEEP_ALIVE)))
}

/// Returns a time of the host in nanoseconds.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// `[method]tcp-socket.set-listen-backlog-size`.
pub fn set_listen_backlog_size(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| socket.set_backlog(ctx, value))
}

/// `[method]tcp-socket.keep-alive-enabled`.
pub fn keep_alive_enabled(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<bool> {
    with(ctx, socket, |socket, ctx| Ok(sockopt::socket_keepalive(socket.options(ctx)?)?))
}

/// `[method]tcp-socket.set-keep-alive-enabled`.
pub fn set_keep_alive_enabled(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: bool) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| Ok(sockopt::set_socket_keepalive(socket.options(ctx)?, value)?))
}

/// `[method]tcp-socket.keep-alive-idle-time`.
pub fn keep_alive_idle_time(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| Ok(nanoseconds(sockopt::tcp_keepidle(socket.options(ctx)?)?)))
}

/// `[method]tcp-socket.set-keep-alive-idle-time`.
pub fn set_keep_alive_idle_time(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| Ok(sockopt::set_tcp_keepidle(socket.options(ctx)?, seconds(value)?)?))
}

/// `[method]tcp-socket.keep-alive-interval`.
pub fn keep_alive_interval(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| Ok(nanoseconds(sockopt::tcp_keepintvl(socket.options(ctx)?)?)))
}

/// `[method]tcp-socket.set-keep-alive-interval`.
pub fn set_keep_alive_interval(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| Ok(sockopt::set_tcp_keepintvl(socket.options(ctx)?, seconds(value)?)?))
}

/// `[method]tcp-socket.keep-alive-count`.
pub fn keep_alive_count(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u32> {
    with(ctx, socket, |socket, ctx| Ok(sockopt::tcp_keepcnt(socket.options(ctx)?)?))
}

/// `[method]tcp-socket.set-keep-alive-count`.
pub fn set_keep_alive_count(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u32) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(sockopt::set_tcp_keepcnt(socket.options(ctx)?, value.min(MAX_KEEP_ALIVE_COUNT))?)
    })
}

/// `[method]tcp-socket.hop-limit`.
pub fn hop_limit(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u8> {
    with(ctx, socket, |socket, ctx| options::hop_limit(socket.options(ctx)?, socket.family()))
}

/// `[method]tcp-socket.set-hop-limit`.
pub fn set_hop_limit(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u8) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_hop_limit(socket.options(ctx)?, socket.family(), value))
}

/// `[method]tcp-socket.receive-buffer-size`.
pub fn receive_buffer_size(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| options::receive_buffer_size(socket.options(ctx)?))
}

/// `[method]tcp-socket.set-receive-buffer-size`.
pub fn set_receive_buffer_size(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_receive_buffer_size(socket.options(ctx)?, value))
}

/// `[method]tcp-socket.send-buffer-size`.
pub fn send_buffer_size(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>) -> SocketResult<u64> {
    with(ctx, socket, |socket, ctx| options::send_buffer_size(socket.options(ctx)?))
}

/// `[method]tcp-socket.set-send-buffer-size`.
pub fn set_send_buffer_size(ctx: &mut P2Ctx, socket: Borrow<TcpSocket>, value: u64) -> SocketResult<()> {
    with(ctx, socket, |socket, ctx| options::set_send_buffer_size(socket.options(ctx)?, value))
}
