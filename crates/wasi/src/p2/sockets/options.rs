//! Options that sockets of both protocols have.
//!
//! A value beyond what the host takes is the nearest one that the host takes, never an error; 0 is `invalid-argument`. Linux
//! doubles the sizes of buffers for its own needs and reports the double ([`socket(7)`]): a guest reads the half.
//!
//! [`socket(7)`]: https://man7.org/linux/man-pages/man7/socket.7.html

use std::os::fd::BorrowedFd;

use rustix::net::sockopt;

use super::{ErrorCode, IpAddressFamily};

/// Largest size of a buffer that the host is asked for. It limits it further ([`socket(7)`], `rmem_max` and `wmem_max`).
///
/// [`socket(7)`]: https://man7.org/linux/man-pages/man7/socket.7.html
const MAX_BUFFER: u64 = 1 << 30;

/// Returns the size to ask the host for.
fn size(value: u64) -> Result<usize, ErrorCode> {
    if value == 0 { Err(ErrorCode::InvalidArgument) } else { Ok(value.min(MAX_BUFFER) as usize) }
}

pub(super) fn receive_buffer_size(fd: BorrowedFd<'_>) -> Result<u64, ErrorCode> {
    Ok(sockopt::socket_recv_buffer_size(fd)? as u64 / 2)
}

pub(super) fn set_receive_buffer_size(fd: BorrowedFd<'_>, value: u64) -> Result<(), ErrorCode> {
    Ok(sockopt::set_socket_recv_buffer_size(fd, size(value)?)?)
}

pub(super) fn send_buffer_size(fd: BorrowedFd<'_>) -> Result<u64, ErrorCode> {
    Ok(sockopt::socket_send_buffer_size(fd)? as u64 / 2)
}

pub(super) fn set_send_buffer_size(fd: BorrowedFd<'_>, value: u64) -> Result<(), ErrorCode> {
    Ok(sockopt::set_socket_send_buffer_size(fd, size(value)?)?)
}

pub(super) fn hop_limit(fd: BorrowedFd<'_>, family: IpAddressFamily) -> Result<u8, ErrorCode> {
    Ok(match family {
        // The host has no larger number.
        IpAddressFamily::Ipv4 => u8::try_from(sockopt::ip_ttl(fd)?).unwrap_or(u8::MAX),
        IpAddressFamily::Ipv6 => sockopt::ipv6_unicast_hops(fd)?,
    })
}

pub(super) fn set_hop_limit(fd: BorrowedFd<'_>, family: IpAddressFamily, value: u8) -> Result<(), ErrorCode> {
    if value == 0 {
        return Err(ErrorCode::InvalidArgument);
    }
    match family {
        IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(fd, value.into())?,
        IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(fd, Some(value))?,
    }
    Ok(())
}
