//! [`AddressRule`]: addresses and ports of a grant.
//!
//! In: text such as `10.0.0.0/8:443`, or values of the embedder. Out: the answer whether a socket address is covered.
//!
//! # Why are IPv6 addresses written in brackets?
//! `::1:80` is a valid address without a port. With brackets, each text has one reading.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// The addresses of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addresses {
    All,
    /// The addresses of this host's loopback interface: `127.0.0.0/8` and `::1`.
    Loopback,
    /// The addresses whose first `len` bits are those of `first`.
    Network {
        first: IpAddr,
        len: u8,
    },
}

/// Addresses and ports that a guest may use: `ADDR[:PORT]`.
///
/// `ADDR` is an address, a network such as `10.0.0.0/8`, `localhost`, or `*` for all addresses. An IPv6 address or network is
/// written in brackets. The unspecified addresses `0.0.0.0` and `[::]` mean all addresses of their family. `PORT` is a number,
/// a range such as `8000-8999`, or `*`. A rule without ports covers all.
///
/// # Examples
/// ```
/// use wasmr_wasi::AddressRule;
///
/// let rule: AddressRule = "10.0.0.0/8:443".parse()?;
/// assert!(rule.covers("10.1.2.3:443".parse()?));
/// assert!(!rule.covers("10.1.2.3:80".parse()?));
/// assert_eq!("[::1]:8000-8999".parse::<AddressRule>()?.to_string(), "[::1]:8000-8999");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRule {
    addresses: Addresses,
    ports: RangeInclusive<u16>,
}

/// All ports, and the request for any free one, which is port 0.
const ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

impl AddressRule {
    /// Returns the rule that covers all addresses and ports.
    pub fn all() -> AddressRule {
        AddressRule { addresses: Addresses::All, ports: ALL_PORTS }
    }

    /// Returns the rule for one address and port. The unspecified address means all addresses of its family.
    pub fn one(address: SocketAddr) -> AddressRule {
        let addresses = Addresses::of(address.ip());
        AddressRule { addresses, ports: address.port()..=address.port() }
    }

    /// Returns true if the rule covers the address and its port.
    pub fn covers(&self, address: SocketAddr) -> bool {
        self.ports.contains(&address.port()) && self.addresses.contain(address.ip())
    }
}

impl Addresses {
    fn of(address: IpAddr) -> Addresses {
        let len = if address.is_unspecified() { 0 } else { bits(address) };
        Addresses::Network { first: address, len }
    }

    fn contain(self, address: IpAddr) -> bool {
        match self {
            Addresses::All => true,
            Addresses::Loopback => address.is_loopback(),
            Addresses::Network { first, len } => is_in(first, len, address),
        }
    }
}

/// Returns the number of bits of an address.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the bits of an address, the first one highest, followed by zeros.
fn aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn is_in(first: IpAddr, len: u8, address: IpAddr) -> bool {
    let differing = aligned(first) ^ aligned(address);
    first.is_ipv4() == address.is_ipv4() && differing.leading_zeros() >= len.into()
}

/// The reason why a text is no rule, with a corrected text where one is evident.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct AddressRuleError(String);

impl FromStr for AddressRule {
    type Err = AddressRuleError;

    fn from_str(text: &str) -> Result<AddressRule, AddressRuleError> {
        let (host, ports) = split(text)?;
        if host != "localhost" && !host.starts_with('[') && host.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return error("rules name no hosts; write the numeric address, or * and let the program look the name up");
        }
        let ports = ports.map_or(Ok(ALL_PORTS), parse_ports)?;
        let addresses = match host {
            "*" => Addresses::All,
            "localhost" => Addresses::Loopback,
            _ => parse_network(host, ports.clone())?,
        };
        Ok(AddressRule { addresses, ports })
    }
}

const EXPECTED: &str = "expected ADDR[:PORT] such as 127.0.0.1:8080, 10.0.0.0/8, [::1]:8000-8999 or *:443";

fn error<T>(why: impl Into<String>) -> Result<T, AddressRuleError> {
    Err(AddressRuleError(why.into()))
}

