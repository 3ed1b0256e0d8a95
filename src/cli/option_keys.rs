//! The options that take keys, `-W key[=value],…` and its siblings `-C`, `-O`, `-S` and `-D`: one parser and one help text for all.
//!
//! In: the arguments of one letter. Out: a value of the type that implements [`KeyedOptions`] for it. The table
//! [`KeyedOptions::KEYS`] is the only list of a letter's keys: parser, help text and suggestions read it. A key in no table is a
//! usage error, never ignored; [`habits`] answers the keys of other runtimes.

use std::net::SocketAddr;
use std::time::Duration;

use super::exit::{HelpRequest, UsageError};
use super::habits;
use super::values::{parse_bool, parse_count, parse_duration, parse_listen, parse_size};

/// The settings that the keys of one letter change.
pub trait KeyedOptions: Default + 'static {
    /// The letter of the option, as in `-W`.
    const LETTER: char;

    /// The keys, in the order of the help text.
    const KEYS: &'static [OptionKey<Self>];

    /// Returns keys that another table of the project names, each with its help text.
    fn further_keys() -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Sets one of [`further_keys`](KeyedOptions::further_keys). Returns `None` if `key` is none of them.
    fn set_further(&mut self, _key: &str, _value: Option<&str>) -> Option<Result<(), String>> {
        None
    }
}

/// A key: name, effect, help text.
pub struct OptionKey<T>(pub &'static str, pub Setter<T>, pub &'static str);

/// The kind of a key's value and the function that stores it.
pub enum Setter<T> {
    /// `y` or `n`. The key alone means `y`.
    Switch(fn(&mut T, bool)),
    /// A whole number.
    Count(fn(&mut T, u64)),
    /// A number of bytes.
    Size(fn(&mut T, u64)),
    /// A span of time.
    Time(fn(&mut T, Duration)),
    /// An address with a port.
    Address(fn(&mut T, SocketAddr)),
}

impl<T> Setter<T> {
    /// Returns the value's placeholder, which follows the key in help texts.
    fn placeholder(&self) -> &'static str {
        match self {
            Setter::Switch(_) => "[=y|n]",
            Setter::Count(_) => "=COUNT",
            Setter::Size(_) => "=SIZE",
            Setter::Time(_) => "=TIME",
            Setter::Address(_) => "=ADDR:PORT",
        }
    }
}

impl<T> OptionKey<T> {
    fn set(&self, options: &mut T, value: Option<&str>) -> Result<(), String> {
        let OptionKey(name, setter, _) = self;
        let required = || value.ok_or_else(|| format!("the value is missing; expected {name}{}", setter.placeholder()));
        match setter {
            Setter::Switch(store) => store(options, switch(value)?),
            Setter::Count(store) => store(options, parse_count(required()?)?),
            Setter::Size(store) => store(options, parse_size(required()?)?),
            Setter::Time(store) => store(options, parse_duration(required()?)?),
            Setter::Address(store) => store(options, parse_listen(required()?)?),
        }
        Ok(())
    }
}

/// Parses the value of a switch. A key that stands alone is on.
pub fn switch(value: Option<&str>) -> Result<bool, String> {
    value.map_or(Ok(true), parse_bool)
}

/// Parses all arguments of one letter. Later keys override earlier ones.
///
/// # Errors
/// A [`UsageError`] for a key or value that does not exist, a [`HelpRequest`] for the key `help`.
pub fn parse<T: KeyedOptions>(lists: &[String]) -> anyhow::Result<T> {
    let mut options = T::default();
    for item in lists.iter().flat_map(|list| list.split(',')) {
        let (key, value) = match item.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (item, None),
        };
        if (key, value) == ("help", None) {
            return Err(HelpRequest(help_text::<T>()).into());
        }
        set(&mut options, key, value).map_err(|why| UsageError(format!("-{} {item}: {why}", T::LETTER)))?;
    }
    Ok(options)
}

fn set<T: KeyedOptions>(options: &mut T, key: &str, value: Option<&str>) -> Result<(), String> {
    if let Some(known) = T::KEYS.iter().find(|OptionKey(name, ..)| *name == key) {
        return known.set(options, value);
    }
    if let Some(result) = options.set_further(key, value) {
        return result;
    }
    let further = T::further_keys();
    let names = T::KEYS.iter().map(|OptionKey(name, ..)| *name).chain(further.iter().map(|(name, _)| *name));
    habits::key(T::LETTER, key, value, names.chain(["help"]))
}

