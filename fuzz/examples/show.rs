//! Writes the module that an input of the `differential` target stands for to standard output, and says on standard error
//! what the target makes of it: `show INPUT > module.wasm`. With another module in its place, as a smaller one is looked for,
//! `show INPUT OTHER.wasm` only says that. Fails if engines disagree.

use std::io::Write;
use std::process::ExitCode;

use wasmr_fuzz::differential::{compare, parse};

/// Writes all of it now: a panic of a thread that compiles ends the process without the rest of a buffer.
fn write(wasm: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(wasm)?;
    out.flush()
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(path) = words.next() else {
        eprintln!("usage: show INPUT > module.wasm | show INPUT OTHER.wasm");
        return ExitCode::from(2);
    };
    let read = |path: &std::ffi::OsStr| {
        std::fs::read(path).map_err(|error| eprintln!("{}: {error}", std::path::Path::new(path).display()))
    };
    let Ok(data) = read(&path) else { return ExitCode::from(2) };
    let (plan, mut module) = match parse(&data, None) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("no module: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(other) = words.next() {
        let Ok(wasm) = read(&other) else { return ExitCode::from(2) };
        module.wasm = wasm;
    } else if let Err(error) = write(&module.wasm) {
        eprintln!("standard output: {error}");
        return ExitCode::from(2);
    }
    let verdict = compare(plan, &module);
    eprintln!("{plan:?}, bodies of at most {} bytes compiled: {verdict:?}", module.max_compiled_size);
    if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
