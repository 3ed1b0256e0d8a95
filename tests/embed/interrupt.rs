//! Interruption from another thread, of a guest that computes, sleeps, reads, or is in a host function that waits.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmr::wasi::{self, Dir, WasiCtx};
use wasmr::{Caller, Engine, Instance, InterruptHandle, Linker, Stop, Store, TrapCode};

use crate::support::{in_every_mode, instance, module};

/// Time within which an interrupted guest must end on a machine that is busy with other tests. On an idle machine it takes
/// microseconds, as `benches/timeout_overshoot.py` measures.
const SLACK: Duration = Duration::from_secs(5);

/// Calls an export and interrupts it after 100 ms. Checks that the call traps soon after.
#[track_caller]
fn ends<T: Send>(store: &mut Store<T>, instance: Instance, name: &str) {
    let handle = store.interrupt_handle();
    let func = instance.get_typed_func::<(), ()>(&*store, name).unwrap();
    let after = Duration::from_millis(100);
    let begin = Instant::now();
    let stop = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(after);
            handle.interrupt();
        });
        func.call(&mut *store, ()).unwrap_err()
    });
    let took = begin.elapsed();
    assert_eq!(stop.trap_code(), Some(TrapCode::Interrupted), "{stop}");
    assert!(!stop.backtrace().unwrap().frames.is_empty(), "the trap must have a backtrace");
    assert!(took >= after && took < after + SLACK, "{took:?}");
    // Until the interrupt is cleared, every further wait or loop ends too.
    let begin = Instant::now();
    assert_eq!(func.call(&mut *store, ()).unwrap_err().trap_code(), Some(TrapCode::Interrupted));
    assert!(begin.elapsed() < SLACK);
    handle.clear();
}

/// Returns a WASI guest whose functions do not return by themselves, except `nap`. It gets `dir` as `/` if there is one.
fn waiting(engine: &Engine, dir: Option<&PathBuf>) -> (Store<WasiCtx>, Instance) {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "fifo")
        (data (i32.const 16) "\00\01\00\00\00\00\01\00")
        ;; A subscription to the monotonic clock, an hour from now, at 64; to one millisecond at 128.
        (data (i32.const 80) "\01") (data (i32.const 88) "\00\a0\b8\30\46\03\00\00")
        (data (i32.const 144) "\01") (data (i32.const 152) "\40\42\0f\00\00\00\00\00")
        (func $sleep (param i32)
          (drop (call $poll (local.get 0) (i32.const 256) (i32.const 1) (i32.const 8))))
        (func (export "sleep") (call $sleep (i32.const 64)))
        (func (export "nap") (call $sleep (i32.const 128)))
        (func (export "naps") (loop (call $sleep (i32.const 128)) (br 0)))
        (func (export "yield") (loop (drop (call $yield)) (br 0)))
        ;; Opened for both, so that neither end is ever missing.
        (func $fifo (result i32)
          (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)
            (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 8)))
          (i32.load (i32.const 8)))
        (func (export "read")
          (drop (call $read (call $fifo) (i32.const 16) (i32.const 1) (i32.const 12))))
        (func (export "write") (local $fd i32)
          (local.set $fd (call $fifo))
          (loop (drop (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 12))) (br 0))))"#;
    let mut builder = WasiCtx::builder();
    if let Some(dir) = dir {
        builder.dir(Dir::from_std_file(std::fs::File::open(dir).unwrap()), "/", false);
    }
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    let mut store = Store::new(engine, builder.build().unwrap());
    let instance = linker.instantiate(&mut store, &module(engine, text)).unwrap();
    (store, instance)
}

