//! Gives a module functions that use data of the host: `cargo run --example host_state`.
//!
//! The guest is a shopping list that stores its items in the host. Each store has its own data, and one linker serves all stores. A
//! host function reads the guest's memory and checks every number in the call.

use std::collections::BTreeMap;
use std::error::Error;

use wasmr::{Caller, Engine, Extern, Linker, Module, Stop, Store};

const GUEST: &str = r#"
(module
  (import "list" "add" (func $add (param i32 i32 i32)))
  (import "list" "count" (func $count (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "apples")
  (data (i32.const 16) "bread")
  (func (export "shop") (param $people i32) (result i32)
    (call $add (i32.const 0) (i32.const 6) (i32.mul (local.get $people) (i32.const 3)))
    (call $add (i32.const 16) (i32.const 5) (i32.const 1))
    (call $add (i32.const 0) (i32.const 6) (i32.const 1))
    (call $count))
  (func (export "cheat") (call $add (i32.const 65530) (i32.const 100) (i32.const 1))))
"#;

/// State that the host keeps for one guest.
#[derive(Default)]
struct Basket {
    items: BTreeMap<String, u32>,
    calls: usize,
}

/// Reason why the host refuses an item: a custom error, which the caller of the guest gets.
#[derive(Debug)]
struct BadName;

impl std::fmt::Display for BadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of an item is not text within the guest's memory")
    }
}

impl Error for BadName {}

/// `list.add(name, len, count)`.
fn add(mut caller: Caller<'_, Basket>, name: u32, len: u32, count: u32) -> Result<(), Stop> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| Stop::host(BadName))?;
    // Borrows memory and data at the same time.
    let (bytes, basket) = memory.data_and_store_mut(&mut caller);
    let name = bytes.get(name as usize..).and_then(|bytes| bytes.get(..len as usize));
    let name = name.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(|| Stop::host(BadName))?;
    *basket.items.entry(name.to_owned()).or_default() += count;
    basket.calls += 1;
    Ok(())
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut linker = Linker::new();
    linker.func_wrap("list", "add", add)?;
    linker.func_wrap("list", "count", |caller: Caller<'_, Basket>| caller.data().items.len() as u32)?;

    for (people, apples) in [(1, 4), (4, 13)] {
        let mut store = Store::new(&engine, Basket::default());
        let instance = linker.instantiate(&mut store, &module)?;
        let shop = instance.get_typed_func::<u32, u32>(&store, "shop")?;
        let kinds = shop.call(&mut store, people)?;
        // The data outlives the store.
        let Basket { items, calls } = store.into_data();
        println!("for {people}: {kinds} kinds in {calls} calls: {items:?}");
        assert_eq!((kinds, calls), (2, 3));
        assert_eq!(items, BTreeMap::from([("apples".to_owned(), apples), ("bread".to_owned(), 1)]));
    }

    let mut store = Store::new(&engine, Basket::default());
    let instance = linker.instantiate(&mut store, &module)?;
    let stop = instance.get_typed_func::<(), ()>(&store, "cheat")?.call(&mut store, ()).unwrap_err();
    println!("cheating: {stop}");
    assert!(stop.host_error().is_some_and(|error| error.is::<BadName>()));
    assert!(store.data().items.is_empty());
    println!("ok");
    Ok(())
}
