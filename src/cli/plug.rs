//! `--plug`: composes a component with others.
//!
//! In: the files of the component and of its plugs. Out: one component. `wasmr::component::Component::compose`
//! has the rules by which a plug provides an import.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use wasmr::Engine;
use wasmr::component::{Component, ComponentSource, ComposeError};

use super::exit::UsageError;
use super::load::{self, Program};
use super::report::printable_word;

/// Loads a program, as [`load::program`] does, and composes it with plugs if there are any.
pub fn program(engine: &Engine, file: &Path, plugs: &[PathBuf], allow_precompiled: bool) -> anyhow::Result<Program> {
    match plugs {
        [] => load::program(engine, file, allow_precompiled),
        plugs => compose(engine, file, plugs).map(Program::Component),
    }
}

/// Composes a component with plugs.
fn compose(engine: &Engine, file: &Path, plugs: &[PathBuf]) -> anyhow::Result<Component> {
    let sources = sources(file, plugs, engine.max_module_size(), engine.has_cache())?;
    let [component, plugs @ ..] = sources.as_slice() else { bail!("there is no component") };
    Component::compose(engine, component, plugs).map_err(|error| cannot_compose(file, error))
}

/// Reads the files, the component's first.
pub fn sources(file: &Path, plugs: &[PathBuf], limit: u64, with_state: bool) -> anyhow::Result<Vec<ComponentSource>> {
    load::check_standard_input(plugs.iter().map(PathBuf::as_path).chain([file]))?;
    let mut sources = Vec::with_capacity(1 + plugs.len());
    for (path, is_plug) in [(file, false)].into_iter().chain(plugs.iter().map(|plug| (plug.as_path(), true))) {
        let source = load::component_source(path, limit, with_state)?;
        let Some(source) = source else {
            let word = printable_word(path);
            bail!(UsageError(if is_plug {
                format!("the plug `{word}` is a core module, and --plug composes components")
            } else {
                format!("`{word}` is a core module, and --plug composes components; --preload links core modules")
            }));
        };
        sources.push(source);
    }
    Ok(sources)
}

/// Adds the sentence above the reason why components cannot be composed.
pub fn cannot_compose(file: &Path, error: ComposeError) -> anyhow::Error {
    anyhow!(error).context(format!("cannot compose `{}` with its plugs", printable_word(file)))
}
