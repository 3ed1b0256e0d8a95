//! Runs a WASI program on two directories: `cargo run --example wasi_directory`.
//!
//! The program `wordcount.wasm`, built by a C compiler, reads a text from a read-only directory and writes the words that it counted
//! into another. It can reach nothing else of the file system.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wasmr::wasi::{self, OutputBuffer, Stdout, WasiCtx};
use wasmr::{Engine, Linker, Module, Store};

/// Runs the program on `/texts/walk.txt`. Returns its exit code and its output.
fn count_words(
    engine: &Engine,
    program: &Module,
    texts: &Path,
    counts: Option<&Path>,
) -> Result<(u32, String), Box<dyn Error>> {
    let output = OutputBuffer::new(4096);
    let mut builder = WasiCtx::builder();
    builder.args(["wordcount", "/texts/walk.txt", "/counts/walk.txt"]);
    builder.stdout(Stdout::Buffer(output.clone())).stderr(Stdout::Buffer(output.clone()));
    builder.preopened_dir(texts, "/texts", true)?;
    if let Some(counts) = counts {
        builder.preopened_dir(counts, "/counts", false)?;
    }
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(engine, builder.build()?);
    let start = linker.instantiate(&mut store, program)?.get_typed_func::<(), ()>(&store, "_start")?;
    // Return from `_start` means exit code 0. A stop without an exit code is an error.
    let status = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(stop) => stop.exit_code().ok_or(stop)?,
    };
    Ok((status, String::from_utf8(output.take())?))
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let engine = Engine::default();
    let program = Module::from_file(&engine, examples.join("wordcount.wasm"))?;
    let counts = std::env::temp_dir().join(format!("wasmr-counts-{}", std::process::id()));
    fs::create_dir_all(&counts)?;

    let granted = count_words(&engine, &program, &examples.join("texts"), Some(&counts));
    let written = fs::read_to_string(counts.join("walk.txt"));
    fs::remove_dir_all(&counts)?;
    let (status, output) = granted?;
    print!("status {status}: {output}");
    assert_eq!((status, &*output), (0, "71 words, 45 different, written to /counts/walk.txt\n"));
    let lines = written?.lines().count();
    println!("it wrote {lines} lines");
    assert_eq!(lines, 45);

    let (status, output) = count_words(&engine, &program, &examples.join("texts"), None)?;
    print!("without the second directory, status {status}: {output}");
    assert!(status != 0 && output.contains("/counts/walk.txt"));

    let missing = count_words(&engine, &program, Path::new("no/such/directory"), None).unwrap_err();
    println!("{missing}");
    assert!(missing.to_string().starts_with("cannot grant the directory `no/such/directory`"));
    println!("ok");
    Ok(())
}
