//! `wasmr inspect FILE`: shows the contents of a module without running it.
//!
//! [`facts`] collects facts about a valid module, [`text`](mod@text) prints them for people, [`as_json`] for tools. Validation accepts
//! all features. Modules that wasmr does not run, or runs only with `-W`, can therefore be inspected too. The required features are
//! among the facts.

mod as_json;
mod facts;
mod text;

use std::io::Write;

use super::flags::InspectFlags;
use super::{exit, load, report};
use anyhow::Context;
use facts::Facts;

/// Inspects a module.
pub fn run(flags: InspectFlags, out: &mut dyn Write) -> anyhow::Result<u8> {
    let module = load::inspection(&flags.file)?;
    let facts = Facts::of(&module, &flags.file.to_string_lossy());
    let shown = if flags.json { format!("{}\n", as_json::json(&facts)) } else { text::text(&facts) };
    report::show(out, &shown).context("cannot print the contents of the module")?;
    Ok(exit::SUCCESS)
}
