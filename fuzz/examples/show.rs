//! Writes the module of an input of the `differential` target to standard output, and the engines' results to standard error:
//! `show INPUT > module.wasm`. `show INPUT OTHER.wasm` runs another module instead, for example a smaller one, and writes only
//! the results. Fails if engines disagree.

use std::io::Write;
use std::process::ExitCode;

use wasmr_fuzz::differential::{compare, parse};

/// Writes without a buffer: a panic of a compiler thread ends the process, and a buffer's contents would be lost.
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
