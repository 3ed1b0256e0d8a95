//! WASI calls from the embedder's side: the memory that a call uses, and the errors if there is none or a pointer is out of
//! bounds.

use wasmr::wasi::{self, MissingMemory, OutputBuffer, Stdout, WasiCtx};
use wasmr::{Engine, Extern, InstantiateError, Linker, Stop, StopKind, Store, TrapCode};
use wasmr_wasi::{MODULES, ParamType};

use crate::support::{in_every_mode, module};

/// Returns a store whose guests have an argument, a variable and standard output, a linker with all calls, and the output.
fn world(engine: &Engine) -> (Store<WasiCtx>, Linker<WasiCtx>, OutputBuffer) {
    let output = OutputBuffer::new(1 << 10);
    let ctx = WasiCtx::builder().arg("prog").env("A", "b").stdout(Stdout::Buffer(output.clone())).build().unwrap();
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    (Store::new(engine, ctx), linker, output)
}

/// Imports of two WASI calls, one with pointers and one without.
const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))"#;

/// Returns data segments of a memory from which [`WRITE`] writes `text`.
fn contents(text: &str) -> String {
    format!(
        r#"(data (memory $m) (i32.const 0) "\10\00\00\00\{:02x}\00\00\00") (data (memory $m) (i32.const 16) "{text}")"#,
        text.len()
    )
}

/// Call of `fd_write` that writes the text of [`contents`].
const WRITE: &str = "(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))";

/// Calls `run` of a module. Returns its result and the output.
fn run(engine: &Engine, text: &str) -> (Result<(), Stop>, Vec<u8>) {
    let (mut store, linker, output) = world(engine);
    let instance = linker.instantiate(&mut store, &module(engine, text)).unwrap();
    let result = instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ());
    (result, output.take())
}

/// Returns the error of a call that found no memory.
#[track_caller]
fn missing(result: Result<(), Stop>) -> MissingMemory {
    match result.unwrap_err().into_kind() {
        StopKind::Host(failure) => *failure.into_error().downcast().unwrap_or_else(|error| panic!("{error}")),
        other => panic!("{other:?}"),
    }
}

