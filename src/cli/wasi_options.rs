//! `-S key[=value],…` and `-D key[=value],…`: wasmtime's keys for WASI and for debugging.
//!
//! Each key of `-S` is another name for an option of wasmr, and `-D` has no keys of its own. For both, [`habits`](super::habits)
//! accepts wasmtime's keys with a value that is true of wasmr.

use std::net::SocketAddr;

use super::option_keys::{KeyedOptions, OptionKey, Setter};

/// Settings of WASI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasiOptions {
    /// Pass on all environment variables of the host.
    pub inherit_env: bool,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Grant a component the whole network.
    #[cfg(feature = "component")]
    pub inherit_network: bool,
    /// Grant a component lookups of host names.
    #[cfg(feature = "component")]
    pub allow_ip_name_lookup: bool,
    /// Permit or forbid a component TCP sockets.
    #[cfg(feature = "component")]
    pub tcp: Option<bool>,
    /// Permit or forbid a component UDP sockets.
    #[cfg(feature = "component")]
    pub udp: Option<bool>,
}

impl KeyedOptions for WasiOptions {
    const LETTER: char = 'S';
    const KEYS: &'static [OptionKey<WasiOptions>] = &[
        OptionKey(
            "inherit-env",
            Setter::Switch(|options, on| options.inherit_env = on),
            "Pass on all environment variables of the host; same as --inherit-env",
        ),
        OptionKey(
            "tcplisten",
            Setter::Address(|options, address| options.listen.push(address)),
            "Listen on a TCP address; same as --listen",
        ),
        #[cfg(feature = "component")]
        OptionKey(
            "inherit-network",
            Setter::Switch(|options, on| options.inherit_network = on),
            "Grant a component the whole network; same as --net '*'",
        ),
        #[cfg(feature = "component")]
        OptionKey(
            "allow-ip-name-lookup",
            Setter::Switch(|options, on| options.allow_ip_name_lookup = on),
            "Grant a component lookups of host names; same as --dns",
        ),
        #[cfg(feature = "component")]
        OptionKey(
            "tcp",
            Setter::Switch(|options, on| options.tcp = Some(on)),
            "Permit a component TCP sockets to the addresses of --net [default: y]",
        ),
        #[cfg(feature = "component")]
        OptionKey(
            "udp",
            Setter::Switch(|options, on| options.udp = Some(on)),
            "Permit a component UDP sockets to the addresses of --net [default: y]",
        ),
    ];
}

/// Settings for debugging: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugOptions;

impl KeyedOptions for DebugOptions {
    const LETTER: char = 'D';
    const KEYS: &'static [OptionKey<DebugOptions>] = &[];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option_keys::{parse, tests::parse_one};

    #[test]
    fn keys_are_other_names_of_options() {
        let wasi = parse_one::<WasiOptions>;
        assert!(wasi("inherit-env,cli").unwrap().inherit_env);
        let lists = ["inherit-env=y", "inherit-env=n"].map(String::from);
        assert!(!parse::<WasiOptions>(&lists).unwrap().inherit_env);
        assert_eq!(wasi("tcplisten=127.0.0.1:80").unwrap().listen, ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(wasi("cli,common=y,http=n").unwrap(), WasiOptions::default());
        assert_eq!(parse_one::<DebugOptions>("debug-info=n"), Ok(DebugOptions));
    }

    #[cfg(feature = "component")]
    #[test]
    fn keys_of_the_network_are_for_components() {
        assert_eq!(parse_one::<WasiOptions>("tcp=n").unwrap().tcp, Some(false));
        let network = parse::<WasiOptions>(&["inherit-network,allow-ip-name-lookup,udp".to_string()]).unwrap();
        assert!(network.inherit_network && network.allow_ip_name_lookup && network.udp == Some(true));
    }

    #[test]
    fn other_keys_are_errors() {
        let wasi = |list| parse_one::<WasiOptions>(list).unwrap_err();
        let debug = |list| parse_one::<DebugOptions>(list).unwrap_err();
        assert_eq!(wasi("cli=n"), "-S cli=n: programs that import WASI Preview 1 always get it");
        assert!(wasi("inherit-environment").contains("did you mean `inherit-env`?"));
        assert!(wasi("inherit-env=perhaps").contains("expected y") && wasi("tcplisten").contains("value is missing"));
        assert!(debug("coredump=x").contains("no core dumps yet"));
        assert!(debug("inherit-env").starts_with("-D inherit-env: no such key"));
        assert!(debug("g").contains("no such key") && debug("debug-info").contains("no debugger"));
    }
}
