//! [`CacheKey`]: everything that knowledge of a module depends on, besides the module's bytes.
//!
//! The key is text with four lines: build, processor, features, settings. A refusal can therefore say which line differs.

use std::fmt::Write;

use crate::config::Config;

/// The build of wasmr, the processor, and the settings that decide what is valid and what compiled code does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheKey(String);

impl CacheKey {
    /// Returns the key for a configuration. Returns `None` if the program has no build id, without which builds cannot be told apart.
    pub(crate) fn new(config: &Config) -> Option<CacheKey> {
        let mut key = format!("wasmr {}, build ", env!("CARGO_PKG_VERSION"));
        for byte in wasmr_runtime::sys::build_id()? {
            // Writing to a string does not fail.
            let _ = write!(key, "{byte:02x}");
        }
        key.push_str("\nprocessor");
        for feature in processor_features() {
            key.push(' ');
            key.push_str(feature);
        }
        key.push_str("\nfeatures");
        for feature in config.features.iter() {
            key.push(' ');
            key.push_str(feature.name());
        }
        let (fuel, spectre, nans) = (config.metered, config.spectre_guards, config.canonical_nans);
        let _ = write!(key, "\nsettings fuel={fuel} spectre-guards={spectre} nan-canonicalization={nans}");
        Some(CacheKey(key))
    }

    /// Returns the key for a module that is loaded after others with so many types. Code depends on the numbers of its types, so a
    /// module that is loaded first has other code than after a library.
    pub(crate) fn after_types(mut self, count: usize) -> CacheKey {
        // Writing to a string does not fail.
        let _ = write!(self.0, "\ntypes {count}");
        self
    }

    /// Returns the key for a module of a component.
    #[cfg(feature = "component")]
    pub(crate) fn of_module(mut self, index: usize) -> CacheKey {
        // Writing to a string does not fail.
        let _ = write!(self.0, "\nmodule {index}");
        self
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks that code made under another key can be used under this one: build, features and settings are the same, and this
    /// processor has all features of the other one.
    pub(crate) fn accepts(&self, other: &str) -> Result<(), Mismatch> {
        let lines = |key: &str| -> Vec<Vec<String>> {
            key.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
        };
        let (here, there) = (lines(&self.0), lines(other));
        let ([build, processor, features, settings], [other_build, other_processor, other_features, other_settings]) =
            (&here[..], &there[..])
        else {
            return Err(Mismatch::Build);
        };
        if build != other_build {
            return Err(Mismatch::Build);
        }
        let lacking = |have: &[String], need: &[String]| -> String {
            need.iter().filter(|name| !have.contains(name)).cloned().collect::<Vec<_>>().join(", ")
        };
        let lacks = lacking(processor, other_processor);
        if !lacks.is_empty() {
            return Err(Mismatch::Processor { lacks });
        }
        let differs = |here: &[String], there: &[String]| {
            let words = [lacking(here, there), lacking(there, here)];
            words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" against ")
        };
        match [differs(features, other_features), differs(settings, other_settings)] {
            [features, settings] if features.is_empty() && settings.is_empty() => Ok(()),
            [features, settings] if features.is_empty() => Err(Mismatch::Settings { differs: settings }),
            [features, _] => Err(Mismatch::Features { differs: features }),
        }
    }
}

/// Difference between the key of precompiled code and that of this engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The build of wasmr.
    #[error("it was compiled by another build of wasmr")]
    Build,
    /// The processor.
    #[error("it was compiled for a processor with features that this one lacks: {lacks}")]
    Processor {
        /// Names of the features.
        lacks: String,
    },
    /// WebAssembly features.
    #[error("it was compiled with other WebAssembly features: {differs}")]
    Features {
        /// Names of the features that only one side has.
        differs: String,
    },
    /// Settings that change the code.
    #[error("it was compiled with other settings: {differs}")]
    Settings {
        /// The settings of both sides that differ.
        differs: String,
    },
}

#[cfg(feature = "jit")]
fn processor_features() -> impl Iterator<Item = &'static str> {
    wasmr_jit::processor_features()
}

#[cfg(not(feature = "jit"))]
fn processor_features() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}

#[cfg(test)]
mod tests {
    use wasmr_module::Feature;

    use super::*;

    fn key(config: &Config) -> CacheKey {
        CacheKey::new(config).expect("tests have a build id")
    }

    #[test]
    fn every_setting_that_code_depends_on_changes_the_key() {
        let plain = key(&Config::new());
        assert_eq!(plain, key(Config::new().max_memory(1)));
        assert_ne!(plain, key(Config::new().consume_fuel(true)));
        assert_ne!(plain, key(Config::new().spectre_guards(false)));
        assert_ne!(plain, key(Config::new().nan_canonicalization(true)));
        assert_ne!(plain, key(Config::new().feature(Feature::Simd, false)));
    }

    #[test]
    fn a_mismatch_is_named() {
        let key = |text: &str| CacheKey(text.to_owned());
        let here = key("wasmr 1, build ab\nprocessor sse3 avx\nfeatures gc\nsettings fuel=false");
        let refused = |other: &str| here.accepts(other).map_err(|mismatch| mismatch.to_string());
        assert_eq!(refused(&here.0), Ok(()));
        assert_eq!(refused("wasmr 1, build ab\nprocessor sse3\nfeatures gc\nsettings fuel=false"), Ok(()));
        let error = |text: &str| Err(text.to_owned());
        let other = "wasmr 1, build ab\nprocessor sse3 fma avx2\nfeatures gc\nsettings fuel=false";
        let text = "it was compiled for a processor with features that this one lacks: fma, avx2";
        assert_eq!(refused(other), error(text));
        for other in ["", "wasmr 1, build ac\nprocessor sse3 avx\nfeatures gc\nsettings fuel=false"] {
            assert_eq!(refused(other), error("it was compiled by another build of wasmr"));
        }
        let other = "wasmr 1, build ab\nprocessor sse3 avx\nfeatures gc simd\nsettings fuel=false";
        assert_eq!(refused(other), error("it was compiled with other WebAssembly features: simd"));
        let other = "wasmr 1, build ab\nprocessor sse3 avx\nfeatures gc\nsettings fuel=true";
        assert_eq!(refused(other), error("it was compiled with other settings: fuel=true against fuel=false"));
    }
}