/// Splits a rule into its address and its ports.
fn split(text: &str) -> Result<(&str, Option<&str>), AddressRuleError> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((_, after)) = rest.split_once(']') else { return error("the closing bracket `]` is missing") };
        let host = &text[..text.len() - after.len()];
        return match after.strip_prefix(':') {
            Some(ports) => Ok((host, Some(ports))),
            None if after.is_empty() => Ok((host, None)),
            None if after.starts_with('/') => error("write the length of the prefix within the brackets: [fd00::/8]"),
            None => error(EXPECTED),
        };
    }
    if text.matches(':').count() > 1 {
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => error(format!("write an IPv6 address in brackets: [{text}]")),
            Err(_) => error(EXPECTED),
        };
    }
    match text.split_once(':') {
        Some(("", port)) if is_number(port) => {
            error(format!("the address is missing; for all addresses write *:{port}"))
        }
        Some((host, ports)) => Ok((host, Some(ports))),
        None if is_number(text) => error(format!("the address is missing; for all addresses write *:{text}")),
        None => Ok((text, None)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, AddressRuleError> {
    if text == "*" {
        return Ok(ALL_PORTS);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| if is_number(text) { text.parse::<u16>().ok() } else { None };
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => error(format!("`{text}` is no port; expected a number up to 65535, a range such as 8000-8999, or *")),
    }
}

/// Parses an address or a network. `ports` is for the corrected text.
fn parse_network(host: &str, ports: RangeInclusive<u16>) -> Result<Addresses, AddressRuleError> {
    let is_bracketed = host.starts_with('[');
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let (address, len) = match host.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (host, None),
    };
    let parsed = match is_bracketed {
        true => address.parse().map(IpAddr::V6).ok(),
        false => address.parse().map(IpAddr::V4).ok(),
    };
    let Some(address) = parsed else { return error(EXPECTED) };
    let Some(len) = len else { return Ok(Addresses::of(address)) };
    match len.parse::<u8>() {
        Ok(len) if is_number(host.rsplit('/').next().unwrap_or("")) && len <= bits(address) => {
            let first = first_address(address, len);
            if first != address {
                let rule = AddressRule { addresses: Addresses::Network { first, len }, ports };
                return error(format!("{address} has bits beyond the first {len}; the network is {rule}"));
            }
            Ok(Addresses::Network { first, len })
        }
        _ => error(format!("the length of the prefix is a number up to {}", bits(address))),
    }
}

/// Returns the first address of the network.
fn first_address(address: IpAddr, len: u8) -> IpAddr {
    let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
    let first = aligned(address) & mask;
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits((first >> 96) as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(first)),
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addresses {
            Addresses::All => f.write_str("*")?,
            Addresses::Loopback => f.write_str("localhost")?,
            Addresses::Network { first, len } => {
                let len = if Addresses::of(first) == self.addresses { String::new() } else { format!("/{len}") };
                match first {
                    IpAddr::V4(first) => write!(f, "{first}{len}")?,
                    IpAddr::V6(first) => write!(f, "[{first}{len}]")?,
                }
            }
        }
        match (*self.ports.start(), *self.ports.end()) {
            (0, u16::MAX) => Ok(()),
            (first, last) if first == last => write!(f, ":{first}"),
            (first, last) => write!(f, ":{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> AddressRule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn rules_cover_addresses_and_ports() {
        for (text, inside, outside) in [
            ("*", &["1.2.3.4:0", "[::1]:65535"][..], &[][..]),
            ("*:443", &["1.2.3.4:443", "[::1]:443"], &["1.2.3.4:444", "1.2.3.4:0"]),
            ("127.0.0.1:80", &["127.0.0.1:80"], &["127.0.0.2:80", "127.0.0.1:81", "[::1]:80", "[::ffff:127.0.0.1]:80"]),
            ("127.0.0.1", &["127.0.0.1:0", "127.0.0.1:9"], &["127.0.0.0:9"]),
            ("10.0.0.0/8:*", &["10.255.0.1:1"], &["11.0.0.1:1", "[a00::]:1"]),
            ("10.0.0.0/31:1-2", &["10.0.0.1:1", "10.0.0.0:2"], &["10.0.0.2:1", "10.0.0.1:3"]),
            ("0.0.0.0:80", &["9.9.9.9:80", "0.0.0.0:80"], &["[::]:80"]),
            ("[::]:80", &["[::]:80", "[fe80::1]:80"], &["0.0.0.0:80"]),
            ("[::1]", &["[::1]:1"], &["[::2]:1", "127.0.0.1:1"]),
            ("[fd00::/8]:1", &["[fdff::1]:1"], &["[fc00::1]:1"]),
            ("localhost:1", &["127.9.9.9:1", "[::1]:1"], &["1.1.1.1:1", "[::2]:1"]),
        ] {
            for address in inside {
                assert!(rule(text).covers(address.parse().unwrap()), "{text} {address}");
            }
            for address in outside {
                assert!(!rule(text).covers(address.parse().unwrap()), "{text} {address}");
            }
            assert_eq!(rule(&rule(text).to_string()), rule(text), "{text}");
        }
        assert_eq!(AddressRule::one("0.0.0.0:9".parse().unwrap()), rule("0.0.0.0:9"));
        assert_eq!(AddressRule::one("[::1]:9".parse().unwrap()).to_string(), "[::1]:9");
        assert_eq!(AddressRule::all().to_string(), "*");
        assert_eq!(rule("0.0.0.0/0:*").to_string(), "0.0.0.0");
    }

    #[test]
    fn other_texts_are_refused_with_the_right_one() {
        for (text, part) in [
            ("", "expected ADDR[:PORT]"),
            ("8080", "write *:8080"),
            (":8080", "write *:8080"),
            ("::1", "in brackets: [::1]"),
            ("::1:80", "in brackets: [::1:80]"),
            ("fd00::/8", "in brackets: [fd00::/8]"),
            ("1:2:3", "expected ADDR[:PORT]"),
            ("[::1", "bracket `]` is missing"),
            ("[fd00::]/8", "within the brackets"),
            ("[::1]80", "expected ADDR[:PORT]"),
            ("[127.0.0.1]:80", "expected ADDR[:PORT]"),
            ("example.com:443", "rules name no hosts"),
            ("https://example.com", "rules name no hosts"),
            ("1.2.3.4:http", "`http` is no port"),
            ("1.2.3.4:", "`` is no port"),
            ("1.2.3.4:70000", "`70000` is no port"),
            ("1.2.3.4:9-8", "`9-8` is no port"),
            ("1.2.3.4:+8", "`+8` is no port"),
            ("1.2.3/8", "expected ADDR[:PORT]"),
            ("10.0.0.0/33", "a number up to 32"),
            ("10.0.0.0/+8", "a number up to 32"),
            ("[fd00::/129]", "a number up to 128"),
            ("10.1.2.3/8:80", "the network is 10.0.0.0/8:80"),
            ("[fd00::1/8]", "the network is [fd00::/8]"),
        ] {
            let error = text.parse::<AddressRule>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
