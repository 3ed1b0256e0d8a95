//! Runs untrusted components as plug-ins: `cargo run --example component_plugins`.
//!
//! The host looks at the types of a plug-in before it runs anything of it. Each call gets a new store and a new instance. Memory, stack,
//! fuel and handles of a call are limited, and the plug-in can call one function of the host, `log`.

use std::error::Error;

use wasmr::component::types::ComponentItem;
use wasmr::component::{Component, ComponentPre, Linker};
use wasmr::{Config, Engine, Stop, Store, StoreContextMut, StoreLimits, TrapCode};

/// The type of the function `edit` that a plug-in exports.
const EDIT: &str = "func(text: string) -> result<string, string>";

/// Returns a component whose `edit` has this body. It has the address and length of a text, and returns the address of a result:
/// 0 for `ok` or 1 for `error`, then address and length of a text.
fn plugin(body: &str) -> String {
    format!(
        r#"(component
        (import "log" (func $log (param "text" string)))
        (core module $Memory
            (memory (export "memory") 1)
            (global $free (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3)))))
        (core instance $memory (instantiate $Memory))
        (alias core export $memory "memory" (core memory $mem))
        (core func $log (canon lower (func $log) (memory $mem)))
        (core module $Main
            (import "memory" "memory" (memory 1))
            (import "host" "log" (func $log (param i32 i32)))
            (data (i32.const 64) "nothing to edit")
            (func $edit (export "edit") (param $at i32) (param $len i32) (result i32) (local $end i32)
                (i32.store (i32.const 0) (i32.eqz (local.get $len)))
                (i32.store (i32.const 4) (select (local.get $at) (i32.const 64) (local.get $len)))
                (i32.store (i32.const 8) (select (local.get $len) (i32.const 15) (local.get $len)))
                (local.set $end (i32.add (local.get $at) (local.get $len)))
                {body}
                (i32.const 0)))
        (core instance $main (instantiate $Main
            (with "memory" (instance $memory)) (with "host" (instance (export "log" (func $log))))))
        (func (export "edit") (param "text" string) (result (result string (error string)))
            (canon lift (core func $main "edit") (memory $mem) (realloc (core func $memory "realloc")))))"#
    )
}

/// Plug-ins, by name.
fn plugins() -> Vec<(&'static str, String)> {
    // Writes capital letters in place of small ones.
    let upper = "(loop $letter
        (if (i32.lt_u (local.get $at) (local.get $end)) (then
            (if (i32.lt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 97)) (i32.const 26))
                (then (i32.store8 (local.get $at) (i32.sub (i32.load8_u (local.get $at)) (i32.const 32)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $letter))))";
    let log = plugin("(call $log (local.get $at) (local.get $len))");
    let burglar = log.replace(r#"(import "log""#, r#"(import "secrets""#);
    vec![
        ("upper", plugin(upper)),
        ("logger", log),
        ("endless", plugin("(loop $again (br $again))")),
        ("recursive", plugin("(drop (call $edit (local.get $at) (local.get $len)))")),
        ("glutton", plugin("(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))")),
        ("liar", plugin("(i32.store (i32.const 8) (i32.const 0x7fffffff))")),
        (
            "number",
            r#"(component (core module $m (func (export "edit") (result i32) (i32.const 1)))
            (core instance $i (instantiate $m))
            (func (export "edit") (result u32) (canon lift (core func $i "edit"))))"#
                .to_owned(),
        ),
        ("burglar", burglar),
    ]
}

/// Limits of one call.
const LIMITS: StoreLimits = StoreLimits {
    max_memory_bytes: 1 << 20,
    max_table_elements: 1000,
    max_stack_bytes: 64 << 10,
    max_instances: 10,
    max_gc_heap_bytes: 1 << 20,
};
const FUEL: u64 = 1_000_000;

/// Lines that a plug-in logged.
type Log = Vec<String>;

/// A host of plug-ins.
struct Host {
    engine: Engine,
    linker: Linker<Log>,
}

