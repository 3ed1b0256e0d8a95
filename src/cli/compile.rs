//! `wasmr compile MODULE`: compiles a module ahead of time and writes a `.cwasm` file, which `wasmr run --allow-precompiled` runs.
//!
//! The file is written under a temporary name and then renamed, so that nobody sees half of it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use wasmr::{Config, Engine, FunctionsToCompile, Precompile, PrecompiledFunctions, PrecompiledModule, Tuning};

use super::codegen_options::CodegenOptions;
use super::exit::UsageError;
use super::flags::CompileFlags;
use super::log::Log;
use super::report::{exact_size, printable_word};
use super::usage::Usage;
use super::wasm_options::WasmOptions;
use super::{exit, load, option_keys, plan, report};

/// Number of functions without machine code that are named.
const NAMED: usize = 5;

/// Compiles a module.
pub fn run(flags: CompileFlags, err: &mut dyn Write) -> anyhow::Result<u8> {
    let wasm_options: WasmOptions = option_keys::parse(&flags.wasm)?;
    let tuning: Tuning = option_keys::parse(&flags.tuning)?;
    let codegen: CodegenOptions = option_keys::parse(&flags.code)?;
    let module_path =
        flags.module.ok_or_else(|| UsageError("MODULE is missing: name the module to compile".to_owned()))?;
    let output = match flags.output {
        Some(output) => output,
        None if flags.into_cache => PathBuf::new(),
        None if module_path == Path::new("-") => {
            bail!(UsageError("-o FILE is missing: standard input has no name for the output".to_owned()))
        }
        None => module_path.with_extension("cwasm"),
    };
    let goes_on = || flags.limit.is_none_or(|limit| Usage::now().is_none_or(|usage| usage.cpu < limit));
    let mut what = Precompile::default();
    what.threads = tuning.compile_threads.unwrap_or(what.threads);
    if flags.profile {
        what.functions = FunctionsToCompile::Profiled;
    }
    if flags.limit.is_some() {
        what.goes_on = Some(&goes_on);
    }
    let mut config = Config::new();
    config.features(wasm_options.features).tuning(tuning).spectre_guards(codegen.spectre_guards);
    config.consume_fuel(flags.fuel || wasm_options.fuel.is_some());
    if codegen.cache {
        let (cache, warning) = plan::cache(flags.cache_dir, Log::default());
        if let Some(warning) = warning {
            report::print(err, &format!("warning: {warning}\n"));
        }
        config.cache(cache);
    }
    if let Some(bytes) = flags.max_module_size {
        config.max_module_size(bytes);
    }
    let engine = Engine::new(&config);
    // Not dropped, as that would store it in the cache once more.
    let module = ManuallyDrop::new(load::module(&engine, &module_path, false)?);
    let cannot_compile = || format!("cannot compile `{}`", printable_word(&module_path));
    if flags.into_cache {
        let compiled = module.precompile_into_cache(&engine, &what).with_context(cannot_compile)?;
        note_refusals(&compiled, err);
        return Ok(exit::SUCCESS);
    }
    let precompiled = module.precompile(&engine, &what).with_context(cannot_compile)?;
    write(&precompiled, &output).with_context(|| format!("cannot write `{}`", printable_word(&output)))?;
    note_refusals(&precompiled.compiled, err);
    Ok(exit::SUCCESS)
}

/// Writes the file at once: it appears whole, or not at all.
fn write(compiled: &PrecompiledModule<'_>, output: &Path) -> std::io::Result<()> {
    // A device, such as the standard output, cannot be replaced.
    if fs::metadata(output).is_ok_and(|there| !there.is_file()) {
        return write_to(compiled, File::create(output)?);
    }
    let mut name = output.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = write_to(compiled, File::create(&temporary)?).and_then(|()| fs::rename(&temporary, output));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_to(compiled: &PrecompiledModule<'_>, file: File) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, file);
    compiled.write(&mut file)?;
    file.flush()
}

/// Says which functions have no machine code.
fn note_refusals(compiled: &PrecompiledFunctions, err: &mut dyn Write) {
    let refused = &compiled.refused;
    if refused.is_empty() {
        return;
    }
    let mut text = format!(
        "note: {} of {} functions stay interpreted; the others have {} of machine code\n",
        refused.len(),
        refused.len() + compiled.functions,
        exact_size(compiled.code_bytes as u128)
    );
    for (index, why) in refused.iter().take(NAMED) {
        text.push_str(&format!("  function {index}: {why}\n"));
    }
    if refused.len() > NAMED {
        text.push_str(&format!("  and {} more\n", refused.len() - NAMED));
    }
    report::print(err, &text);
}
