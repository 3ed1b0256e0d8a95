//! `--net` and `--dns`: grants of the network for components, and hints about what the grants refused.
//!
//! In: the words of the user, and refusals of the context. Out: rules for the context's builder, and the option that would have
//! permitted what was refused.

use std::net::SocketAddr;

use wasmr::wasi::{AddressRule, Protocol, Refusal, WasiCtxBuilder};

use super::missing::shell_word;

/// A part of the value of `--net`: `[connect:|listen:]ADDR[:PORT]`. Without a prefix it permits both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetSpec {
    connect: bool,
    listen: bool,
    rule: AddressRule,
}

impl NetSpec {
    /// Parses one part.
    pub fn parse(typed: &str) -> Result<NetSpec, String> {
        let (connect, listen, rule) = match typed.split_once(':') {
            Some(("connect", rule)) => (true, false, rule),
            Some(("listen", rule)) => (false, true, rule),
            None if matches!(typed, "connect" | "listen") => {
                return Err(format!("the address is missing; for all addresses write '{typed}:*'"));
            }
            _ => (true, true, typed),
        };
        let rule = rule.parse().map_err(|error| format!("{error}"))?;
        Ok(NetSpec { connect, listen, rule })
    }

    /// Returns the grant of everything.
    pub fn all() -> NetSpec {
        NetSpec { connect: true, listen: true, rule: AddressRule::all() }
    }

    /// Adds the grant.
    pub fn grant(&self, wasi: &mut WasiCtxBuilder) {
        if self.connect {
            wasi.allow_connect(self.rule.clone());
        }
        if self.listen {
            wasi.allow_listen(self.rule.clone());
        }
    }
}

/// Returns the option that permits one address.
fn option(direction: &str, address: SocketAddr) -> String {
    format!("--net {}", shell_word(&format!("{direction}:{}", AddressRule::one(address))))
}

/// Returns the option that permits what was refused.
pub fn remedy(refusal: &Refusal) -> Option<String> {
    match refusal {
        Refusal::Connect(_, address) => Some(option("connect", *address)),
        Refusal::Listen(_, address) => Some(option("listen", *address)),
        Refusal::Lookup(_) => Some("--dns".to_string()),
        Refusal::Socket(Protocol::Tcp) => Some("-S tcp".to_string()),
        Refusal::Socket(Protocol::Udp) => Some("-S udp".to_string()),
        _ => None,
    }
}

/// Returns a line about each refusal.
pub fn hints(refusals: &[Refusal]) -> Vec<String> {
    let hint = |refusal| Some(format!("the program was refused {refusal}; {} permits it", remedy(refusal)?));
    refusals.iter().filter_map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_permit_what_they_name() {
        for (typed, connect, listen, rule) in [
            ("127.0.0.1:80", true, true, "127.0.0.1:80"),
            ("connect:*:443", true, false, "*:443"),
            ("listen:[::1]", false, true, "[::1]"),
            ("*", true, true, "*"),
        ] {
            let spec = NetSpec::parse(typed).unwrap();
            assert_eq!((spec.connect, spec.listen, spec.rule.to_string().as_str()), (connect, listen, rule), "{typed}");
        }
        assert_eq!(NetSpec::parse("*").unwrap(), NetSpec::all());
        for (typed, part) in [
            ("connect", "write 'connect:*'"),
            ("listen:", "expected ADDR[:PORT]"),
            ("bind:1.2.3.4", "rules name no hosts"),
            ("8080", "write *:8080"),
        ] {
            let error = NetSpec::parse(typed).unwrap_err();
            assert!(error.contains(part), "{typed}: {error}");
        }
    }

    #[test]
    fn refusals_say_what_would_permit_them() {
        let at = |address: &str| address.parse().unwrap();
        let refusals = [
            Refusal::Connect(Protocol::Tcp, at("1.2.3.4:80")),
            Refusal::Listen(Protocol::Udp, at("[fe80::1%7]:0")),
            Refusal::Lookup("a.example".to_string()),
            Refusal::Socket(Protocol::Udp),
        ];
        assert_eq!(
            hints(&refusals),
            [
                "the program was refused a TCP connection to 1.2.3.4:80; --net connect:1.2.3.4:80 permits it",
                "the program was refused a UDP socket at [fe80::1%7]:0; --net 'listen:[fe80::1]:0' permits it",
                "the program was refused a lookup of the name `a.example`; --dns permits it",
                "the program was refused a UDP socket; -S udp permits it",
            ]
        );
        // Each proposal is a value that permits it.
        for refusal in &refusals[..2] {
            let proposal = remedy(refusal).unwrap().replace(['\''], "");
            assert!(NetSpec::parse(proposal.strip_prefix("--net ").unwrap()).is_ok());
        }
    }
}
