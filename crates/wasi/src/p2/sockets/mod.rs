//! `wasi:sockets`: TCP, UDP and lookups of names.
//!
//! In: addresses and bytes of the guest. Out: host sockets, each of which is a number in the descriptor table and counts towards
//! `max_fds`. The grants of the context (`network`) decide at `bind`, `connect` and `send`; an address without a grant is
//! `access-denied`. Every host socket is non-blocking: the guest waits in `wasi:io/poll`, or in a stream.
//!
//! | file | its one job |
//! |---|---|
//! | [`address`] | addresses of the interface, and checks of them |
//! | [`error_code`] | the table from host errors to `error-code` |
//! | `options` | options that sockets of both protocols have |
//! | [`udp`] | UDP sockets and their datagram streams |
//! | [`ip_name_lookup`] | addresses of a host name |
//! | [`tcp`] | the states of a TCP socket; [`tcp_options`]: its options |

pub mod address;
pub mod error_code;
pub mod ip_name_lookup;
mod options;
pub mod tcp;
pub mod tcp_options;
pub mod udp;

pub use address::{IpAddress, IpAddressFamily, IpSocketAddress};
pub use error_code::ErrorCode;
pub use ip_name_lookup::ResolveAddressStream;
pub use tcp::TcpSocket;
pub use udp::{IncomingDatagramStream, OutgoingDatagramStream, UdpSocket};

use rustix::net::{SocketFlags, SocketType, socket_with, sockopt};

use super::table::Own;
use super::{End, P2Ctx};
use crate::abi::Filetype;
use crate::ctx::WasiCtx;
use crate::fd_table::{Descriptor, Kind};
use crate::network::Protocol;

/// Result of a function of the interface.
pub type SocketResult<T> = Result<Result<T, ErrorCode>, End>;

/// A `network`: the one that the context grants.
#[derive(Debug)]
pub struct Network;

/// `wasi:sockets/instance-network#instance-network`.
pub fn instance_network(ctx: &mut P2Ctx) -> Result<Own<Network>, End> {
    Ok(ctx.table.push(Network)?)
}

/// Makes a host socket. Returns its number.
fn open(ctx: &mut WasiCtx, family: IpAddressFamily, protocol: Protocol) -> Result<u32, ErrorCode> {
    if !ctx.network.may_open(protocol) {
        return Err(ErrorCode::AccessDenied);
    }
    ctx.fds.check_free().map_err(|_| ErrorCode::NewSocketLimit)?;
    let (kind, filetype) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, Filetype::SocketStream),
        Protocol::Udp => (SocketType::DGRAM, Filetype::Unknown),
    };
    let socket = socket_with(family.host(), kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    if family == IpAddressFamily::Ipv6 {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    let descriptor = Descriptor::endpoint(socket, Kind::Socket, filetype);
    ctx.fds.insert(descriptor).map_err(|_| ErrorCode::NewSocketLimit)
}
