//! `wasmr validate FILE…`: says nothing about a module that is valid, and what is wrong with every other.

use std::io::Write;
use std::path::PathBuf;

use wasmr::{Config, Engine};

use super::exit::UsageError;
use super::flags::ValidateFlags;
use super::keys::WasmKeys;
use super::{exit, load, report};

/// Checks the files.
pub fn run(flags: ValidateFlags, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let keys = WasmKeys::parse(&flags.wasm).map_err(UsageError)?;
    if keys.help {
        write!(out, "{}", WasmKeys::help_text())?;
        return Ok(exit::SUCCESS);
    }
    if flags.files.is_empty() {
        return Err(UsageError("FILE is missing: which modules are to be checked?".to_string()).into());
    }
    load::check_standard_input(flags.files.iter().map(PathBuf::as_path))?;
    let engine = Engine::new(Config::new().features(keys.features));
    let mut status = exit::SUCCESS;
    for file in &flags.files {
        if let Err(error) = load::module(&engine, file) {
            report::error(err, &error);
            status = exit::FAILURE;
        }
    }
    Ok(status)
}
