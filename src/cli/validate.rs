//! `wasmr validate FILE…`: prints the first error of each invalid module or component, and nothing for a valid one.

use std::io::Write;
use std::path::PathBuf;

use wasmr::{Config, Engine};

use super::exit::UsageError;
use super::flags::ValidateFlags;
use super::wasm_options::WasmOptions;
use super::{exit, load, option_keys, report};

/// Validates the files.
pub fn run(flags: ValidateFlags, err: &mut dyn Write) -> anyhow::Result<u8> {
    let options: WasmOptions = option_keys::parse(&flags.wasm)?;
    if flags.files.is_empty() {
        return Err(UsageError("FILE is missing: name the modules to check".to_string()).into());
    }
    load::check_standard_input(flags.files.iter().map(PathBuf::as_path))?;
    let engine = Engine::new(Config::new().features(options.features));
    let mut status = exit::SUCCESS;
    for file in &flags.files {
        if let Err(error) = load::program(&engine, file, false) {
            report::error(err, &error);
            status = exit::FAILURE;
        }
    }
    Ok(status)
}
