//! Links two modules: `cargo run --example linking`.
//!
//! A library keeps a stack of numbers. A program imports its functions and its memory. Neither imports from the host. The library is a
//! reactor: its `_initialize` runs once, before the program can call its functions.

use std::error::Error;

use wasmr::{Engine, Instance, Linker, Module, Store};

const LIBRARY: &str = r#"
(module $stack
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 0))
  ;; The memory below the stack of numbers belongs to the library.
  (func (export "_initialize") (global.set $top (i32.const 64)))
  (func (export "push") (param i64)
    (i64.store (global.get $top) (local.get 0))
    (global.set $top (i32.add (global.get $top) (i32.const 8))))
  (func (export "pop") (result i64)
    (global.set $top (i32.sub (global.get $top) (i32.const 8)))
    (i64.load (global.get $top)))
  (func (export "depth") (result i32)
    (i32.shr_u (i32.sub (global.get $top) (i32.const 64)) (i32.const 3))))
"#;

const PROGRAM: &str = r#"
(module $calculator
  (import "stack" "push" (func $push (param i64)))
  (import "stack" "pop" (func $pop (result i64)))
  (import "stack" "memory" (memory 1))
  (func (export "sum") (param i32) (result i64)
    (loop $more
      (call $push (i64.add (call $pop) (call $pop)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $more (i32.gt_s (local.get 0) (i32.const 1))))
    (call $pop))
  (func (export "lowest") (result i64) (i64.load (i32.const 64))))
"#;

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let library = Module::new(&engine, LIBRARY)?;
    let program = Module::new(&engine, PROGRAM)?;
    for import in program.imports() {
        println!("the program needs {import}");
    }

    // Instantiates and initialises the library, and defines its exports under a module name.
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new();
    linker.module(&mut store, "stack", &library)?;
    let program = linker.instantiate(&mut store, &program)?;

    // The host may call functions of library and program.
    let push = linker.get(&mut store, "stack", "push").and_then(|object| object.into_func()).ok_or("no push")?;
    let push = push.typed::<i64, ()>(&store)?;
    for number in [1, 20, 300] {
        push.call(&mut store, number)?;
    }
    let lowest = program.get_typed_func::<(), i64>(&store, "lowest")?.call(&mut store, ())?;
    let sum = program.get_typed_func::<i32, i64>(&store, "sum")?.call(&mut store, 3)?;
    println!("lowest {lowest}, sum {sum}");
    assert_eq!((lowest, sum), (1, 321));

    // The same steps one by one, for one library in two separate stores.
    let depths = [2, 5].map(|count| depth_after(&engine, &library, count));
    println!("depths {depths:?}");
    assert_eq!(depths.map(Result::ok), [Some(2), Some(5)]);
    println!("ok");
    Ok(())
}

/// Pushes `count` numbers in a new store. Returns the depth of the stack.
fn depth_after(engine: &Engine, library: &Module, count: i64) -> Result<i32, Box<dyn Error>> {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, library, &[])?;
    instance.initialize(&mut store)?;
    let push = instance.get_typed_func::<i64, ()>(&store, "push")?;
    for number in 0..count {
        push.call(&mut store, number)?;
    }
    Ok(instance.get_typed_func::<(), i32>(&store, "depth")?.call(&mut store, ())?)
}
