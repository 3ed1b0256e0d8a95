//! Grants of the network in the builder of a context, and the refusals in the context.

use crate::address_rule::AddressRule;
use crate::ctx::{WasiCtx, WasiCtxBuilder};
use crate::network::Refusal;

impl WasiCtx {
    /// Returns operations on the network that no grant permitted: each once, and only the first few.
    pub fn network_refusals(&self) -> &[Refusal] {
        self.network.refusals()
    }
}

impl WasiCtxBuilder {
    /// Grants a component to connect to these addresses, and to send datagrams to them. A rule may be added any number of times.
    ///
    /// A grant to connect includes a socket that is bound to port 0, as clients need it. Such a socket cannot listen.
    pub fn allow_connect(&mut self, addresses: AddressRule) -> &mut Self {
        self.network.connect.push(addresses);
        self
    }

    /// Grants a component to bind sockets to these addresses of the host, to accept connections there and to receive datagrams.
    /// A rule may be added any number of times. Datagrams may be sent back to their senders.
    ///
    /// The rule must cover the address that the component asks for: `0.0.0.0` if that is the one, and port 0 for any free port.
    pub fn allow_listen(&mut self, addresses: AddressRule) -> &mut Self {
        self.network.listen.push(addresses);
        self
    }

    /// Grants a component to look up the addresses of host names, as this process does.
    pub fn allow_dns(&mut self) -> &mut Self {
        self.network.lookup = true;
        self
    }

    /// Permits or forbids a component TCP sockets, whatever addresses are granted. Default: permitted.
    pub fn allow_tcp(&mut self, allow: bool) -> &mut Self {
        self.network.tcp = allow;
        self
    }

    /// Permits or forbids a component UDP sockets, whatever addresses are granted. Default: permitted.
    pub fn allow_udp(&mut self, allow: bool) -> &mut Self {
        self.network.udp = allow;
        self
    }
}