/// Returns the list that `-W help` and its siblings print.
fn help_text<T: KeyedOptions>() -> String {
    let mut text = format!("Keys of -{}:\n", T::LETTER);
    let mut row = |key: String, help: &str| text.push_str(&format!("  {key:<32} {help}\n"));
    for OptionKey(name, setter, help) in T::KEYS {
        row(format!("{name}{}", setter.placeholder()), help);
    }
    for (name, help) in T::further_keys() {
        row(format!("{name}[=y|n]"), &help);
    }
    row("help".to_string(), "Print this list");
    text + &format!("Accepted for compatibility, without effect: {}\n", habits::accepted(T::LETTER))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Parses one argument. An error is its message: that of a usage error, or the help text.
    pub fn parse_one<T: KeyedOptions>(list: &str) -> Result<T, String> {
        parse(&[list.to_string()]).map_err(|error| error.to_string())
    }

    #[derive(Debug, Default, PartialEq)]
    struct Some {
        on: bool,
        count: u64,
        size: u64,
        time: Duration,
        address: Option<SocketAddr>,
        further: bool,
    }

    impl KeyedOptions for Some {
        const LETTER: char = 'W';
        const KEYS: &'static [OptionKey<Some>] = &[
            OptionKey("on", Setter::Switch(|options, on| options.on = on), "Switch it on"),
            OptionKey("count", Setter::Count(|options, count| options.count = count), "Count"),
            OptionKey("size", Setter::Size(|options, size| options.size = size), "Size"),
            OptionKey("time", Setter::Time(|options, time| options.time = time), "Time"),
            OptionKey("address", Setter::Address(|options, it| options.address = Some(it)), "Address"),
        ];

        fn further_keys() -> Vec<(&'static str, String)> {
            vec![("further", "Another table's".to_string())]
        }

        fn set_further(&mut self, key: &str, value: Option<&str>) -> Option<Result<(), String>> {
            (key == "further").then(|| switch(value).map(|on| self.further = on))
        }
    }

    #[test]
    fn values_of_all_kinds_are_stored_and_the_last_wins() {
        let lists = ["on=n,count=1e3,size=1KiB", "time=1s,on,address=127.0.0.1:80,further"].map(String::from);
        let expected = Some {
            on: true,
            count: 1000,
            size: 1024,
            time: Duration::from_secs(1),
            address: "127.0.0.1:80".parse().ok(),
            further: true,
        };
        assert_eq!(parse::<Some>(&lists).unwrap(), expected);
        assert_eq!(parse::<Some>(&[]).unwrap(), Some::default());
        assert_eq!(parse_one("component-model=n"), Ok(Some::default()), "accepted for compatibility");
    }

    #[test]
    fn errors_name_the_option_and_the_key() {
        let why = |list| parse_one::<Some>(list).unwrap_err();
        assert_eq!(why("on,speed=9"), "-W speed=9: no such key; `-W help` lists the keys");
        assert_eq!(why("furthr"), "-W furthr: no such key; did you mean `further`? `-W help` lists the keys");
        assert_eq!(why("time"), "-W time: the value is missing; expected time=TIME");
        assert_eq!(why("on=maybe"), "-W on=maybe: expected y, yes, true, n, no or false");
        assert!(why("size=x").starts_with("-W size=x: expected a number of bytes"));
        assert!(parse_one::<Some>("").is_err() && parse_one::<Some>("on,").is_err());
        assert!(parse::<Some>(&["speed".to_string()]).unwrap_err().is::<UsageError>());
    }

    #[test]
    fn help_lists_every_key() {
        assert!(parse::<Some>(&["help".to_string()]).unwrap_err().is::<HelpRequest>());
        let help = parse_one::<Some>("on,help").unwrap_err();
        for line in ["  on[=y|n]    ", "  time=TIME   ", "  further[=y|n]    ", "  help    "] {
            assert!(help.contains(line), "{line}: {help}");
        }
        assert!(help.contains("without effect: trap-on-grow-failure=n, "), "{help}");
        assert!(parse_one::<Some>("help=x").unwrap_err().contains("no such key"));
    }
}
