//! `wasmr inspect --plug`: facts about a component composed with others, and the imports that a run would lack.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use wasmr::component::Component;
use wasmr::limits::DEFAULT_MAX_MODULE_SIZE;
use wasmr::{Engine, bytes_from_input};

use super::component::ComponentInspection;
use crate::cli::{load, plug, run_component};

/// Returns facts about a component composed with plugs, with all features on, and the imports that `wasmr run` lacks then.
pub fn inspect(file: &Path, plugs: &[PathBuf]) -> anyhow::Result<ComponentInspection> {
    let sources = plug::sources(file, plugs, DEFAULT_MAX_MODULE_SIZE, false)?;
    let mut parts = Vec::with_capacity(sources.len());
    for (source, path) in sources.iter().zip([file].into_iter().chain(plugs.iter().map(PathBuf::as_path))) {
        let bytes = bytes_from_input(source.bytes().clone(), Path::new(source.name()));
        parts.push((bytes.with_context(|| load::cannot_load(path))?, source.name().to_owned()));
    }
    let mut inspection =
        ComponentInspection::new(&parts, load::threads()).map_err(|error| plug::cannot_compose(file, error))?;
    let [component, plugs @ ..] = sources.as_slice() else { bail!("there is no component") };
    // What cannot be loaded with the default features has no imports that could be lacking.
    if let Ok(component) = Component::compose(&Engine::default(), component, plugs) {
        inspection.set_lacking(run_component::lacking(&component)?);
    }
    Ok(inspection)
}
