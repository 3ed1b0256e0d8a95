//! Calls functions of a module from Rust: `cargo run --example embed_function`.
//!
//! Shows typed and untyped calls, passing bytes through the guest's memory, and the error that a trap returns.

use std::error::Error;

use wasmr::{Engine, Instance, Module, Store, TrapCode, Val};

/// A module that sums the bytes of a range of its memory, and divides.
const GUEST: &str = r#"
(module $arithmetic
  (memory (export "memory") 1)
  (func (export "sum") (param $at i32) (param $len i32) (result i64) (local $sum i64)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func $divide (export "divide") (param i32 i32) (result i32 i32)
    (i32.div_s (local.get 0) (local.get 1))
    (i32.rem_s (local.get 0) (local.get 1))))
"#;

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    // One engine serves the whole program. A module is validated once and can be instantiated in any number of stores.
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    for export in module.exports() {
        println!("exports {}: {}", export.name(), export.type_text());
    }

    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;

    // Rust types: the lookup compares them once, and calls need no check.
    let divide = instance.get_typed_func::<(i32, i32), (i32, i32)>(&store, "divide")?;
    let (quotient, remainder) = divide.call(&mut store, (47, 5))?;
    println!("47 / 5 = {quotient}, remainder {remainder}");
    assert_eq!((quotient, remainder), (9, 2));

    // Types that are known only at run time.
    let sum = instance.get_func(&store, "sum").ok_or("`sum` is not exported")?;
    let memory = instance.get_memory(&store, "memory").ok_or("`memory` is not exported")?;
    let bytes = b"some bytes";
    memory.write(&mut store, 0x100, bytes)?;
    let mut results = [Val::I64(0)];
    sum.call(&mut store, &[Val::I32(0x100), Val::I32(bytes.len() as i32)], &mut results)?;
    println!("the bytes of {:?} add up to {:?}", String::from_utf8_lossy(bytes), results[0].i64());
    assert_eq!(results[0].i64(), Some(bytes.iter().map(|&byte| i64::from(byte)).sum()));

    // A trap is an error of the call. The instance can be used again.
    let stop = divide.call(&mut store, (1, 0)).unwrap_err();
    println!("1 / 0: {stop}");
    assert_eq!(stop.trap_code(), Some(TrapCode::IntegerDivideByZero));
    assert_eq!(stop.backtrace().map(|trace| trace.frames[0].func_name()), Some(Some("divide")));
    assert_eq!(divide.call(&mut store, (7, 7))?, (1, 0));

    // A wrong type is an error of the lookup, before anything runs.
    let wrong = instance.get_typed_func::<(i64, i64), i64>(&store, "divide").unwrap_err();
    println!("as (i64, i64) -> i64: {wrong}");
    println!("ok");
    Ok(())
}
