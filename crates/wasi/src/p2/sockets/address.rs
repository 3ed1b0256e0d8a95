//! Addresses of the interface, their conversion, and the checks that host calls do not make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use rustix::net::{AddressFamily, SocketAddrAny};
use wasmr_canon::{enumeration, record, variant};

use super::ErrorCode;

enumeration! {
    /// An `ip-address-family`.
    pub enum IpAddressFamily "ip-address-family" {
        /// IPv4.
        Ipv4 "ipv4",
        /// IPv6.
        Ipv6 "ipv6",
    }
}

impl IpAddressFamily {
    /// Returns the host's number.
    pub(crate) fn host(self) -> AddressFamily {
        match self {
            IpAddressFamily::Ipv4 => AddressFamily::INET,
            IpAddressFamily::Ipv6 => AddressFamily::INET6,
        }
    }
}

/// An `ipv4-address`.
pub type Ipv4Address = (u8, u8, u8, u8);

/// An `ipv6-address`.
pub type Ipv6Address = (u16, u16, u16, u16, u16, u16, u16, u16);

variant! {
    /// An `ip-address`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum IpAddress "ip-address" {
        /// An IPv4 address.
        Ipv4(Ipv4Address) "ipv4",
        /// An IPv6 address.
        Ipv6(Ipv6Address) "ipv6",
    }
}

record! {
    /// An `ipv4-socket-address`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ipv4SocketAddress "ipv4-socket-address" {
        /// The port.
        pub port "port": u16,
        /// The address.
        pub address "address": Ipv4Address,
    }
}

record! {
    /// An `ipv6-socket-address`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ipv6SocketAddress "ipv6-socket-address" {
        /// The port.
        pub port "port": u16,
        /// The flow label and traffic class.
        pub flow_info "flow-info": u32,
        /// The address.
        pub address "address": Ipv6Address,
        /// The interface of a link-local address.
        pub scope_id "scope-id": u32,
    }
}

variant! {
    /// An `ip-socket-address`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum IpSocketAddress "ip-socket-address" {
        /// An IPv4 address and a port.
        Ipv4(Ipv4SocketAddress) "ipv4",
        /// An IPv6 address and a port.
        Ipv6(Ipv6SocketAddress) "ipv6",
    }
}

fn v4(address: Ipv4Addr) -> Ipv4Address {
    let [a, b, c, d] = address.octets();
    (a, b, c, d)
}

fn v6(address: Ipv6Addr) -> Ipv6Address {
    let [a, b, c, d, e, f, g, h] = address.segments();
    (a, b, c, d, e, f, g, h)
}

impl From<IpAddr> for IpAddress {
    fn from(address: IpAddr) -> IpAddress {
        match address {
            IpAddr::V4(address) => IpAddress::Ipv4(v4(address)),
            IpAddr::V6(address) => IpAddress::Ipv6(v6(address)),
        }
    }
}

impl From<SocketAddr> for IpSocketAddress {
    fn from(address: SocketAddr) -> IpSocketAddress {
        match address {
            SocketAddr::V4(address) => {
                IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: v4(*address.ip()) })
            }
            SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: v6(*address.ip()),
                scope_id: address.scope_id(),
            }),
        }
    }
}

impl From<IpSocketAddress> for SocketAddr {
    fn from(address: IpSocketAddress) -> SocketAddr {
        match address {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }) => {
                SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into()
            }
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address, scope_id }) => {
                let (a, b, c, d, e, f, g, h) = address;
                SocketAddrV6::new(Ipv6Addr::new(a, b, c, d, e, f, g, h), port, flow_info, scope_id).into()
            }
        }
    }
}

/// Returns the address of a host socket.
pub(super) fn of_host(address: SocketAddrAny) -> Result<SocketAddr, ErrorCode> {
    SocketAddr::try_from(address).map_err(|_| ErrorCode::Unknown)
}

/// Checks that a socket of `family` can have or reach the address. An IPv6 socket does not reach IPv4 addresses.
fn check_family(family: IpAddressFamily, address: SocketAddr) -> Result<(), ErrorCode> {
    let fits = match address {
        SocketAddr::V4(_) => family == IpAddressFamily::Ipv4,
        SocketAddr::V6(address) => family == IpAddressFamily::Ipv6 && address.ip().to_ipv4_mapped().is_none(),
    };
    if fits { Ok(()) } else { Err(ErrorCode::InvalidArgument) }
}

/// Checks that the address is one of a single host.
fn check_unicast(address: SocketAddr) -> Result<(), ErrorCode> {
    let is_broadcast = matches!(address.ip(), IpAddr::V4(address) if address.is_broadcast());
    if address.ip().is_multicast() || is_broadcast { Err(ErrorCode::InvalidArgument) } else { Ok(()) }
}

/// Checks the address to which a socket is to be bound.
pub(super) fn check_local(family: IpAddressFamily, address: SocketAddr) -> Result<(), ErrorCode> {
    check_family(family, address)?;
    check_unicast(address)
}

/// Checks the address of a peer for datagrams.
pub(super) fn check_peer(family: IpAddressFamily, address: SocketAddr) -> Result<(), ErrorCode> {
    check_family(family, address)?;
    if address.ip().is_unspecified() || address.port() == 0 { Err(ErrorCode::InvalidArgument) } else { Ok(()) }
}

/// Checks the address of a peer for a connection.
pub(super) fn check_remote(family: IpAddressFamily, address: SocketAddr) -> Result<(), ErrorCode> {
    check_peer(family, address)?;
    check_unicast(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_to_the_guest_and_back() {
        for text in ["1.2.3.4:5", "[1:2:3:4:5:6:7:8]:9", "[fe80::1%7]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(SocketAddr::from(IpSocketAddress::from(address)), address);
        }
        let full = SocketAddrV6::new("::1".parse().unwrap(), 1, 2, 3).into();
        let IpSocketAddress::Ipv6(parts) = IpSocketAddress::from(full) else { panic!() };
        assert_eq!((parts.port, parts.flow_info, parts.scope_id), (1, 2, 3));
        assert_eq!(SocketAddr::from(IpSocketAddress::Ipv6(parts)), full);
    }

    #[test]
    fn addresses_that_no_socket_can_use_are_invalid() {
        use IpAddressFamily::{Ipv4, Ipv6};
        for (family, text, [local, peer, remote]) in [
            (Ipv4, "1.2.3.4:5", [true, true, true]),
            (Ipv6, "[::1]:5", [true, true, true]),
            (Ipv6, "1.2.3.4:5", [false, false, false]),
            (Ipv4, "[::1]:5", [false, false, false]),
            (Ipv6, "[::ffff:1.2.3.4]:5", [false, false, false]),
            (Ipv4, "1.2.3.4:0", [true, false, false]),
            (Ipv4, "0.0.0.0:5", [true, false, false]),
            (Ipv6, "[::]:0", [true, false, false]),
            (Ipv4, "224.0.0.1:5", [false, true, false]),
            (Ipv6, "[ff02::1]:5", [false, true, false]),
            (Ipv4, "255.255.255.255:5", [false, true, false]),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(check_local(family, address).is_ok(), local, "{text}");
            assert_eq!(check_peer(family, address).is_ok(), peer, "{text}");
            assert_eq!(check_remote(family, address).is_ok(), remote, "{text}");
        }
    }
}
