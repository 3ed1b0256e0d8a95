//! `-O key[=value],…`: what changes only speed. One table; parser, help and errors expand it.

use wasmr::Tuning;

use super::habits;
use super::values::{parse_bool, parse_count, parse_duration, parse_size};

/// Stores a key's value; the word is what stood after `=`.
type Store = fn(&mut Tuning, Option<&str>) -> Result<(), String>;

/// The keys: name, value, help, effect.
const KEYS: &[(&str, &str, &str, Store)] = &[
    (
        "copy-and-patch",
        "[=y|n]",
        "give functions that are interpreted often machine code of their own [default: y]",
        |tuning, value| {
            tuning.copy_and_patch = value.map_or(Ok(true), parse_bool)?;
            Ok(())
        },
    ),
    (
        "copy-and-patch-after",
        "=COUNT",
        "how many samples must find a function before that, 0 for all functions [default: 4]",
        |tuning, value| {
            tuning.copy_and_patch_after = count(value)?;
            Ok(())
        },
    ),
    ("sample-every", "=COUNT", "how many calls and loops make a sample [default: 1021]", |tuning, value| {
        tuning.sample_every = count(value)?;
        Ok(())
    }),
    (
        "tier-up-after",
        "=COUNT",
        "how many samples must find a function or loop before it is compiled, 0 for all at once [default: 2]",
        |tuning, value| {
            tuning.tier_up_after = count(value)?;
            Ok(())
        },
    ),
    (
        "bytes-per-sample",
        "=COUNT",
        "of how many bytes more than that a function may be for each further sample [default: 27]",
        |tuning, value| {
            tuning.bytes_per_sample = count(value)?;
            Ok(())
        },
    ),
    ("tier-up-delay", "=TIME", "how long nothing is compiled at first [default: 4ms]", |tuning, value| {
        tuning.tier_up_delay = parse_duration(required(value)?)?;
        Ok(())
    }),
    (
        "loop-patience",
        "=COUNT",
        "how many calls and loops are looked at before an inner loop is compiled by itself [default: 4096]",
        |tuning, value| {
            tuning.loop_patience = count(value)?;
            Ok(())
        },
    ),
    (
        "one-code-from",
        "=SIZE",
        "how large a function is that gets one code for its start and its hottest loop [default: 4KiB]",
        |tuning, value| {
            tuning.one_code_from = usize::try_from(parse_size(required(value)?)?).unwrap_or(usize::MAX);
            Ok(())
        },
    ),
    ("max-compiled-size", "=SIZE", "how large a function may be to be compiled [default: 256KiB]", |tuning, value| {
        tuning.max_compiled_size = usize::try_from(parse_size(required(value)?)?).unwrap_or(usize::MAX);
        Ok(())
    }),
    (
        "compile-threads",
        "=COUNT",
        "on how many threads to compile [default: one processor is left, four at most]",
        |tuning, value| {
            // More threads than any machine has processors help nobody.
            tuning.compile_threads = Some(count(value)?.min(MAX_THREADS) as usize);
            Ok(())
        },
    ),
];

/// Threads to compile on, at most.
const MAX_THREADS: u32 = 256;

fn required(value: Option<&str>) -> Result<&str, String> {
    value.ok_or_else(|| "it needs a value".to_string())
}

/// A number; those that do not fit are as good as the largest.
fn count(value: Option<&str>) -> Result<u32, String> {
    Ok(u32::try_from(parse_count(required(value)?)?).unwrap_or(u32::MAX))
}

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
                let known = KEYS.iter().map(|(name, ..)| *name).chain(["help"]);
                habits::key('O', key, value, known).map_err(|why| format!("-O {item}: {why}"))?;
                continue;
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
        text.push_str(&format!("Accepted, as they are true anyway: {}\n", habits::accepted('O')));
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
        let Ok(TuningKeys::Set(tuning)) = keys("copy-and-patch=n,copy-and-patch-after=7") else { panic!("valid") };
        assert_eq!((tuning.copy_and_patch, tuning.copy_and_patch_after), (false, 7));
        let Ok(TuningKeys::Set(tuning)) = keys("copy-and-patch=n,copy-and-patch") else { panic!("valid") };
        assert!(tuning.copy_and_patch);
        let Ok(TuningKeys::Set(tuning)) = keys(
            "sample-every=9,tier-up-after=0,bytes-per-sample=5,tier-up-delay=1s,loop-patience=3,max-compiled-size=1KiB,one-code-from=2KiB,\
             compile-threads=99999999999",
        ) else {
            panic!("valid")
        };
        assert_eq!((tuning.sample_every, tuning.tier_up_after, tuning.bytes_per_sample), (9, 0, 5));
        assert_eq!((tuning.tier_up_delay.as_secs(), tuning.loop_patience), (1, 3));
        assert_eq!((tuning.max_compiled_size, tuning.one_code_from), (1024, 2048));
        assert_eq!(tuning.compile_threads, Some(256));
        let Ok(TuningKeys::Set(tuning)) = TuningKeys::parse(&[]) else { panic!("valid") };
        assert_eq!(tuning.copy_and_patch_after, Tuning::default().copy_and_patch_after);
    }

    #[test]
    fn what_is_not_a_key_or_value_is_an_error_that_names_it() {
        assert_eq!(keys("copy-and-patch,speed=9").unwrap_err(), "-O speed=9: no such key; `-O help` lists the keys");
        let why = keys("copy-and-pach-after=1").unwrap_err();
        assert!(why.starts_with("-O copy-and-pach-after=1: no such key; did you mean `copy-and-patch-after`"), "{why}");
        assert!(keys("opt-level=2").is_ok() && keys("opt-level=0").is_err());
        assert_eq!(keys("copy-and-patch-after").unwrap_err(), "-O copy-and-patch-after: it needs a value");
        assert!(keys("copy-and-patch=maybe").unwrap_err().starts_with("-O copy-and-patch=maybe: "));
        assert!(keys("").is_err());
    }

    #[test]
    fn help_lists_every_key() {
        assert!(matches!(keys("help"), Ok(TuningKeys::Help)));
        let help = TuningKeys::help_text();
        assert!(KEYS.iter().all(|(name, ..)| help.contains(name)), "{help}");
    }
}
