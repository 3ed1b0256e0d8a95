//! `wasmr compile MODULE`: compiles a module ahead of time and writes a `.cwasm` file, which `wasmr run --allow-precompiled` runs.
//!
//! The file is written under a temporary name and then renamed, so that nobody sees half of it. With `--into-cache` the code goes to
//! the cache instead, for a module or for each core module of a component.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use wasmr::cache::Cache;
use wasmr::symbol::printable;
use wasmr::{
    Config, Engine, FunctionsToCompile, Module, Precompile, PrecompileError, PrecompiledFunctions, PrecompiledModule,
    Tuning,
};

use super::codegen_options::CodegenOptions;
use super::exit::UsageError;
use super::flags::CompileFlags;
use super::load::Program;
use super::log::Log;
#[cfg(feature = "component")]
use super::plug;
use super::report::{exact_size, printable_word};
use super::usage::Usage;
use super::wasm_options::WasmOptions;
use super::{exit, option_keys, plan, report};

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
    if is_same_file(&module_path, &output) {
        let word = printable_word(&output);
        bail!(UsageError(format!(
            "`{word}` is the module, and the output would replace it: name another file with -o FILE"
        )));
    }
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
    config
        .features(wasm_options.features)
        .nan_canonicalization(wasm_options.nan_canonicalization)
        .tuning(tuning)
        .spectre_guards(codegen.spectre_guards);
    config.consume_fuel(flags.fuel || wasm_options.fuel.is_some());
    if flags.into_cache || flags.profile {
        if !codegen.cache {
            let option = if flags.into_cache { "--into-cache" } else { "--profile" };
            bail!(UsageError(format!("{option} needs the cache, which -C cache=n switches off")));
        }
        config.cache(Some(needed_cache(flags.cache_dir)?));
    } else if codegen.cache {
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
    let shown = printable_word(&module_path);
    let cannot_compile = || format!("cannot compile `{shown}`");
    // Not dropped, as that would store it in the cache once more.
    #[cfg(feature = "component")]
    let program = plug::program(&engine, &module_path, &flags.plug, false)?;
    #[cfg(not(feature = "component"))]
    let program = super::load::program(&engine, &module_path, false)?;
    let program = ManuallyDrop::new(program);
    match &*program {
        Program::Module(module) if flags.into_cache => {
            compile_into_cache(std::slice::from_ref(module), &engine, &what, err).with_context(cannot_compile)?;
        }
        Program::Module(module) => {
            let precompiled = module.precompile(&engine, &what).with_context(cannot_compile)?;
            write(&precompiled, &output).with_context(|| format!("cannot write `{}`", printable_word(&output)))?;
            note_refusals("", &precompiled.compiled, err);
        }
        #[cfg(feature = "component")]
        Program::Component(component) if flags.into_cache => {
            compile_into_cache(component.modules(), &engine, &what, err).with_context(cannot_compile)?;
        }
        #[cfg(feature = "component")]
        Program::Component(_) => {
            let why = format!(
                "it is a component, and a .cwasm file holds one core module; `wasmr run {shown}` keeps the code that it compiles in the \
                 cache, and `wasmr compile --into-cache {shown}` compiles all code of the component into the cache now"
            );
            bail!(anyhow::anyhow!(why).context(cannot_compile()));
        }
    }
    Ok(exit::SUCCESS)
}

/// Compiles a module, or the core modules of a component, into the cache. A core module without a profile did not run: that is an error
/// only if none of them has one.
fn compile_into_cache(
    modules: &[Module],
    engine: &Engine,
    what: &Precompile<'_>,
    err: &mut dyn Write,
) -> Result<(), PrecompileError> {
    let mut is_any_profiled = modules.is_empty();
    for module in modules {
        match module.precompile_into_cache(engine, what) {
            Ok(compiled) => {
                is_any_profiled = true;
                let of = if modules.len() == 1 { String::new() } else { format!(" of `{}`", printable(module.name())) };
                note_refusals(&of, &compiled, err);
            }
            Err(PrecompileError::NoProfile) => {}
            Err(error) => return Err(error),
        }
    }
    if is_any_profiled { Ok(()) } else { Err(PrecompileError::NoProfile) }
}

/// Returns true if both paths lead to one file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| (file.dev(), file.ino()));
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// Opens the cache, without which there is nothing to do.
fn needed_cache(dir: Option<PathBuf>) -> anyhow::Result<Arc<Cache>> {
    let dir = plan::needed_cache_dir(dir)?;
    let cache = Cache::open(&dir);
    Ok(Arc::new(cache.with_context(|| format!("cannot use the cache directory `{}`", printable_word(&dir)))?))
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
    let file = match File::create_new(&temporary) {
        // A process of the same number left it, or somebody else put a link there.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(&temporary)?;
            File::create_new(&temporary)?
        }
        result => result?,
    };
    let written = write_to(compiled, file).and_then(|()| fs::rename(&temporary, output));
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

/// Says which functions have no machine code. `of` follows their number, if they are those of one core module among several.
fn note_refusals(of: &str, compiled: &PrecompiledFunctions, err: &mut dyn Write) {
    let refused = &compiled.refused;
    if refused.is_empty() {
        return;
    }
    let mut text = format!(
        "note: {} of {} functions{of} stay interpreted; the others have {} of machine code\n",
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
