//! `wasmr explore MODULE --func FUNC`: shows all forms of a function without running it.
//!
//! [`find`](mod@find) finds the function, and the engine makes all its forms. [`view`](mod@view) lays them out as lines, each with
//! the offsets of the operators that it came from. [`machine`] disassembles the forms that are machine code. [`text`](mod@text) and [`html`] print
//! the lines.

mod find;
mod html;
mod machine;
mod text;
mod view;

pub use find::name_of;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use wasmr::{Config, Engine, MemoryStrategy, Module};
use wasmr_engine::explore::explore;

use super::exit::UsageError;
use super::flags::ExploreFlags;
use super::load::Program;
use super::report::printable_word;
use super::wasm_options::WasmOptions;
use super::{exit, load, option_keys, report};

/// Explores a function.
pub fn run(flags: ExploreFlags, out: &mut dyn Write) -> anyhow::Result<u8> {
    let options: WasmOptions = option_keys::parse(&flags.wasm)?;
    let Some(file) = &flags.module else {
        bail!(UsageError("MODULE is missing: name the module of the function".to_string()));
    };
    let mut config = Config::new();
    config.features(options.features).nan_canonicalization(options.nan_canonicalization).consume_fuel(flags.metered);
    if flags.checked {
        config.memory_strategy(MemoryStrategy::Checked);
    }
    let engine = Engine::new(&config);
    let module = core_module(&engine, file, &flags)?;
    let index = find::find(&module.module, flags.func.as_deref())?;
    let explored = explore(&module, index, &config)
        .with_context(|| format!("cannot explore function {index} of `{}`", printable_word(file)))?;
    let view = view::view(&module.module, &explored, &flags.show);
    match &flags.html {
        None => print(out, &text::text(&view)),
        Some(file) if file == Path::new("-") => print(out, &html::page(&view)),
        Some(file) => {
            std::fs::write(file, html::page(&view)).with_context(|| format!("cannot write `{}`", printable_word(file)))
        }
    }?;
    Ok(exit::SUCCESS)
}

/// Loads a module, or a component, and returns the core module in it that the options mean.
fn core_module(engine: &Engine, file: &Path, flags: &ExploreFlags) -> anyhow::Result<Module> {
    match load::program(engine, file, false)? {
        Program::Module(module) => match flags.core_module {
            Some(_) => bail!(UsageError("--module is for components, and this is a core module".to_string())),
            None => Ok(module),
        },
        #[cfg(feature = "component")]
        Program::Component(component) => {
            find::core_module(&component, flags.core_module.as_deref(), flags.func.as_deref())
        }
    }
}

fn print(out: &mut dyn Write, text: &str) -> anyhow::Result<()> {
    report::show(out, text).context("cannot print the forms of the function")
}
