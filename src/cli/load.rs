//! Reads the files that the user names: modules, memory-mapped if they are large, and texts. `-` is standard input. Unsafe: maps
//! files.
//!
//! # Why map?
//! Validation reads a module once, and execution reads the functions that it runs. For a short run, copying tens of megabytes first
//! would cost more than both. A map has one weakness: another process can change the file while the guest runs. If the file is
//! truncated, reading the lost part ends wasmr by SIGBUS. If it is overwritten in place, later reads see code that was not validated.
//! Tools that build modules write a new file and rename it, which is safe. With a cache, a file is mapped only if its state would tell
//! of every change. Files below [`MAP_FROM`] are copied, which is as fast.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, IsTerminal, Read, StdinLock};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use clap::CommandFactory;
use wasmr::cache::FileState;
#[cfg(feature = "component")]
use wasmr::component::{ComponentSource, ComposeError};
use wasmr::limits::DEFAULT_MAX_MODULE_SIZE;
use wasmr::{Engine, Inspection, Module, ModuleBytes, ModuleError, bytes_from_input};

use super::exit::UsageError;
use super::flags::Cli;
use super::habits;
#[cfg(feature = "component")]
use super::inspect::component::ComponentInspection;
use super::report::{exact_size, printable_word};

/// Size in bytes from which a file is mapped. Smaller files are read.
const MAP_FROM: u64 = 1 << 20;

/// A program: a core module or a component.
pub enum Program {
    /// A core module.
    Module(Module),
    /// A component.
    #[cfg(feature = "component")]
    Component(wasmr::component::Component),
}

/// Loads a module: as [`program`], but a component is an error.
pub fn module(engine: &Engine, path: &Path, allow_precompiled: bool) -> anyhow::Result<Module> {
    match program(engine, path, allow_precompiled)? {
        Program::Module(module) => Ok(module),
        #[cfg(feature = "component")]
        Program::Component(_) => {
            let why = "it is a component, where only a core module can be used; to run the component, type `wasmr run`";
            bail!(anyhow!(why).context(cannot_load(path)))
        }
    }
}

/// Loads a program: validates it, or recognises it in the cache. The first bytes decide between a module and a component. A
/// precompiled module is loaded only if that is allowed. `-` is standard input.
pub fn program(engine: &Engine, path: &Path, allow_precompiled: bool) -> anyhow::Result<Program> {
    if allow_precompiled && is_precompiled_file(path) {
        check_size(&path.metadata()?, path, engine.max_module_size())?;
        // SAFETY: the user says with --allow-precompiled that the file comes from `wasmr compile` and is as trusted as wasmr.
        return unsafe { Module::deserialize_file(engine, path) }
            .map(Program::Module)
            .with_context(|| cannot_load(path));
    }
    let Input { bytes, state } = input(path, engine.max_module_size(), engine.has_cache())?;
    #[cfg(feature = "component")]
    if is_component(bytes.as_ref()) {
        let component = wasmr::component::Component::from_file_bytes(engine, bytes, &name(path), state.as_ref());
        return component.map(Program::Component).with_context(|| cannot_load(path));
    }
    if !Module::is_precompiled(bytes.as_ref()) {
        let module = Module::from_file_bytes(engine, bytes, &name(path), state.as_ref());
        return module.map(Program::Module).map_err(with_switch).with_context(|| cannot_load(path));
    }
    if !allow_precompiled {
        let why = "it is a precompiled module, whose machine code is executed as it is; if you trust the file as much as wasmr itself, \
                   run it with `wasmr run --allow-precompiled`";
        bail!(anyhow!(why).context(cannot_load(path)));
    }
    // SAFETY: as above.
    unsafe { Module::deserialize(engine, bytes.as_ref().to_vec()) }
        .map(Program::Module)
        .with_context(|| cannot_load(path))
}

/// Reads the file of a component, which is decoded later. A core module is `None`. For a foreign file, the decoder has the message.
#[cfg(feature = "component")]
pub fn component_source(path: &Path, limit: u64, with_state: bool) -> anyhow::Result<Option<ComponentSource>> {
    let Input { bytes, state } = input(path, limit, with_state)?;
    let is_source = is_component(bytes.as_ref()) || is_foreign(bytes.as_ref());
    Ok(is_source.then(|| ComponentSource::of_file(bytes, name(path), state)))
}