impl Host {
    fn new() -> Result<Host, Box<dyn Error>> {
        let mut linker = Linker::<Log>::new();
        linker.root().func_wrap(
            "log",
            |mut store: StoreContextMut<'_, Log>, (text,): (String,)| -> Result<(), Stop> {
                store.data_mut().push(text);
                Ok(())
            },
        )?;
        Ok(Host { engine: Engine::new(Config::new().consume_fuel(true)), linker })
    }

    /// Loads a plug-in: checks the type of what it exports, and that the host has all that it imports.
    fn load(&self, text: &str) -> Result<ComponentPre<Log>, Box<dyn Error>> {
        let component = Component::new(&self.engine, text)?;
        for (name, item) in component.imports() {
            println!("  imports {name}: {item}");
        }
        match component.get_export("edit") {
            Some(ComponentItem::ComponentFunc(func)) if func.to_string() == EDIT => {}
            Some(other) => return Err(format!("its `edit` is {other}, not {EDIT}").into()),
            None => return Err("it exports no `edit`".into()),
        }
        Ok(self.linker.prepare(&component)?)
    }

    /// Calls a plug-in. Returns its result and what it logged.
    fn call(&self, plugin: &ComponentPre<Log>, text: &str) -> Result<(Result<String, String>, Log), Box<dyn Error>> {
        let mut store = Store::with_limits(&self.engine, LIMITS, Log::new());
        store.set_fuel(FUEL)?;
        let instance = plugin.instantiate(&mut store)?;
        let edit = instance.get_typed_func::<(&str,), Result<String, String>>(&mut store, "edit")?;
        let result = edit.call(&mut store, (text,))?;
        Ok((result, store.into_data()))
    }
}

/// Runs the example. Checks every line that it prints.
pub fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::new()?;
    for (name, text) in plugins() {
        println!("{name}");
        let outcome = host.load(&text).and_then(|plugin| {
            // The interface has errors of its own, which are no failure of the call.
            if let Ok((result, _)) = host.call(&plugin, "") {
                assert_eq!(result, Err("nothing to edit".to_owned()));
            }
            host.call(&plugin, "two words")
        });
        match &outcome {
            Ok((result, log)) => println!("  {result:?}, logged {log:?}"),
            Err(error) => println!("  {}", error.to_string().lines().next().unwrap_or_default()),
        }
        check(name, outcome);
    }

    // With `define_unknown_imports_as_traps`, a component runs until it calls what is missing.
    let mut linker = host.linker.clone();
    linker.define_unknown_imports_as_traps();
    let (_, burglar) = plugins().pop().ok_or("there are plug-ins")?;
    let mut store = Store::new(&host.engine, Log::new());
    store.set_fuel(FUEL)?;
    let burglar = Component::new(&host.engine, burglar)?;
    let instance = linker.instantiate(&mut store, &burglar)?;
    let edit = instance.get_typed_func::<(&str,), Result<String, String>>(&mut store, "edit")?;
    let stop = edit.call(&mut store, ("two words",)).unwrap_err();
    println!("burglar, linked all the same: {}", stop.to_string().lines().next().unwrap_or_default());
    assert!(stop.to_string().contains("`secrets`"), "{stop}");
    println!("ok");
    Ok(())
}

/// Checks the outcome of a plug-in.
fn check(name: &str, outcome: Result<(Result<String, String>, Log), Box<dyn Error>>) {
    let trap = |outcome: &Result<_, Box<dyn Error>>| {
        outcome.as_ref().err().and_then(|error| error.downcast_ref::<Stop>()).and_then(Stop::trap_code)
    };
    match name {
        "upper" => assert_eq!(outcome.unwrap(), (Ok("TWO WORDS".to_owned()), vec![])),
        "logger" => assert_eq!(outcome.unwrap(), (Ok("two words".to_owned()), vec!["two words".to_owned()])),
        "endless" => assert_eq!(trap(&outcome), Some(TrapCode::OutOfFuel)),
        "recursive" => assert_eq!(trap(&outcome), Some(TrapCode::StackExhausted)),
        "glutton" => assert_eq!(trap(&outcome), Some(TrapCode::Unreachable)),
        // A length beyond the memory of the plug-in is its fault.
        "liar" => assert!(outcome.unwrap_err().to_string().contains("string pointer/length out of bounds of memory")),
        "number" => assert!(outcome.unwrap_err().to_string().starts_with("its `edit` is func() -> u32, not")),
        "burglar" => {
            assert!(outcome.unwrap_err().to_string().contains("unknown import `secrets`: func(text: string)"))
        }
        other => panic!("{other} should have an outcome to compare with"),
    }
}
