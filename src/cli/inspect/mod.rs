//! `wasmr inspect FILE`: what is in a module, without running any of it.
//!
//! [`facts`] reads them off a validated module, [`text`](mod@text) shows them to people, [`as_json`] to tools. The module is
//! validated with whatever features it needs, so that one that wasmr would only run with `-W`, or cannot run yet, can be
//! inspected too. The features that it needs are among the facts.

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