/// Makes a directory for the test `name`, with a FIFO in it.
fn with_fifo(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("embed-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    assert!(Command::new("mkfifo").arg(dir.join("fifo")).status().unwrap().success());
    dir
}

in_every_mode! {
    fn a_busy_loop_ends(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (func (export "run") (local i64)
            (loop (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br 0))))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        ends(&mut store, instance, "run");
    }

    fn loops_of_a_single_branch_end(config) {
        let engine = Engine::new(&config);
        let text = r#"(module
            (func (export "br") (loop (br 0)))
            (func (export "br_if") (local i32) (loop (br_if 0 (i32.eqz (local.get 0)))))
            (func (export "br_table") (loop (br_table 0 0 (i32.const 1)))))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        for name in ["br", "br_if", "br_table"] {
            ends(&mut store, instance, name);
        }
    }

    fn a_loop_of_long_operators_ends(config) {
        let engine = Engine::new(&config);
        // After a quick loop, budget interrupts are rarest.
        let text = r#"(module (import "h" "long" (func $long)) (memory 1024)
            (func $quick (local i32) (loop
                (br_if 0 (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 300_000)))))
            (func (export "fill") (call $quick)
                (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x3ffffff)) (br 0)))
            (func (export "copy") (call $quick)
                (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x3ffffff)) (br 0)))
            (func (export "host") (call $quick) (loop (call $long) (br 0))))"#;
        let mut linker = Linker::new();
        linker.func_wrap("h", "long", || std::thread::sleep(Duration::from_millis(5))).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        for name in ["fill", "copy", "host"] {
            ends(&mut store, instance, name);
        }
    }

    fn endless_calls_end(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (func $a (export "run") (return_call $b)) (func $b (return_call $a)))"#;
        let (mut store, instance) = instance(&engine, text, (), &[]);
        ends(&mut store, instance, "run");
    }

    fn a_start_function_ends(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (func $f (local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0))) (start $f))"#;
        let module = module(&engine, text);
        let mut store = Store::new(&engine, ());
        let handle = store.interrupt_handle();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                handle.interrupt();
            });
            let error = Instance::new(&mut store, &module, &[]).unwrap_err();
            assert!(error.to_string().contains("interrupted"), "{error}");
        });
    }

    fn a_sleep_in_poll_oneoff_ends(config) {
        let engine = Engine::new(&config);
        let (mut store, instance) = waiting(&engine, None);
        ends(&mut store, instance, "sleep");
        // The next sleep ends by itself, without a trap.
        let nap = instance.get_typed_func::<(), ()>(&store, "nap").unwrap();
        nap.call(&mut store, ()).unwrap();
    }

    fn short_sleeps_and_yields_without_end_end(config) {
        let engine = Engine::new(&config);
        let (mut store, instance) = waiting(&engine, None);
        ends(&mut store, instance, "naps");
        ends(&mut store, instance, "yield");
    }

    fn a_blocked_read_and_a_blocked_write_end(config) {
        let dir = with_fifo("blocked");
        let engine = Engine::new(&config);
        let (mut store, instance) = waiting(&engine, Some(&dir));
        ends(&mut store, instance, "read");
        ends(&mut store, instance, "write");
        std::fs::remove_dir_all(dir).unwrap();
    }

    fn a_host_function_that_waits_can_watch_the_handle(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (import "h" "wait" (func $wait)) (func (export "run") (call $wait)))"#;
        let slices = Arc::new(AtomicU64::new(0));
        let counter = slices.clone();
        let mut linker = Linker::new();
        linker.func_wrap("h", "wait", move |caller: Caller<'_, ()>| -> Result<(), Stop> {
            // A store without a handle cannot be interrupted.
            let Some(handle) = caller.interrupt_handle() else { return Ok(()) };
            while !handle.is_interrupted() {
                counter.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Stop::trap(TrapCode::Interrupted))
        }).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module(&engine, text)).unwrap();
        instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
        assert_eq!(slices.load(Ordering::Relaxed), 0);
        ends(&mut store, instance, "run");
        assert!(slices.load(Ordering::Relaxed) > 0);
    }

    fn a_handle_ends_its_own_store_only(config) {
        let engine = Engine::new(&config);
        let text = r#"(module (func (export "run") (param i32) (loop
            (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))))"#;
        let (mut store, one) = instance(&engine, text, (), &[]);
        let (other, _) = instance(&engine, text, (), &[]);
        other.interrupt_handle().interrupt();
        one.get_typed_func::<i32, ()>(&store, "run").unwrap().call(&mut store, 100_000).unwrap();
        assert!(other.interrupt_handle().is_interrupted() && !store.interrupt_handle().is_interrupted());
    }
}

#[test]
fn handles_and_stores_move_between_threads() {
    fn moves<T: Send + 'static>(_: &T) {}
    let engine = Engine::default();
    let store = Store::new(&engine, WasiCtx::builder().build().unwrap());
    let handle: InterruptHandle = store.interrupt_handle();
    moves(&store);
    moves(&handle);
    moves(&engine);
    // A handle outlives its store, and then has no effect.
    drop(store);
    handle.interrupt();
    assert!(handle.is_interrupted());
}
