//! Writes the module of an input of the `differential` target to standard output, and the engines' results to standard error:
//! `show INPUT > module.wasm`. `show INPUT OTHER.wasm` runs another module instead, for example a smaller one, and writes only
//! the results. `show --objects INPUT [OTHER.wat…]` does the same for the `objects` target, whose programs are texts of one or more
//! modules. Fails if engines disagree.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use wasmr_fuzz::{differential, objects};

/// Writes without a buffer: a panic of a compiler thread ends the process, and a buffer's contents would be lost.
fn write(contents: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(contents)?;
    out.flush()
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", Path::new(path).display()))
}

fn show(input: &str, other: Option<&String>) -> Result<(), String> {
    let data = read(input)?;
    let (plan, mut module) = differential::parse(&data, None).map_err(|error| format!("no module: {error}"))?;
    match other {
        Some(other) => {
            module.wasm = read(other)?;
            module.reference = None;
        }
        None => write(&module.wasm).map_err(|error| format!("standard output: {error}"))?,
    }
    eprintln!("{plan:?}, bodies of at most {} bytes compiled", module.max_compiled_size);
    eprintln!("{:?}", differential::compare(plan, &module)?);
    Ok(())
}

fn show_objects(input: &str, others: &[String]) -> Result<(), String> {
    let (plan, mut texts) = objects::run::parse(&read(input)?).map_err(|error| format!("no program: {error}"))?;
    if others.is_empty() {
        write(texts.concat().as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    } else {
        let texts_of_others = others.iter().map(|other| Ok(String::from_utf8_lossy(&read(other)?).into_owned()));
        texts = texts_of_others.collect::<Result<_, String>>()?;
    }
    eprintln!("{plan:?}");
    eprintln!("{:?}", objects::run::compare(plan, &texts)?);
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &words[..] {
        [first, input, others @ ..] if first == "--objects" => show_objects(input, others),
        [input] => show(input, None),
        [input, other] => show(input, Some(other)),
        _ => {
            Err("usage: show INPUT > module.wasm | show INPUT OTHER.wasm | show --objects INPUT [OTHER.wat...]".into())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
