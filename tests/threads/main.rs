//! Threads: one module, one store for each thread, and a shared memory, in every configuration and with both kinds of memory.
//!
//! The guest is `guest.wat`: a lock, a barrier and a queue without a lock, made of atomic operators and waits. The variable
//! `WASMR_TORTURE` multiplies the number of rounds.

#[path = "../configurations/mod.rs"]
mod configurations;
mod primitives;
mod tier_up;

use std::thread;
use std::time::{Duration, Instant};

use configurations::{MAX_COMPILED_SIZE, configurations};
use wasmr::{Engine, ExternType, Instance, Linker, MemoryStrategy, Module, SharedMemory, Store, WasmTyList};

/// A guest of several threads.
struct World {
    /// Name of configuration and memory, for messages.
    name: String,
    engine: Engine,
    module: Module,
    memory: SharedMemory,
}

impl World {
    fn new(name: String, engine: Engine, text: &str) -> World {
        let module = Module::new(&engine, text).unwrap();
        let ExternType::Memory(ty) = module.module.imports()[0].ty else { panic!("the first import is the memory") };
        let memory = SharedMemory::new(&engine, ty).unwrap();
        World { name, engine, module, memory }
    }

    /// Returns a new thread's store with its instance.
    fn enter(&self) -> (Store<()>, Instance) {
        let mut store = Store::new(&self.engine, ());
        let mut linker = Linker::new();
        linker.define("env", "memory", self.memory.clone()).unwrap();
        let instance = linker.instantiate(&mut store, &self.module).unwrap();
        (store, instance)
    }

    /// Calls an export in a store of its own.
    fn call<P: WasmTyList, R: WasmTyList>(&self, name: &str, args: P) -> R {
        let (mut store, instance) = self.enter();
        let func = instance.get_typed_func::<P, R>(&store, name).unwrap();
        func.call(&mut store, args).unwrap_or_else(|stop| panic!("{}: {name}: {stop}", self.name))
    }

    /// Calls an export on so many threads at once. Returns their results.
    fn on_threads<P: WasmTyList + Send, R: WasmTyList + Send>(
        &self,
        threads: u32,
        name: &str,
        args: impl Fn(u32) -> P,
    ) -> Vec<R> {
        thread::scope(|scope| {
            let start = |id| {
                let args = args(id);
                scope.spawn(move || self.call(name, args))
            };
            let threads: Vec<_> = (0..threads).map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }
}

/// Calls `body` with a new world for each configuration and kind of memory.
fn in_every_world(body: impl Fn(&World)) {
    for mut configuration in configurations(MAX_COMPILED_SIZE) {
        for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
            configuration.config.memory_strategy(strategy);
            let name = format!("{}, {strategy:?}", configuration.name);
            body(&World::new(name, configuration.engine(), include_str!("guest.wat")));
        }
    }
}

/// Returns `count`, or a multiple of it if the environment asks for torture.
fn times(count: u32) -> u32 {
    let factor = std::env::var("WASMR_TORTURE").ok().and_then(|value| value.parse().ok());
    count * factor.unwrap_or(1)
}

/// Waits until `condition` is true. Panics if it is not after half a minute.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}