/// Returns true if the bytes begin like a component, in binary or as text. Both are decided without reading further than the first
/// word.
#[cfg(feature = "component")]
fn is_component(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\0asm") {
        return wasmr::component::Component::is_component(bytes);
    }
    let inner = after_blanks(bytes).strip_prefix(b"(").map(after_blanks);
    let word = inner.and_then(|inner| inner.strip_prefix(b"component"));
    word.is_some_and(|rest| !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// Returns true if the bytes begin like no module or component, in whatever form.
#[cfg(feature = "component")]
fn is_foreign(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"\0asm") && !Module::is_precompiled(bytes) && !after_blanks(bytes).starts_with(b"(")
}

/// Returns the text after white space and comments.
#[cfg(feature = "component")]
fn after_blanks(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        if text.starts_with(b";;") {
            let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
            text = &text[end..];
        } else if text.starts_with(b"(;") {
            text = after_block_comment(text);
        } else {
            return text;
        }
    }
}

/// Returns the text after the block comment with which it begins. Block comments nest.
#[cfg(feature = "component")]
fn after_block_comment(mut text: &[u8]) -> &[u8] {
    let mut depth = 0u64;
    loop {
        match text {
            [b'(', b';', rest @ ..] => (depth, text) = (depth + 1, rest),
            [b';', b')', rest @ ..] if depth <= 1 => return rest,
            [b';', b')', rest @ ..] => (depth, text) = (depth - 1, rest),
            [_, rest @ ..] => text = rest,
            [] => return text,
        }
    }
}

/// Returns true if a regular file begins like a precompiled module. No other file can be read twice.
fn is_precompiled_file(path: &Path) -> bool {
    let mut start = [0; 8];
    !is_standard_input(path)
        && path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && Module::is_precompiled(&start)
}

/// Adds the option that accepts the module, if the module is refused only because a feature is off.
fn with_switch(error: ModuleError) -> anyhow::Error {
    match error.missing_feature() {
        Some(feature) => {
            // The place in the text may follow on lines of its own.
            let text = error.to_string();
            let (sentence, place) = text.split_at(text.find('\n').unwrap_or(text.len()));
            let or = feature.alternative().map(|other| format!(", or {other}")).unwrap_or_default();
            anyhow!("{sentence}; to accept it, type -W {}{or}{place}", feature.name())
        }
        None => error.into(),
    }
}

/// Returns the number of threads that may validate a file for inspection: one for each processor.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A module or component for inspection.
pub enum Inspected {
    /// A core module.
    Module(Box<Inspection>),
    /// A component.
    #[cfg(feature = "component")]
    Component(ComponentInspection),
}

/// Loads a module or component for inspection, with all features on. `-` is standard input.
pub fn inspection(path: &Path) -> anyhow::Result<Inspected> {
    let bytes = input(path, DEFAULT_MAX_MODULE_SIZE, false)?.bytes;
    if Module::is_precompiled(bytes.as_ref()) {
        let why = "it is a precompiled module; inspect the module that it was compiled from";
        bail!(anyhow!(why).context(cannot_load(path)));
    }
    let name = name(path);
    let threads = threads();
    let bytes = bytes_from_input(bytes, Path::new(&name)).with_context(|| cannot_load(path))?;
    #[cfg(feature = "component")]
    if wasmr::component::Component::is_component(bytes.as_ref()) {
        let component = ComponentInspection::new(&[(bytes, name)], threads).map_err(ComposeError::without_plugs);
        return component.map(Inspected::Component).with_context(|| cannot_load(path));
    }
    Inspection::new(bytes, &name, threads)
        .map(|module| Inspected::Module(Box::new(module)))
        .with_context(|| cannot_load(path))
}

/// Returns the sentence above the reason why a file cannot be loaded.
pub fn cannot_load(path: &Path) -> String {
    format!("cannot load `{}`", printable_word(path))
}

