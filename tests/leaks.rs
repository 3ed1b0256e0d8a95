//! Thousands of instances leave nothing measurable behind in a process.
//!
//! This file has one test, because other tests in the process would take memory and descriptors at the same time.

use std::fs;

use wasmr::wasi::{self, OutputBuffer, Stdout, WasiCtx};
use wasmr::{Caller, Engine, Instance, Linker, Mode, Module, Store};

/// Returns the number of resident bytes of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Returns the numbers of open descriptors and of mapped regions of this process.
fn descriptors_and_mappings() -> (usize, usize) {
    (fs::read_dir("/proc/self/fd").unwrap().count(), fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

/// Uses everything that a store can own: memory, table, globals, a data segment, a host closure, the value stack, references,
/// an exception, WASI, a wait that can be interrupted, and a trap.
const GUEST: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "h" "add" (func $add (param i32) (result i32)))
  (tag $tag (param i64))
  (memory (export "memory") 1) (table (export "table") 100 funcref) (table $refs 10 externref) (global $g (mut i32) (i32.const 0))
  (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "hello")
  (elem (i32.const 0) $run)
  (func $run (export "run") (param i32) (result i32)
    (drop (memory.grow (i32.const 4)))
    (memory.fill (i32.const 0x10000) (i32.const 7) (i32.const 0x40000))
    (drop (table.grow (ref.null func) (i32.const 1000)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    ;; A sleep of zero nanoseconds.
    (drop (call $poll (i32.const 0x200) (i32.const 0x300) (i32.const 1) (i32.const 8)))
    (block $caught (result i64)
      (try_table (catch $tag $caught) (throw $tag (i64.const 1)))
      (i64.const 0))
    (drop)
    (global.set $g (call $add (local.get 0)))
    (global.get $g))
  (func (export "trap") (unreachable)))
"#;

/// Creates a linker, a store and an instance, uses them and drops them. Only engine and module are shared with other calls.
fn live_and_die(engine: &Engine, module: &Module, index: i32) {
    let output = OutputBuffer::new(100);
    let ctx = WasiCtx::builder().arg("guest").stdout(Stdout::Buffer(output.clone())).build().unwrap();
    let mut linker = Linker::new();
    wasi::add_to_linker(&mut linker, |data: &mut (WasiCtx, i32)| &mut data.0).unwrap();
    let owned = vec![1; 1000];
    linker
        .func_wrap("h", "add", move |mut caller: Caller<'_, (WasiCtx, i32)>, n: i32| {
            caller.data_mut().1 += n;
            n + owned[0]
        })
        .unwrap();
    let mut store = Store::new(engine, (ctx, 0));
    let handle = store.interrupt_handle();
    let instance = linker.instantiate(&mut store, module).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, index).unwrap(), index + 1);
    let trap = instance.get_typed_func::<(), ()>(&store, "trap").unwrap();
    assert!(trap.call(&mut store, ()).unwrap_err().to_string().contains("unreachable"));
    assert!(Instance::new(&mut store, module, &[]).is_err(), "imports are missing");
    assert_eq!((output.take(), store.data().1), (b"hello".to_vec(), index));
    handle.interrupt();
}

#[test]
fn ten_thousand_instances_leave_nothing_behind() {
    for &mode in Mode::ALL {
        let mut config = wasmr::Config::new();
        let engine = Engine::new(config.mode(mode));
        let module = Module::new(&engine, GUEST).unwrap();
        let rounds = |count: i32| (0..count).for_each(|index| live_and_die(&engine, &module, index));
        rounds(1000);
        let (before, open) = (resident(), descriptors_and_mappings());
        rounds(9000);
        let (after, still_open) = (resident(), descriptors_and_mappings());
        assert!(after <= before + (1 << 20), "{mode}: {before} bytes became {after}");
        assert_eq!(still_open.0, open.0, "{mode}: descriptors");
        assert!(still_open.1 <= open.1 + 8, "{mode}: {} mappings became {}", open.1, still_open.1);
    }

    // Engines and modules, with types of their own, are created and dropped too.
    let generations = |count: usize| {
        for index in 0..count {
            let engine = Engine::default();
            let params = "i32 ".repeat(index % 50);
            let text =
                format!("(module (type (func (param {params}))) (memory 1) (func (export \"f\") (param {params})))");
            let module = Module::new(&engine, text).unwrap();
            Instance::new(&mut Store::new(&engine, ()), &module, &[]).unwrap();
        }
    };
    generations(500);
    let (before, open) = (resident(), descriptors_and_mappings());
    generations(3000);
    let (after, still_open) = (resident(), descriptors_and_mappings());
    assert!(after <= before + (1 << 20), "{before} bytes became {after}");
    assert_eq!(still_open.0, open.0, "descriptors");
    assert!(still_open.1 <= open.1 + 8, "{} mappings became {}", open.1, still_open.1);
}
