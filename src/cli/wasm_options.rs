//! `-W key[=value],…`: WebAssembly features and limits by wasmtime's names.
//!
//! The keys of features are the names in the table of [`Feature`].

use std::time::Duration;

use wasmr::{Feature, Features};

use super::option_keys::{KeyedOptions, OptionKey, Setter, switch};

/// Features and limits of a run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WasmOptions {
    /// Features that modules may use.
    pub features: Features,
    /// Upper bound of the bytes of all memories together.
    pub max_memory: Option<u64>,
    /// Upper bound of the bytes of the guest's stack.
    pub max_stack: Option<u64>,
    /// Upper bound of the elements of all tables together.
    pub max_table_elements: Option<u64>,
    /// Upper bound of the number of instances.
    pub max_instances: Option<u64>,
    /// Fuel of the guest.
    pub fuel: Option<u64>,
    /// Wall-clock time after which the run ends.
    pub timeout: Option<Duration>,
    /// Make NaNs canonical.
    pub nan_canonicalization: bool,
    /// Link missing functions with functions that trap.
    pub unknown_imports_trap: bool,
    /// Link missing functions with functions that return zeros.
    pub unknown_imports_default: bool,
}

impl KeyedOptions for WasmOptions {
    const LETTER: char = 'W';
    const KEYS: &'static [OptionKey<WasmOptions>] = &[
        OptionKey(
            "max-memory-size",
            Setter::Size(|options, bytes| options.max_memory = Some(bytes)),
            "Limit the bytes of all linear memories together; same as --max-memory",
        ),
        OptionKey(
            "max-wasm-stack",
            Setter::Size(|options, bytes| options.max_stack = Some(bytes)),
            "Limit the bytes of the guest's call stack; same as --max-stack",
        ),
        OptionKey(
            "max-table-elements",
            Setter::Count(|options, count| options.max_table_elements = Some(count)),
            "Limit the elements of all tables together; same as --max-table-elements",
        ),
        OptionKey(
            "max-instances",
            Setter::Count(|options, count| options.max_instances = Some(count)),
            "Limit the number of instances; same as --max-instances",
        ),
        OptionKey(
            "fuel",
            Setter::Count(|options, count| options.fuel = Some(count)),
            "Limit the operators that the guest executes; same as --fuel",
        ),
        OptionKey(
            "timeout",
            Setter::Time(|options, time| options.timeout = Some(time)),
            "Limit the time of the run; same as --timeout",
        ),
        OptionKey(
            "nan-canonicalization",
            Setter::Switch(|options, on| options.nan_canonicalization = on),
            "Make all NaNs that operators return the same, on every processor [default: n]",
        ),
        OptionKey(
            "unknown-imports-trap",
            Setter::Switch(|options, on| options.unknown_imports_trap = on),
            "Link missing functions with functions that trap [default: n]",
        ),
        OptionKey(
            "unknown-imports-default",
            Setter::Switch(|options, on| options.unknown_imports_default = on),
            "Link missing functions with functions that return zeros [default: n]",
        ),
        OptionKey(
            "all-proposals",
            Setter::Switch(|options, on| options.features = if on { Features::all() } else { Features::NONE }),
            "Accept all features below that wasmr supports; with n, accept none of them",
        ),
    ];

    fn further_keys() -> Vec<(&'static str, String)> {
        Feature::ALL.iter().map(|feature| (feature.name(), help(*feature))).collect()
    }

    fn set_further(&mut self, key: &str, value: Option<&str>) -> Option<Result<(), String>> {
        let feature = key.parse::<Feature>().ok()?;
        Some(switch(value).map(|on| self.features.set(feature, on)))
    }
}

/// Returns the help text of a feature, with its default.
fn help(feature: Feature) -> String {
    let default = if feature.on_by_default() { "y" } else { "n" };
    format!("Accept {} [default: {default}]", feature.help())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option_keys::tests::parse_one;

    fn wasm(list: &str) -> Result<WasmOptions, String> {
        parse_one(list)
    }

    #[test]
    fn features_switch_on_and_off() {
        assert!(!wasm("threads=n").unwrap().features.contains(Feature::Threads));
        assert!(!wasm("gc=n").unwrap().features.contains(Feature::Gc));
        assert_eq!(wasm("all-proposals=n").unwrap().features, Features::NONE);
        assert_eq!(wasm("all-proposals=n,simd").unwrap().features, Features::NONE.with(Feature::Simd, true));
    }

    #[test]
    fn every_feature_can_be_switched_on() {
        for &feature in Feature::ALL {
            assert!(wasm(feature.name()).unwrap().features.contains(feature));
        }
        let all = wasm("all-proposals").unwrap().features;
        assert!(Feature::ALL.iter().all(|&feature| all.contains(feature)), "{all:?}");
    }

    /// Returns the line of a feature in the table of `README.md`.
    fn row(feature: Feature) -> String {
        let default = if feature.on_by_default() { "on" } else { "off" };
        format!("| `{}` | {} | {default} | {} |", feature.name(), feature.standard(), feature.help())
    }

    #[test]
    fn the_readme_lists_the_features() {
        let expected: Vec<String> = Feature::ALL.iter().map(|&feature| row(feature)).collect();
        let lines = include_str!("../../README.md").lines().skip_while(|line| !line.starts_with("| `-W` |")).skip(2);
        let actual: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
        assert_eq!(actual, expected, "the table in README.md should be\n{}", expected.join("\n"));
    }

    #[test]
    fn limits_take_values() {
        let options =
            wasm("max-memory-size=64MiB,max-wasm-stack=1048576,timeout=100ms,max-table-elements=9,max-instances=2")
                .unwrap();
        assert_eq!((options.max_table_elements, options.max_instances), (Some(9), Some(2)));
        assert_eq!(options.max_memory, Some(64 << 20));
        assert_eq!(options.max_stack, Some(1 << 20));
        assert_eq!(options.timeout, Some(Duration::from_millis(100)));
    }

    #[test]
    fn near_keys_are_suggested() {
        let why = wasm("max-memory=9").unwrap_err();
        assert_eq!(why, "-W max-memory=9: no such key; did you mean `max-memory-size`? `-W help` lists the keys");
        assert!(wasm("exception").unwrap_err().contains("did you mean `exceptions`"));
    }

    #[test]
    fn keys_of_others_are_accepted_where_they_are_true() {
        assert_eq!(wasm("component-model=n,stack-switching=n").unwrap(), WasmOptions::default());
        assert!(wasm("max-memories=1").unwrap_err().contains("--max-memory"));
    }

    #[test]
    fn every_feature_is_in_the_help() {
        let help = wasm("help").unwrap_err();
        assert!(Feature::ALL.iter().all(|feature| help.contains(&format!("  {}[=y|n]", feature.name()))), "{help}");
    }
}