/// Returns the name of the module in messages: the last component of its path.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads a file other than a module, such as a script. `what` describes it in errors. `-` is standard input.
pub fn other_file(path: &Path, what: &str) -> anyhow::Result<Vec<u8>> {
    if !is_standard_input(path) {
        return Ok(std::fs::read(path)?);
    }
    let mut bytes = Vec::new();
    standard_input(what)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Rejects a command line that names standard input for two files, as the second would be empty.
pub fn check_standard_input<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<(), UsageError> {
    match files.into_iter().filter(|file| is_standard_input(file)).count() {
        0 | 1 => Ok(()),
        _ => Err(UsageError("`-` is standard input, which can be read only once: give it for one file".to_string())),
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Locks standard input. Fails if it is a terminal, where wasmr would seem to hang.
fn standard_input(what: &str) -> anyhow::Result<StdinLock<'static>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("cannot read {what} from standard input: it is a terminal");
    }
    Ok(stdin.lock())
}

/// A file that was read or mapped.
struct Input {
    bytes: ModuleBytes,
    /// State of the file before it was read, for the cache.
    state: Option<FileState>,
}

/// Reads or maps a file.
fn input(path: &Path, limit: u64, with_state: bool) -> anyhow::Result<Input> {
    if is_standard_input(path) {
        let bytes = wasmr::read_capped(standard_input("a module")?, limit, 64 << 10);
        let bytes = bytes.context("cannot read standard input")?;
        let bytes = bytes.map(ModuleBytes::from).with_context(|| too_large("standard input", limit))?;
        return Ok(Input { bytes, state: None });
    }
    let shown = printable_word(path);
    let cannot_read = || format!("cannot read `{shown}`");
    let file = match File::open(path) {
        // The user may have mistyped a command.
        Err(error) if error.kind() == ErrorKind::NotFound && !shown.to_string().contains(['.', '/']) => {
            let word = shown.to_string();
            let commands = Cli::command();
            let near = habits::near(&word, commands.get_subcommands().map(clap::Command::get_name));
            let more = match habits::command(&word) {
                Some(answer) => answer.to_string(),
                None if near.is_empty() => "`wasmr --help` lists the commands".to_string(),
                None => format!("did you mean the command {}?", near.join(" or ")),
            };
            bail!(anyhow!(more).context(format!("there is no file `{word}`, and no command of that name")));
        }
        result => result.with_context(cannot_read)?,
    };
    let state = if with_state { FileState::of(&file).ok() } else { None };
    let metadata = file.metadata().with_context(cannot_read)?;
    check_size(&metadata, path, limit)?;
    // With a cache, the mapping must not change without a trace: see `Module::from_file_bytes`.
    let is_mappable = !with_state || state.as_ref().is_some_and(FileState::is_stable);
    if metadata.is_file() && metadata.len() >= MAP_FROM && is_mappable {
        // SAFETY: `map` asks that nobody changes the file while it is mapped. wasmr itself only reads the map. It cannot stop other
        // processes, so every reader checks the meaning of the bytes as it reads them; see the module documentation.
        if let Ok(map) = unsafe { memmap2::Mmap::map(&file) } {
            return Ok(Input { bytes: ModuleBytes::new(map), state });
        }
    }
    let bytes = wasmr::read_capped(file, limit, metadata.len()).with_context(cannot_read)?;
    let bytes = bytes.map(ModuleBytes::from).with_context(|| too_large(&format!("`{shown}`"), limit))?;
    Ok(Input { bytes, state })
}

/// Refuses a regular file that is larger than a module may be.
fn check_size(metadata: &Metadata, path: &Path, limit: u64) -> anyhow::Result<()> {
    if metadata.is_file() && metadata.len() > limit {
        bail!(too_large(&format!("`{}`", printable_word(path)), limit));
    }
    Ok(())
}

fn too_large(what: &str, limit: u64) -> String {
    format!(
        "{what} is too large: a module may have at most {} (`wasmr run --max-module-size SIZE` changes that)",
        exact_size(limit.into())
    )
}
