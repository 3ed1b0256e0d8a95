//! `-S key[=value],…` and `-D key[=value],…`: wasmtime's keys for WASI and for debugging, as far as wasmr has what they name.
//!
//! Each stands for an option of wasmr's own, or says how wasmr is anyway; [`habits`] knows the latter.

use std::net::SocketAddr;

use super::habits;
use super::values::{parse_bool, parse_listen};

/// What the `-S` and `-D` arguments of a command line ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasiKeys {
    /// Whether all variables are passed on; `None` if no key says so.
    pub inherit_env: Option<bool>,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The letter whose list was asked for.
    pub help: Option<char>,
}

/// The keys of `-S` that do something: name, value, help.
const KEYS: [(&str, &str, &str); 2] = [
    ("inherit-env", "[=y|n]", "pass on all of the host's variables, as --inherit-env"),
    ("tcplisten", "=ADDR:PORT", "as --listen"),
];

impl WasiKeys {
    /// What all arguments say together, the later winning.
    pub fn parse(wasi: &[String], debug: &[String]) -> Result<WasiKeys, String> {
        let mut keys = WasiKeys::default();
        for (letter, lists) in [('S', wasi), ('D', debug)] {
            for item in lists.iter().flat_map(|list| list.split(',')) {
                let (key, value) = match item.split_once('=') {
                    Some((key, value)) => (key, Some(value)),
                    None => (item, None),
                };
                keys.apply(letter, key, value).map_err(|why| format!("-{letter} {item}: {why}"))?;
            }
        }
        Ok(keys)
    }

    fn apply(&mut self, letter: char, key: &str, value: Option<&str>) -> Result<(), String> {
        match (letter, key) {
            (_, "help") => self.help = Some(letter),
            ('S', "inherit-env") => self.inherit_env = Some(value.map_or(Ok(true), parse_bool)?),
            ('S', "tcplisten") => {
                self.listen.push(parse_listen(value.ok_or_else(|| "it needs a value".to_string())?)?);
            }
            _ => {
                let own = KEYS.iter().map(|(name, ..)| *name).filter(|_| letter == 'S');
                return habits::key(letter, key, value, own.chain(["help"]));
            }
        }
        Ok(())
    }

    /// The list for `-S help` or `-D help`.
    pub fn help_text(letter: char) -> String {
        let mut text = format!("Keys of -{letter}:\n");
        if letter == 'S' {
            for (name, value, help) in KEYS {
                text.push_str(&format!("  {:<32} {help}\n", format!("{name}{value}")));
            }
        }
        text.push_str(&format!("  {:<32} print this list\n", "help"));
        text + &format!("Accepted, as they are true anyway: {}\n", habits::accepted(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(wasi: &str, debug: &str) -> Result<WasiKeys, String> {
        let list = |keys: &str| keys.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        WasiKeys::parse(&list(wasi), &list(debug))
    }

    #[test]
    fn keys_stand_for_options() {
        assert_eq!(keys("inherit-env,cli", "").unwrap().inherit_env, Some(true));
        assert_eq!(keys("inherit-env=y inherit-env=n", "").unwrap().inherit_env, Some(false));
        assert_eq!(keys("tcplisten=127.0.0.1:80", "").unwrap().listen, ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(keys("cli,common=y,http=n", "debug-info=n").unwrap(), WasiKeys::default());
    }

    #[test]
    fn other_keys_are_errors() {
        assert_eq!(
            keys("cli=n", "").unwrap_err(),
            "-S cli=n: WASI Preview 1 is always there for programs that import it"
        );
        assert!(keys("inherit-environment", "").unwrap_err().contains("did you mean `inherit-env`?"));
        assert!(keys("inherit-env=perhaps", "").is_err() && keys("tcplisten", "").is_err());
        assert!(keys("", "coredump=x").unwrap_err().contains("not there yet"));
        assert!(keys("", "inherit-env").unwrap_err().starts_with("-D inherit-env: no such key"));
        assert!(keys("", "g").is_err() && keys("", "debug-info").is_err());
    }

    #[test]
    fn help_lists_the_keys() {
        assert_eq!(keys("help", "").unwrap().help, Some('S'));
        assert!(WasiKeys::help_text('S').contains("inherit-env[=y|n]"));
        assert!(WasiKeys::help_text('D').contains("debug-info=n"));
    }
}
