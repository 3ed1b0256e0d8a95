//! `wasmr inspect FILE`: shows the contents of a module or component without running it.
//!
//! [`facts`] collects facts about a valid module, [`text`](mod@text) prints them for people, [`as_json`] for tools. Validation accepts
//! all features. Modules that wasmr does not run, or runs only with `-W`, can therefore be inspected too. The required features are
//! among the facts. [`component`] does all of this for components, and `composed` adds
//! those of `--plug`.

mod as_json;
#[cfg(feature = "component")]
pub mod component;
#[cfg(feature = "component")]
mod composed;
mod facts;
mod text;

use std::io::Write;

use super::exit::UsageError;
use super::flags::InspectFlags;
use super::load::Inspected;
use super::{exit, load, report};
use anyhow::{Context, bail};
use facts::Facts;

/// Inspects a module or component.
pub fn run(flags: InspectFlags, out: &mut dyn Write) -> anyhow::Result<u8> {
    let file = flags.file.to_string_lossy();
    let shown = match inspected(&flags)? {
        Inspected::Module(_) if flags.wit => {
            bail!(UsageError("--wit is for components, and this is a core module".to_string()))
        }
        Inspected::Module(module) => {
            let facts = Facts::of(&module, &file);
            if flags.json { format!("{}\n", as_json::json(&facts)) } else { text::text(&facts) }
        }
        #[cfg(feature = "component")]
        Inspected::Component(component) if flags.wit => component.wit(),
        #[cfg(feature = "component")]
        Inspected::Component(component) if flags.json => format!("{}\n", component.json(&file)),
        #[cfg(feature = "component")]
        Inspected::Component(component) => component.text(&file),
    };
    report::show(out, &shown).context("cannot print the contents of the file")?;
    Ok(exit::SUCCESS)
}

/// Loads the module or component, with its plugs.
fn inspected(flags: &InspectFlags) -> anyhow::Result<Inspected> {
    #[cfg(feature = "component")]
    if !flags.plug.is_empty() {
        return composed::inspect(&flags.file, &flags.plug).map(Inspected::Component);
    }
    load::inspection(&flags.file)
}
