//! Components in every mode: calls in all directions, resources, tasks, linking, and what a hostile guest may try.

mod calls;
mod hostile;
mod layouts;
mod linking;
mod ownership;
mod resources;
mod tasks;

use wasmr_canon::{Instance, Linker};
use wasmr_engine::{Component, Config, Engine, Mode, Tuning};
use wasmr_runtime::Store;

/// Returns an engine for each mode, and one that compiles each function when control first reaches it.
fn engines() -> Vec<Engine> {
    let mut engines: Vec<Engine> = Mode::ALL.iter().map(|&mode| Engine::new(Config::new().mode(mode))).collect();
    let at_once = Tuning { tier_up_after: 0, ..Tuning::default() };
    engines.push(Engine::new(Config::new().mode(Mode::Tiered).tuning(at_once)));
    engines
}

/// Runs `test` with each engine.
fn in_all_modes(test: impl Fn(&Engine)) {
    engines().iter().for_each(test);
}

fn component(engine: &Engine, text: &str) -> Component {
    Component::new(engine, text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Instantiates a component that imports nothing.
fn instance(engine: &Engine, text: &str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let instance = Linker::new().instantiate(&mut store, &component(engine, text)).unwrap();
    (store, instance)
}

/// A core module with a memory and a bump allocator, as `$libc`.
const LIBC: &str = r#"
    (core module $Libc
        (memory (export "memory") 1)
        (global $free (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and
                (i32.add (global.get $free) (i32.sub (local.get 2) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get 2))))
            (global.set $free (i32.add (local.get $at) (local.get 3)))
            (memory.copy (local.get $at) (local.get 0) (local.get 1))
            (local.get $at)))
    (core instance $libc (instantiate $Libc))"#;
