//! `-O key[=value],…`: what changes only speed. One table; parser, help and errors expand it.

use wasmr::Tuning;

use super::values::{parse_bool, parse_count};

/// Stores a key's value; the word is what stood after `=`.
type Store = fn(&mut Tuning, Option<&str>) -> Result<(), String>;

/// The keys: name, value, help, effect.
const KEYS: &[(&str, &str, &str, Store)] = &[
    (
        "stitch",
        "[=y|n]",
        "give functions that are interpreted often machine code of their own [default: y]",
        |tuning, value| {
            tuning.stitch = value.map_or(Ok(true), parse_bool)?;
            Ok(())
        },
    ),
    (
        "stitch-after",
        "=COUNT",
        "how many samples must find a function before that, 0 for all functions [default: 4]",
        |tuning, value| {
            let count = parse_count(value.ok_or_else(|| "it needs a value".to_string())?)?;
            // More samples than fit are as good as never.
            tuning.stitch_after = u32::try_from(count).unwrap_or(u32::MAX);
            Ok(())
        },
    ),
];

/// What the `-O` arguments of a command line ask for.
#[derive(Debug)]
pub enum TuningKeys {
    /// These settings.
    Set(Tuning),
    /// The list of the keys.
    Help,
}

impl TuningKeys {
    /// What all arguments say together, the later winning.
    pub fn parse(lists: &[String]) -> Result<TuningKeys, String> {
        let mut tuning = Tuning::default();
        for item in lists.iter().flat_map(|list| list.split(',')) {
            let (key, value) = match item.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (item, None),
            };
            if key == "help" {
                return Ok(TuningKeys::Help);
            }
            let Some((.., store)) = KEYS.iter().find(|(name, ..)| *name == key) else {
                let known: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).chain(["help"]).collect();
                return Err(format!("-O {item}: no such key; the keys are {}", known.join(", ")));
            };
            store(&mut tuning, value).map_err(|why| format!("-O {item}: {why}"))?;
        }
        Ok(TuningKeys::Set(tuning))
    }

    /// The list for `-O help`.
    pub fn help_text() -> String {
        let mut text = String::from("Keys of -O:\n");
        for (name, value, help, _) in KEYS {
            text.push_str(&format!("  {:<32} {help}\n", format!("{name}{value}")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &str) -> Result<TuningKeys, String> {
        TuningKeys::parse(&[list.to_string()])
    }

    #[test]
    fn keys_change_what_they_name() {
        let Ok(TuningKeys::Set(tuning)) = keys("stitch=n,stitch-after=7") else { panic!("valid") };
        assert_eq!((tuning.stitch, tuning.stitch_after), (false, 7));
        let Ok(TuningKeys::Set(tuning)) = keys("stitch=n,stitch") else { panic!("valid") };
        assert!(tuning.stitch);
        let Ok(TuningKeys::Set(tuning)) = TuningKeys::parse(&[]) else { panic!("valid") };
        assert_eq!(tuning.stitch_after, Tuning::default().stitch_after);
    }

    #[test]
    fn what_is_not_a_key_or_value_is_an_error_that_names_it() {
        let why = keys("stitch,speed=9").unwrap_err();
        assert_eq!(why, "-O speed=9: no such key; the keys are stitch, stitch-after, help");
        assert_eq!(keys("stitch-after").unwrap_err(), "-O stitch-after: it needs a value");
        assert!(keys("stitch=maybe").unwrap_err().starts_with("-O stitch=maybe: "));
        assert!(keys("").is_err());
    }

    #[test]
    fn help_lists_every_key() {
        assert!(matches!(keys("help"), Ok(TuningKeys::Help)));
        let help = TuningKeys::help_text();
        assert!(KEYS.iter().all(|(name, ..)| help.contains(name)), "{help}");
    }
}