in_every_mode! {
    fn a_pointer_outside_is_a_trap_of_every_call(config) {
        let engine = Engine::new(&config);
        for (namespace, calls) in MODULES {
            for call in calls.iter().filter(|call| call.params.iter().any(|param| param.is_pointer)) {
                let (mut params, mut args) = (String::new(), String::new());
                for param in call.params {
                    let ty = if param.ty == ParamType::I32 { "i32" } else { "i64" };
                    params.push_str(&format!(" {ty}"));
                    args.push_str(&format!(" ({ty}.const {})", if param.is_pointer { -8 } else { 9 }));
                }
                let text = format!(
                    r#"(module (import "{namespace}" "{0}" (func $call (param{params}) (result i32)))
                    (memory (export "memory") 1)
                    (func $inner (drop (call $call{args}))) (func (export "run") (call $inner)))"#,
                    call.name
                );
                let StopKind::Trap(trap) = run(&engine, &text).0.unwrap_err().into_kind() else { panic!("{}", call.name) };
                assert_eq!(trap.code, TrapCode::MemoryOutOfBounds);
                let detail = trap.detail.as_deref().unwrap_or_default();
                assert!(detail.starts_with(&format!("{}: ", call.name)) && detail.contains("0xfffffff8"), "{detail}");
                assert_eq!(trap.backtrace.frames.len(), 2, "{}", trap.backtrace);
            }
        }
    }

    fn a_misaligned_pointer_is_a_trap(config) {
        let text = format!(r#"(module {IMPORTS} (memory (export "memory") 1)
            (func (export "run") (drop (call $write (i32.const 1) (i32.const 2) (i32.const 1) (i32.const 8)))))"#);
        let stop = run(&Engine::new(&config), &text).0.unwrap_err();
        assert_eq!(stop.trap_code(), Some(TrapCode::MisalignedPointer));
        assert!(stop.to_string().contains("fd_write: iovs is 0x2, which is not a multiple of 4"), "{stop}");
    }

    fn the_export_called_memory_is_used_whatever_memory_it_is(config) {
        let engine = Engine::new(&config);
        let (mut store, mut linker, output) = world(&engine);
        let owner = linker.instantiate(&mut store, &module(&engine, r#"(module (memory (export "m") 1))"#)).unwrap();
        linker.instance(&store, "owner", owner).unwrap();
        for (memories, text) in [
            (r#"(memory $m (export "memory") 1)"#, "own"),
            (r#"(memory 1) (memory $m (export "memory") 1)"#, "second"),
            (r#"(memory $m (export "other") (export "memory") 1) (memory (export "third") 1)"#, "first"),
            (r#"(memory $m (export "memory") i64 1)"#, "wide"),
            (r#"(import "owner" "m" (memory $m 1)) (export "memory" (memory $m))"#, "imported"),
        ] {
            // In the text format, imports come before definitions.
            let (imported, defined) = if memories.starts_with("(import") { (memories, "") } else { ("", memories) };
            let index = if text == "wide" { "i64" } else { "i32" };
            let contents = contents(text).replace("i32.const", &format!("{index}.const"));
            let text = (text, format!(r#"(module {IMPORTS} {imported} {defined} {contents} (func (export "run") {WRITE}))"#));
            let instance = linker.instantiate(&mut store, &module(&engine, &text.1)).unwrap();
            instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
            assert_eq!(output.take(), text.0.as_bytes());
        }
    }

    fn a_missing_memory_is_an_error_of_the_first_call_that_needs_it(config) {
        let engine = Engine::new(&config);
        for (memory, exports) in [
            (r#"(memory (export "mem") 1)"#, "`mem` (a memory), `run`"),
            (r#"(memory 1)"#, "`run`"),
            ("", "`run`"),
            (r#"(memory 1) (func (export "memory"))"#, "`memory` (not a memory), `run`"),
            (r#"(memory (export "\1b[31m") 1) (table (export "memory") 1 funcref)"#, "`\\u{1b}[31m` (a memory), `memory` (not a memory), `run`"),
        ] {
            let text = format!(r#"(module {IMPORTS} {memory} (func (export "run") (drop (call $yield)) {WRITE}))"#);
            let missing = missing(run(&engine, &text).0);
            assert_eq!((missing.call(), missing.exports()), ("fd_write", exports));
            assert!(missing.module().is_some());
            let text = format!(r#"(module {IMPORTS} {memory} (func (export "run") (drop (call $yield))))"#);
            run(&engine, &text).0.unwrap();
        }
    }

    fn the_memory_is_that_of_the_instance_which_calls(config) {
        let engine = Engine::new(&config);
        let (mut store, mut linker, output) = world(&engine);
        let library = format!(r#"(module {IMPORTS} (memory $m (export "memory") 1) {}
            (func (export "print") {WRITE}) (export "write" (func $write)))"#, contents("library"));
        let library = linker.instantiate(&mut store, &module(&engine, &library)).unwrap();
        linker.instance(&store, "lib", library).unwrap();
        let main = format!(r#"(module (import "lib" "print" (func $print))
            (import "lib" "write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory $m (export "memory") 1) {} (func (export "run") (call $print) {WRITE}))"#, contents(" main"));
        let main = linker.instantiate(&mut store, &module(&engine, &main)).unwrap();
        main.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
        assert_eq!(output.take(), b"library main");
        // If the host calls the library's export, the call uses the library's memory.
        let write = library.get_typed_func::<(i32, i32, i32, i32), i32>(&store, "write").unwrap();
        assert_eq!(write.call(&mut store, (1, 0, 1, 8)).unwrap(), 0);
        assert_eq!(output.take(), b"library");
        // A function from the linker belongs to no instance, so the call has no memory.
        let write = linker.get(&mut store, "wasi_snapshot_preview1", "fd_write").and_then(Extern::into_func).unwrap();
        let write = write.typed::<(i32, i32, i32, i32), i32>(&store).unwrap();
        let missing = missing(write.call(&mut store, (1, 0, 1, 8)).map(drop));
        assert_eq!(missing.module(), None);
    }

    fn a_start_function_has_the_memory(config) {
        let engine = Engine::new(&config);
        let (mut store, linker, output) = world(&engine);
        let text = format!(r#"(module {IMPORTS} (memory $m (export "memory") 1) {} (func $start {WRITE}) (start $start))"#, contents("hi"));
        linker.instantiate(&mut store, &module(&engine, &text)).unwrap();
        assert_eq!(output.take(), b"hi");
        let text = format!(r#"(module {IMPORTS} (memory (export "mem") 1) (func $start {WRITE}) (start $start))"#);
        match linker.instantiate(&mut store, &module(&engine, &text)).unwrap_err() {
            InstantiateError::Stop(stop) => assert_eq!(missing(Err(stop)).exports(), "`mem` (a memory)"),
            other => panic!("{other}"),
        }
    }
}
