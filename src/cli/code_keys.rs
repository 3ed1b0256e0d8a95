//! `-C key[=value],…`: how machine code is made, where that changes more than speed. One table; parser, help and errors expand it.

use super::habits;
use super::values::parse_bool;

/// What the `-C` arguments of a command line ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeKeys {
    /// Whether code keeps a processor that guesses wrong about a bounds check from using what is out of bounds.
    pub spectre_guards: bool,
    /// `help` was among the keys.
    pub help: bool,
}

impl Default for CodeKeys {
    fn default() -> CodeKeys {
        CodeKeys { spectre_guards: true, help: false }
    }
}

/// Stores a key's value; the word is what stood after `=`.
type Store = fn(&mut CodeKeys, Option<&str>) -> Result<(), String>;

/// The keys: name, value, help, effect.
const KEYS: &[(&str, &str, &str, Store)] = &[
    (
        "spectre-guards",
        "[=y|n]",
        "no processor that guesses wrong about a bounds check uses what is out of bounds [default: y]",
        |keys, value| {
            keys.spectre_guards = value.map_or(Ok(true), parse_bool)?;
            Ok(())
        },
    ),
    ("help", "", "print this list", |keys, _| {
        keys.help = true;
        Ok(())
    }),
];

impl CodeKeys {
    /// What all arguments say together, the later winning.
    pub fn parse(lists: &[String]) -> Result<CodeKeys, String> {
        let mut keys = CodeKeys::default();
        for item in lists.iter().flat_map(|list| list.split(',')) {
            let (key, value) = match item.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (item, None),
            };
            let Some((.., store)) = KEYS.iter().find(|(name, ..)| *name == key) else {
                let known = KEYS.iter().map(|(name, ..)| *name);
                habits::key('C', key, value, known).map_err(|why| format!("-C {item}: {why}"))?;
                continue;
            };
            store(&mut keys, value).map_err(|why| format!("-C {item}: {why}"))?;
        }
        Ok(keys)
    }

    /// The list for `-C help`.
    pub fn help_text() -> String {
        let row =
            |(name, value, help, _): &(&str, &str, &str, Store)| format!("  {:<32} {help}\n", format!("{name}{value}"));
        let rows: String = KEYS.iter().map(row).collect();
        format!("Keys of -C:\n{rows}Accepted, as they are true anyway: {}\n", habits::accepted('C'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &str) -> Result<CodeKeys, String> {
        CodeKeys::parse(&[list.to_string()])
    }

    #[test]
    fn guards_are_on_unless_switched_off() {
        assert!(CodeKeys::parse(&[]).unwrap().spectre_guards);
        assert!(!keys("spectre-guards=n").unwrap().spectre_guards);
        assert!(keys("spectre-guards=n,spectre-guards").unwrap().spectre_guards);
        assert!(keys("help").unwrap().help);
    }

    #[test]
    fn what_is_not_a_key_or_value_is_an_error_that_names_it() {
        assert_eq!(keys("speed=9").unwrap_err(), "-C speed=9: no such key; `-C help` lists the keys");
        assert!(keys("spectre-guards=perhaps").unwrap_err().starts_with("-C spectre-guards=perhaps: expected y"));
        assert!(keys("").is_err());
        assert!(keys("cache=n").is_ok() && keys("cache").unwrap_err().starts_with("-C cache: there is no cache"));
    }

    #[test]
    fn help_lists_every_key() {
        assert!(KEYS.iter().all(|(name, ..)| CodeKeys::help_text().contains(name)));
    }
}
