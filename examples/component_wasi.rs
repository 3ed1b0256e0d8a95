//! Runs a component with WASI 0.2: `cargo run --example component_wasi`.
//!
//! The component `greet.wat` prints a line for each of its arguments. Its output stays in memory, and it can reach nothing of the host but
//! what the context grants.

use std::error::Error;
use std::path::Path;

use wasmr::component::{Component, Linker};
use wasmr::wasi::p2::{self, P2Ctx};
use wasmr::wasi::{OutputBuffer, Stdout, WasiCtx};
use wasmr::{Engine, Store};

/// Runs the program with arguments, and at most `room` bytes of output. Returns true if it succeeded, and its output.
fn run(
    engine: &Engine,
    linker: &Linker<P2Ctx>,
    program: &Component,
    args: &[&str],
    room: usize,
) -> Result<(bool, String), Box<dyn Error>> {
    let output = OutputBuffer::new(room);
    let mut builder = WasiCtx::builder();
    let ctx = builder.arg("greet").args(args.iter().copied()).stdout(Stdout::Buffer(output.clone())).build()?;
    let mut store = Store::new(engine, P2Ctx::new(ctx));
    let instance = linker.instantiate(&mut store, program)?;
    // The name has a version, which the program chose. The function is in the exported interface.
    let (name, _) = program.exports().find(|(name, _)| name.starts_with("wasi:cli/run@")).ok_or("it is no program")?;
    let func = instance.get_typed_func::<(), Result<(), ()>>(&mut store, &format!("{name}#run"))?;
    let is_ok = match func.call(&mut store, ()) {
        Ok(result) => result.is_ok(),
        // `wasi:cli/exit` ends a program early. A stop without an exit code is an error.
        Err(stop) => stop.exit_code().ok_or(stop)? == 0,
    };
    Ok((is_ok, String::from_utf8(output.take())?))
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let program = Component::from_file(&engine, Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/greet.wat"))?;
    for (name, item) in program.imports() {
        println!("imports {name}: {item}");
    }
    assert_eq!(program.imports().len(), 4);

    // One linker serves any number of components and stores.
    let mut linker = Linker::new();
    p2::link::add_to_linker(&mut linker, |ctx: &mut P2Ctx| ctx)?;

    let (is_ok, output) = run(&engine, &linker, &program, &["Ada", "Grace"], 1000)?;
    print!("{output}");
    assert_eq!((is_ok, &*output), (true, "hello, Ada\nhello, Grace\n"));

    // A full buffer of the host is an error that the program gets and handles.
    let (is_ok, output) = run(&engine, &linker, &program, &["Ada", "Grace"], 14)?;
    println!("with room for 14 bytes: {output:?}");
    assert_eq!((is_ok, &*output), (false, "hello, Ada\nhel"));
    println!("ok");
    Ok(())
}
