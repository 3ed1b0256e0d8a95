//! `-W key[=value],…`: WebAssembly features and limits by wasmtime's names. One table; parser, help and errors expand it.
//!
//! A feature's key is its name in [`Feature`]'s own table. A key that is in neither table is a usage error, never ignored.

use std::time::Duration;

use wasmr::{Feature, Features};

use super::habits;
use super::values::{parse_bool, parse_count, parse_duration, parse_size};

/// What the keys of a command line say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WasmKeys {
    /// Which modules are valid.
    pub features: Features,
    /// Bytes that all memories together may hold.
    pub max_memory: Option<u64>,
    /// Bytes of the guest's stack.
    pub max_stack: Option<u64>,
    /// Elements that all tables together may hold.
    pub max_table_elements: Option<u64>,
    /// Instances that there may be.
    pub max_instances: Option<u64>,
    /// Operators that the guest may execute.
    pub fuel: Option<u64>,
    /// Wall-clock time that the run may take.
    pub timeout: Option<Duration>,
    /// Link what is missing with functions that trap.
    pub unknown_imports_trap: bool,
    /// Link what is missing with functions that return zeros.
    pub unknown_imports_default: bool,
    /// `help` was among the keys.
    pub help: bool,
}

/// Stores a key's value; the words are what stood after `=`.
type Store = fn(&mut WasmKeys, Option<&str>) -> Result<(), String>;

/// The keys that are not features: name, value, help, effect.
const KEYS: &[(&str, &str, &str, Store)] = &[
    ("max-memory-size", "=SIZE", "how much all memories together may hold, as --max-memory", |keys, value| {
        keys.max_memory = Some(parse_size(required(value)?)?);
        Ok(())
    }),
    ("max-wasm-stack", "=SIZE", "how much stack the guest's calls may take, as --max-stack", |keys, value| {
        keys.max_stack = Some(parse_size(required(value)?)?);
        Ok(())
    }),
    (
        "max-table-elements",
        "=COUNT",
        "how many elements all tables may hold, as --max-table-elements",
        |keys, value| {
            keys.max_table_elements = Some(parse_count(required(value)?)?);
            Ok(())
        },
    ),
    ("max-instances", "=COUNT", "how many instances there may be, as --max-instances", |keys, value| {
        keys.max_instances = Some(parse_count(required(value)?)?);
        Ok(())
    }),
    ("fuel", "=COUNT", "how many operators the guest may execute, as --fuel", |keys, value| {
        keys.fuel = Some(parse_count(required(value)?)?);
        Ok(())
    }),
    ("timeout", "=TIME", "how long the run may take, as --timeout", |keys, value| {
        keys.timeout = Some(parse_duration(required(value)?)?);
        Ok(())
    }),
    ("unknown-imports-trap", "[=y|n]", "a missing import is a function that traps", |keys, value| {
        keys.unknown_imports_trap = switch(value)?;
        Ok(())
    }),
    ("unknown-imports-default", "[=y|n]", "a missing import is a function that returns zeros", |keys, value| {
        keys.unknown_imports_default = switch(value)?;
        Ok(())
    }),
    ("all-proposals", "[=y|n]", "every feature below that is there", |keys, value| {
        keys.features = if switch(value)? { Features::default() } else { Features::NONE };
        Ok(())
    }),
    ("help", "", "print this list", |keys, _| {
        keys.help = true;
        Ok(())
    }),
];

impl WasmKeys {
    /// What all `-W` arguments say together, the later winning.
    pub fn parse(lists: &[String]) -> Result<WasmKeys, String> {
        let mut keys = WasmKeys::default();
        for list in lists {
            keys.apply(list)?;
        }
        Ok(keys)
    }

