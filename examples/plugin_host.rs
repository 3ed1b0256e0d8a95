//! Runs untrusted plug-ins: `cargo run --example plugin_host`.
//!
//! Each call gets a new store and a new instance, which are dropped when the call ends, so that a call sees nothing of earlier calls.
//! Memory, stack, fuel (operators to execute, the same number on every machine), time (sleep in host calls included) and output of a
//! call are limited. The host continues whatever a plug-in does.

use std::error::Error;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use wasmr::wasi::{self, OutputBuffer, Stdout, WasiCtx};
use wasmr::{Config, Engine, InterruptHandle, Linker, Module, Stop, Store, StoreLimits, TrapCode};

/// Plug-ins. Each exports `run`, from a number to a number, and may use WASI, with nothing granted but a standard output.
const PLUGINS: &[(&str, &str)] = &[
    ("square", r#"(module (func (export "run") (param i64) (result i64) (i64.mul (local.get 0) (local.get 0))))"#),
    // If calls shared an instance, the results would be 1, 2, 3.
    (
        "counter",
        r#"(module (global $n (mut i64) (i64.const 0))
        (func (export "run") (param i64) (result i64)
          (global.set $n (i64.add (global.get $n) (i64.const 1))) (global.get $n)))"#,
    ),
    (
        "endless",
        r#"(module (func (export "run") (param i64) (result i64)
        (loop $again (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br $again)) (unreachable)))"#,
    ),
    // Sleeps for an hour.
    (
        "sleeper",
        r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "\01") (data (i32.const 24) "\00\a0\b8\30\46\03\00\00")
        (func (export "run") (param i64) (result i64)
          (i64.extend_i32_u (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#,
    ),
    (
        "glutton",
        r#"(module (memory 1) (func (export "run") (param i64) (result i64)
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (i64.extend_i32_u (memory.size))))"#,
    ),
    ("giant", r#"(module (memory 1000) (func (export "run") (param i64) (result i64) (local.get 0)))"#),
    (
        "recursive",
        r#"(module (func $run (export "run") (param i64) (result i64)
        (i64.add (i64.const 1) (call $run (local.get 0)))))"#,
    ),
    (
        "chatterbox",
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "blah ")
        (func (export "run") (param i64) (result i64) (local $errno i32)
          (loop $more
            (local.set $errno (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if $more (i32.eqz (local.get $errno))))
          (i64.extend_i32_u (local.get $errno))))"#,
    ),
    (
        "burglar",
        r#"(module (import "host" "secrets" (func)) (func (export "run") (param i64) (result i64) (local.get 0)))"#,
    ),
];

/// Limits of one call.
const LIMITS: StoreLimits = StoreLimits {
    max_memory_bytes: 1 << 20,
    max_table_elements: 1000,
    max_stack_bytes: 64 << 10,
    max_instances: 1,
    max_gc_heap_bytes: 1 << 20,
};
const FUEL: u64 = 1_000_000;
const TIME: Duration = Duration::from_millis(100);
const OUTPUT: usize = 64;

/// The parts that all calls of plug-ins share.
struct Host {
    engine: Engine,
    linker: Linker<WasiCtx>,
}

impl Host {
    fn new() -> Result<Host, Box<dyn Error>> {
        let mut linker = Linker::new();
        wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
        Ok(Host { engine: Engine::new(Config::new().consume_fuel(true)), linker })
    }

    /// Calls a plug-in. Returns its result and its output.
    fn call(&self, plugin: &Module, argument: i64) -> Result<(i64, Vec<u8>), Box<dyn Error>> {
        let output = OutputBuffer::new(OUTPUT);
        let ctx = WasiCtx::builder().stdout(Stdout::Buffer(output.clone())).build()?;
        let mut store = Store::with_limits(&self.engine, LIMITS, ctx);
        store.set_fuel(FUEL)?;
        let handle = store.interrupt_handle();
        // The time limit includes instantiation, because a start function is code of the plug-in too.
        let result = within(TIME, &handle, || -> Result<i64, Box<dyn Error>> {
            let instance = self.linker.instantiate(&mut store, plugin)?;
            Ok(instance.get_typed_func::<i64, i64>(&store, "run")?.call(&mut store, argument)?)
        });
        Ok((result?, output.take()))
    }
}

/// Runs `body`, and interrupts the guest if `body` takes longer than the limit.
fn within<R>(time: Duration, handle: &InterruptHandle, body: impl FnOnce() -> R) -> R {
    std::thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        scope.spawn(move || {
            if wait.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        });
        let result = body();
        drop(done);
        result
    })
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::new()?;
    for (name, text) in PLUGINS {
        // A module is validated once, for any number of calls.
        let plugin = Module::from_bytes(&host.engine, text.as_bytes().to_vec(), name)?;
        for argument in [3, 4] {
            let begin = Instant::now();
            let outcome = host.call(&plugin, argument);
            let took = begin.elapsed();
            match &outcome {
                Ok((result, output)) => println!("{name}({argument}) = {result}, wrote {} bytes", output.len()),
                Err(error) => println!("{name}({argument}): {}", error.to_string().lines().next().unwrap_or_default()),
            }
            check(name, argument, outcome);
            assert!(took < TIME + Duration::from_secs(2), "{name} took {took:?}");
        }
    }
    println!("ok");
    Ok(())
}

/// Expected outcome of every plug-in.
fn check(name: &str, argument: i64, outcome: Result<(i64, Vec<u8>), Box<dyn Error>>) {
    let trap = |outcome: &Result<_, Box<dyn Error>>| {
        outcome.as_ref().err().and_then(|error| error.downcast_ref::<Stop>()).and_then(Stop::trap_code)
    };
    match name {
        "endless" => assert_eq!(trap(&outcome), Some(TrapCode::OutOfFuel)),
        // Sleep consumes no fuel.
        "sleeper" => assert_eq!(trap(&outcome), Some(TrapCode::Interrupted)),
        "recursive" => assert_eq!(trap(&outcome), Some(TrapCode::StackExhausted)),
        "giant" => assert!(outcome.unwrap_err().to_string().contains("exceeds the limit")),
        "burglar" => assert!(outcome.unwrap_err().to_string().contains("unknown import `host` `secrets`")),
        _ => {
            let (result, output) = outcome.unwrap();
            let expected = match name {
                "square" => argument * argument,
                "counter" => 1,
                // The size of the memory in pages.
                "glutton" => 16,
                // WASI's error `nospc`, no space left.
                "chatterbox" => 51,
                other => panic!("{other} should not have returned"),
            };
            assert_eq!(result, expected, "{name}");
            assert_eq!(output.len(), if name == "chatterbox" { OUTPUT } else { 0 }, "{name}");
        }
    }
}
