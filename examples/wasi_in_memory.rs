//! Runs a WASI program whose input and output stay in memory: `cargo run --example wasi_in_memory`.
//!
//! The program is a filter, as in a shell: it reads standard input, writes it in upper case, and ends with an exit code. It can reach
//! no file, variable or clock of the host except for those that the context grants.

use std::error::Error;

use wasmr::wasi::{self, OutputBuffer, Stdin, Stdout, WasiCtx};
use wasmr::{Engine, Linker, Module, Store};

const UPPER: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; At 0 the buffer to read into, at 8 the buffer to write from, at 16 the number of bytes read or written.
  (data (i32.const 0) "\00\01\00\00\10\00\00\00" "\00\01\00\00\00\00\00\00")
  (func (export "_start") (local $at i32) (local $end i32) (local $byte i32)
    (loop $chunk
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 1))))
      (if (i32.eqz (i32.load (i32.const 16))) (then (call $exit (i32.const 0))))
      (local.set $at (i32.const 0x100))
      (local.set $end (i32.add (i32.const 0x100) (i32.load (i32.const 16))))
      (loop $letter
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 26))
          (then (i32.store8 (local.get $at) (i32.sub (local.get $byte) (i32.const 32)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $letter (i32.ne (local.get $at) (local.get $end))))
      (i32.store (i32.const 12) (i32.load (i32.const 16)))
      (if (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 2))))
      (br $chunk))))
"#;

/// Runs the filter on a text, with at most `room` bytes of output. Returns its exit code and its output.
fn upper(engine: &Engine, module: &Module, text: &str, room: usize) -> Result<(u32, String), Box<dyn Error>> {
    let output = OutputBuffer::new(room);
    let ctx = WasiCtx::builder()
        .arg("upper")
        .stdin(Stdin::Bytes(text.into()))
        .stdout(Stdout::Buffer(output.clone()))
        .stderr(Stdout::Discard)
        .build()?;
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(engine, ctx);
    let instance = linker.instantiate(&mut store, module)?;
    // Return from `_start` means exit code 0. A stop without an exit code is an error.
    let status = match instance.get_typed_func::<(), ()>(&store, "_start")?.call(&mut store, ()) {
        Ok(()) => 0,
        Err(stop) => stop.exit_code().ok_or(stop)?,
    };
    Ok((status, String::from_utf8(output.take())?))
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let module = Module::new(&engine, UPPER)?;
    let text = "the quick brown fox\njumps over the lazy dog\n";

    let (status, output) = upper(&engine, &module, text, 1000)?;
    print!("status {status}:\n{output}");
    assert_eq!((status, output), (0, text.to_uppercase()));

    // A full buffer of the host is an error that the program gets and handles.
    let (status, output) = upper(&engine, &module, text, 24)?;
    println!("status {status} with room for 24 bytes: {output:?}");
    assert_eq!((status, output.as_str()), (2, "THE QUICK BROWN FOX\nJUMP"));
    println!("ok");
    Ok(())
}