    /// Applies one `-W` argument: keys separated by commas.
    fn apply(&mut self, list: &str) -> Result<(), String> {
        for item in list.split(',') {
            let (key, value) = match item.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (item, None),
            };
            self.apply_one(key, value).map_err(|why| format!("-W {item}: {why}"))?;
        }
        Ok(())
    }

    fn apply_one(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        if let Some((.., store)) = KEYS.iter().find(|(name, ..)| *name == key) {
            return store(self, value);
        }
        let Ok(feature) = key.parse::<Feature>() else {
            let known = KEYS.iter().map(|(name, ..)| *name).chain(Feature::ALL.iter().map(|feature| feature.name()));
            return habits::key('W', key, value, known);
        };
        let on = switch(value)?;
        if let Some(lacks) = feature.lacks()
            && on
            && !feature.on_by_default()
        {
            return Err(format!("wasmr does not execute {} yet; {}", lacks.what, lacks.instead));
        }
        self.features.set(feature, on);
        Ok(())
    }

    /// The list for `-W help`.
    pub fn help_text() -> String {
        let mut text = String::from("Keys of -W:\n");
        let mut row = |key: String, help: &str| text.push_str(&format!("  {key:<32} {help}\n"));
        for (name, value, help, _) in KEYS {
            row(format!("{name}{value}"), help);
        }
        for feature in Feature::ALL {
            let default = if feature.on_by_default() { "on" } else { "off" };
            let help = match feature.lacks() {
                None => format!("{} [default: {default}]", feature.help()),
                Some(lacks) if feature.on_by_default() => {
                    format!("{} [default: on; not there yet: {}]", feature.help(), lacks.what)
                }
                Some(lacks) => format!("{} [not there yet: {}]", feature.help(), lacks.what),
            };
            row(format!("{}[=y|n]", feature.name()), &help);
        }
        text.push_str(&format!("Accepted, as they are true anyway: {}\n", habits::accepted('W')));
        text
    }
}

fn required(value: Option<&str>) -> Result<&str, String> {
    value.ok_or_else(|| "it needs a value".to_string())
}

/// The value of a key that is on if it stands alone.
fn switch(value: Option<&str>) -> Result<bool, String> {
    value.map_or(Ok(true), parse_bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &str) -> Result<WasmKeys, String> {
        WasmKeys::parse(&[list.to_string()])
    }

    #[test]
    fn features_switch_on_and_off() {
        assert!(!keys("threads=n").unwrap().features.contains(Feature::Threads));
        assert!(!keys("gc=n").unwrap().features.contains(Feature::Gc));
        assert_eq!(keys("all-proposals=n").unwrap().features, Features::NONE);
        assert_eq!(keys("all-proposals=n,simd").unwrap().features, Features::NONE.with(Feature::Simd, true));
    }

    #[test]
    fn what_does_not_exist_has_no_switch() {
        for &feature in Feature::ALL {
            let result = keys(feature.name());
            match feature.lacks().filter(|_| !feature.on_by_default()) {
                Some(lacks) => {
                    let why = result.unwrap_err();
                    assert!(why.contains(lacks.what) && why.contains(lacks.instead), "{why}");
                }
                None => assert!(result.unwrap().features.contains(feature)),
            }
        }
        let all = keys("all-proposals").unwrap().features;
        assert!(all.iter().all(|feature| feature.lacks().is_none() || feature.on_by_default()), "{all:?}");
    }

    #[test]
    fn limits_take_values() {
        let keys =
            keys("max-memory-size=64MiB,max-wasm-stack=1048576,timeout=100ms,max-table-elements=9,max-instances=2")
                .unwrap();
        assert_eq!((keys.max_table_elements, keys.max_instances), (Some(9), Some(2)));
        assert_eq!(keys.max_memory, Some(64 << 20));
        assert_eq!(keys.max_stack, Some(1 << 20));
        assert_eq!(keys.timeout, Some(Duration::from_millis(100)));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_near_ones() {
        assert_eq!(keys("simd,speed=9").unwrap_err(), "-W speed=9: no such key; `-W help` lists the keys");
        let why = keys("max-memory=9").unwrap_err();
        assert_eq!(why, "-W max-memory=9: no such key; did you mean `max-memory-size`? `-W help` lists the keys");
        assert!(keys("").is_err() && keys("simd,").is_err());
    }

    #[test]
    fn keys_of_others_are_accepted_where_they_are_true() {
        assert_eq!(keys("component-model=n,stack-switching=n").unwrap(), WasmKeys::default());
        assert!(keys("max-memories=1").unwrap_err().contains("--max-memory"));
    }

    #[test]
    fn bad_values_name_the_key() {
        assert_eq!(keys("timeout").unwrap_err(), "-W timeout: it needs a value");
        assert_eq!(keys("gc=maybe").unwrap_err(), "-W gc=maybe: expected y, yes, true, n, no or false");
    }

    #[test]
    fn every_key_is_in_the_help() {
        let help = WasmKeys::help_text();
        assert!(KEYS.iter().all(|(name, ..)| help.contains(name)));
        assert!(Feature::ALL.iter().all(|feature| help.contains(feature.name())));
    }
}
