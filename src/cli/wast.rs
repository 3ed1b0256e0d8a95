//! `wasmr wast FILE…`: runs script tests. Prints one line per file and one per failed directive.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use wasmr::{Config, Engine, Tuning};
use wasmr_core::count::Count;

use super::exit::UsageError;
use super::flags::WastFlags;
use super::report::printable_word;
use super::wasm_options::WasmOptions;
use super::{exit, load, option_keys, report};

/// Runs the scripts.
pub fn run(flags: WastFlags, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let tuning: Tuning = option_keys::parse(&flags.tuning)?;
    let options: WasmOptions = option_keys::parse(&flags.wasm)?;
    if flags.files.is_empty() {
        bail!(UsageError("FILE is missing: name the scripts to run".to_string()));
    }
    load::check_standard_input(flags.files.iter().map(PathBuf::as_path))?;
    let mut config = Config::new();
    config
        .features(options.features)
        .nan_canonicalization(options.nan_canonicalization)
        .mode(flags.mode.unwrap_or_default())
        .tuning(tuning);
    let engine = Engine::new(&config);
    let mut status = exit::SUCCESS;
    for file in &flags.files {
        let shown = printable_word(file);
        let text = match script(file).with_context(|| format!("cannot read `{shown}`")) {
            Ok(text) => text,
            Err(error) => {
                report::error(err, &error);
                status = exit::FAILURE;
                continue;
            }
        };
        let result = wasmr::wast::run_script(&engine, &text);
        for failure in &result.failures {
            // Lines after the first belong to the failure, so they are indented.
            let message = failure.message.replace('\n', "\n  ");
            report::show(out, &format!("{shown}:{}:{}: {message}\n", failure.line, failure.column))?;
        }
        if result.is_success() {
            report::show(out, &format!("ok {shown}: {}\n", Count(result.total(), "directive")))?;
        } else {
            report::show(
                out,
                &format!("FAILED {shown}: {} of {}\n", result.failures.len(), Count(result.total(), "directive")),
            )?;
            status = exit::FAILURE;
        }
    }
    Ok(status)
}

/// Reads the text of a script.
fn script(file: &Path) -> anyhow::Result<String> {
    let bytes = load::other_file(file, "a script")?;
    if bytes.starts_with(b"\0asm") {
        bail!(
            "the file is a binary module, not a script (.wast); `wasmr validate` checks modules, `wasmr run` runs them"
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        anyhow!("the file is not a script (.wast): not UTF-8 at byte {}", error.utf8_error().valid_up_to())
    })
}
