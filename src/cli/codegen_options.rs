//! `-C key[=value],…`: settings of machine code that change more than speed.

use super::option_keys::{KeyedOptions, OptionKey, Setter};

/// Settings of the code generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodegenOptions {
    /// Use the cache.
    pub cache: bool,
    /// Generate code that mitigates Spectre variant 1 at bounds checks.
    pub spectre_guards: bool,
}

impl Default for CodegenOptions {
    fn default() -> CodegenOptions {
        CodegenOptions { cache: true, spectre_guards: true }
    }
}

impl KeyedOptions for CodegenOptions {
    const LETTER: char = 'C';
    const KEYS: &'static [OptionKey<CodegenOptions>] = &[
        OptionKey(
            "cache",
            Setter::Switch(|options, on| options.cache = on),
            "Read and write the cache; cache=n means the same as --no-cache [default: y]",
        ),
        OptionKey(
            "spectre-guards",
            Setter::Switch(|options, on| options.spectre_guards = on),
            "Mitigate Spectre v1: speculation past a failed bounds check reads nothing out of bounds [default: y]",
        ),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option_keys::{parse, tests::parse_one};

    #[test]
    fn guards_are_on_unless_switched_off() {
        assert!(parse::<CodegenOptions>(&[]).unwrap().spectre_guards);
        assert!(!parse_one::<CodegenOptions>("spectre-guards=n").unwrap().spectre_guards);
        assert!(parse_one::<CodegenOptions>("spectre-guards=n,spectre-guards").unwrap().spectre_guards);
    }

    #[test]
    fn the_cache_is_on_unless_switched_off() {
        assert!(parse::<CodegenOptions>(&[]).unwrap().cache);
        assert!(parse_one::<CodegenOptions>("cache").unwrap().cache);
        assert!(!parse_one::<CodegenOptions>("cache=n").unwrap().cache);
    }
}
