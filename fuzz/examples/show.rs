//! Writes the module that an input of the `differential` target stands for to standard output, and says on standard error
//! what the target makes of it: `show INPUT > module.wasm`.

use std::io::Write;
use std::process::ExitCode;

use wasmr_fuzz::differential::{compare, parse};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: show INPUT > module.wasm");
        return ExitCode::FAILURE;
    };
    let data = match std::fs::read(&path) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match parse(&data, None) {
        Err(error) => eprintln!("no module: {error}"),
        Ok((plan, wasm)) => {
            if let Err(error) = std::io::stdout().write_all(&wasm) {
                eprintln!("standard output: {error}");
                return ExitCode::FAILURE;
            }
            eprintln!("{plan:?}: {:?}", compare(plan, &wasm));
        }
    }
    ExitCode::SUCCESS
}
