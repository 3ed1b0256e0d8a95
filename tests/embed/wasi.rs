//! Grants of a WASI context: directories by handle and by path, and arguments and variables taken over from the process.

use std::fs::{self, File};

use wasmr::wasi::{self, Dir, OutputBuffer, Stdout, WasiCtx, WasiCtxBuilder};
use wasmr::{Engine, Linker, Store};

use crate::support::module;

/// Returns the output of the guest `args_env.wasm`: its arguments and variables, a line each.
fn seen(builder: &mut WasiCtxBuilder) -> Vec<String> {
    let engine = Engine::default();
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests/args_env.wasm");
    let program = wasmr::Module::from_file(&engine, guest).unwrap();
    let output = OutputBuffer::new(1 << 20);
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    let mut store = Store::new(&engine, builder.stdout(Stdout::Buffer(output.clone())).build().unwrap());
    let start = linker.instantiate(&mut store, &program).unwrap().get_typed_func::<(), ()>(&store, "_start").unwrap();
    if let Err(stop) = start.call(&mut store, ()) {
        assert_eq!(stop.exit_code(), Some(0), "{stop}");
    }
    String::from_utf8_lossy(&output.take()).lines().map(str::to_owned).collect()
}

#[test]
fn arguments_and_variables_come_in_any_form() {
    let owned = vec![("C".to_owned(), "3".to_owned())];
    let words: &[&str] = &["b", "c"];
    let lines = seen(
        WasiCtx::builder()
            .arg("a")
            .args(words)
            .args(vec![b"d".to_vec()])
            .env("A", "1")
            .envs(&[("B", "2")])
            .envs(&owned)
            .envs(owned.clone()),
    );
    let expected = ["arg 0: a", "arg 1: b", "arg 2: c", "arg 3: d", "env: A=1", "env: B=2", "env: C=3", "env: C=3"];
    assert_eq!(lines, expected);
}

#[test]
fn the_builder_takes_over_arguments_and_variables_on_request() {
    let lines = seen(WasiCtx::builder().inherit_args().inherit_env());
    for (index, arg) in std::env::args().enumerate() {
        assert!(lines.contains(&format!("arg {index}: {arg}")), "{lines:?}");
    }
    let path = std::env::var("PATH").expect("tests run with a PATH");
    assert!(lines.contains(&format!("env: PATH={path}")), "{lines:?}");
    assert!(seen(&mut WasiCtx::builder()).is_empty());
}

#[test]
fn a_directory_is_granted_by_path_or_by_handle() {
    let engine = Engine::default();
    let scratch = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wasi-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    fs::write(scratch.join("f"), "x").unwrap();
    // Removes `f` of descriptor 3.
    let guest = module(
        &engine,
        r#"(module
        (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "f")
        (func (export "run") (result i32) (call $unlink (i32.const 3) (i32.const 0) (i32.const 1))))"#,
    );
    let run = |builder: &mut WasiCtxBuilder| {
        let mut linker = Linker::new();
        wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
        let mut store = Store::new(&engine, builder.build().unwrap());
        let run = linker.instantiate(&mut store, &guest).unwrap().get_typed_func::<(), i32>(&store, "run").unwrap();
        run.call(&mut store, ()).unwrap()
    };
    let (ok, rofs) = (0, 69);
    assert_eq!(run(WasiCtx::builder().preopened_dir(&scratch, "/", true).unwrap()), rofs);
    let handle = Dir::from_std_file(File::open(&scratch).unwrap());
    assert_eq!(run(WasiCtx::builder().dir(handle, "/", true)), rofs);
    assert_eq!(run(WasiCtx::builder().preopened_dir(&scratch, "/", false).unwrap()), ok);
    fs::remove_dir_all(&scratch).unwrap();
    let error = WasiCtx::builder().preopened_dir(&scratch, "/", false).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains(scratch.to_str().unwrap()), "{error}");
}
