//! [`NetworkGrants`]: the part of the network that a guest may use, none by default.
//!
//! In: rules of the embedder. Out: for each address that the guest names, permission or a [`Refusal`], which the context keeps
//! for the embedder's messages.
//!
//! A bind to port 0 needs no rule for listening if the guest may connect at all: a client's socket must be bound too. Such a
//! socket has the permission [`Binding::Outgoing`]. It cannot listen, and receives datagrams only from where it may send to.

use std::fmt;
use std::net::SocketAddr;

use crate::address_rule::AddressRule;
use crate::resolver::Resolver;

/// Largest number of refusals that the context keeps, each different.
const MAX_REFUSALS: usize = 16;

/// A protocol of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// An operation that no grant permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A connection to this address, or datagrams to it.
    Connect(Protocol, SocketAddr),
    /// A socket with this address of the host.
    Listen(Protocol, SocketAddr),
    /// A lookup of this name.
    Lookup(String),
    /// A socket of a protocol that the embedder switched off.
    Socket(Protocol),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Connect(Protocol::Tcp, address) => write!(f, "a TCP connection to {address}"),
            Refusal::Connect(Protocol::Udp, address) => write!(f, "UDP datagrams to {address}"),
            Refusal::Listen(protocol, address) => write!(f, "a {protocol} socket at {address}"),
            Refusal::Lookup(name) => write!(f, "a lookup of the name `{}`", name.escape_debug()),
            Refusal::Socket(protocol) => write!(f, "a {protocol} socket"),
        }
    }
}

/// Permission of a socket that is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The socket may listen, and receive from everywhere.
    Open,
    /// The socket has a free port for connections to elsewhere.
    Outgoing,
}

/// Grants of the network.
#[derive(Debug)]
pub(crate) struct NetworkGrants {
    pub connect: Vec<AddressRule>,
    pub listen: Vec<AddressRule>,
    /// True if names may be looked up.
    pub lookup: bool,
    pub tcp: bool,
    pub udp: bool,
    /// Lookups of names.
    pub resolver: Resolver,
    refusals: Vec<Refusal>,
}

impl Default for NetworkGrants {
    fn default() -> NetworkGrants {
        NetworkGrants {
            connect: Vec::new(),
            listen: Vec::new(),
            lookup: false,
            tcp: true,
            udp: true,
            resolver: Resolver::default(),
            refusals: Vec::new(),
        }
    }
}

impl NetworkGrants {
    /// Returns the refusals so far.
    pub(crate) fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.refusals.len() < MAX_REFUSALS && !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// Returns true if the guest may connect and send to the address.
    pub(crate) fn reaches(&self, address: SocketAddr) -> bool {
        self.connect.iter().any(|rule| rule.covers(address))
    }

    /// Asks for permission to connect or send to the address.
    pub(crate) fn may_connect(&mut self, protocol: Protocol, address: SocketAddr) -> bool {
        let permitted = self.reaches(address);
        if !permitted {
            self.refuse(Refusal::Connect(protocol, address));
        }
        permitted
    }

    /// Asks for permission to bind a socket to the address.
    pub(crate) fn may_bind(&mut self, protocol: Protocol, address: SocketAddr) -> Option<Binding> {
        if self.listen.iter().any(|rule| rule.covers(address)) {
            return Some(Binding::Open);
        }
        if address.port() == 0 && !self.connect.is_empty() {
            return Some(Binding::Outgoing);
        }
        self.refuse_listen(protocol, address);
        None
    }

    /// Keeps the refusal of a socket that would listen.
    pub(crate) fn refuse_listen(&mut self, protocol: Protocol, address: SocketAddr) {
        self.refuse(Refusal::Listen(protocol, address));
    }

    /// Asks for permission to make a socket.
    pub(crate) fn may_open(&mut self, protocol: Protocol) -> bool {
        let permitted = match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
        };
        if !permitted {
            self.refuse(Refusal::Socket(protocol));
        }
        permitted
    }

    /// Asks for permission to look up a name.
    pub(crate) fn may_look_up(&mut self, name: &str) -> bool {
        if !self.lookup {
            self.refuse(Refusal::Lookup(name.to_owned()));
        }
        self.lookup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn nothing_is_permitted_by_default_but_to_hold_sockets() {
        let mut network = NetworkGrants::default();
        assert!(network.may_open(Protocol::Tcp) && network.may_open(Protocol::Udp));
        assert!(!network.may_connect(Protocol::Tcp, at("127.0.0.1:1")));
        assert_eq!(network.may_bind(Protocol::Udp, at("[::1]:0")), None);
        assert!(!network.may_look_up("a\nb"));
        let texts: Vec<String> = network.refusals().iter().map(Refusal::to_string).collect();
        assert_eq!(
            texts,
            ["a TCP connection to 127.0.0.1:1", "a UDP socket at [::1]:0", "a lookup of the name `a\\nb`"]
        );
    }

    #[test]
    fn a_client_may_bind_to_a_free_port() {
        let mut network = NetworkGrants::default();
        network.connect.push("10.0.0.0/8".parse().unwrap());
        network.listen.push("127.0.0.1:80".parse().unwrap());
        assert_eq!(network.may_bind(Protocol::Tcp, at("0.0.0.0:0")), Some(Binding::Outgoing));
        assert_eq!(network.may_bind(Protocol::Tcp, at("127.0.0.1:80")), Some(Binding::Open));
        assert_eq!(network.may_bind(Protocol::Tcp, at("0.0.0.0:80")), None);
        assert!(network.may_connect(Protocol::Tcp, at("10.0.0.1:1")));
    }

    #[test]
    fn refusals_are_few_and_different() {
        let mut network = NetworkGrants::default();
        for port in [1, 1].into_iter().chain(1..100) {
            network.may_connect(Protocol::Tcp, at(&format!("1.2.3.4:{port}")));
        }
        assert_eq!(network.refusals().len(), MAX_REFUSALS);
        network.udp = false;
        assert!(!network.may_open(Protocol::Udp));
    }
}
