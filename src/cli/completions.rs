//! `wasmr completions SHELL`: a script that completes commands, options and files. It is generated from the declaration of the
//! flags, so that no second list exists.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::exit;
use super::flags::{Cli, CompletedShell, CompletionsFlags};

/// Prints the script.
pub fn run(flags: CompletionsFlags, out: &mut dyn Write) -> anyhow::Result<u8> {
    let shell = match flags.shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    // The generator panics if a stream is closed or full, so it writes to memory.
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "wasmr", &mut script);
    out.write_all(&script).and_then(|()| out.flush()).context("cannot print the completions")?;
    Ok(exit::SUCCESS)
}
